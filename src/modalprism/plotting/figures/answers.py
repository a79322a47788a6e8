"""Figures of the answer view: the prism, which splits the information, and the contribution.

Both have one block of rows per dataset, one row per model, and one panel per kind of pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from modalprism.plotting.bar import draw_bar, leave_room
from modalprism.plotting.figures.panels import (
    ShownFigure,
    bare,
    clip,
    contribution_label,
    footer,
    heading,
    patches,
    share_look,
    share_ticks,
    unknown_band,
    whisker,
)
from modalprism.plotting.figures.tooltips import atom_lines, hover_row
from modalprism.plotting.style import ALARM, INK, atom_styles
from modalprism.results.estimate import Estimate
from modalprism.results.notation import label, number, parts, shortened, written
from modalprism.results.quantities import ATOMS, keys
from modalprism.results.table import Case, Table

_PANEL_WIDTH: Final = 3.5  # inches
_AXIS_LETTERS: Final = 54
"""Letters below the axis of a panel."""
_LABEL_WIDTH: Final = 1.5
_HEADER: Final = 0.85  # rows that the name of a dataset takes
_EDGES: Final = 1.45  # inches for title, key, axis and footer
_FARTHEST: Final = 0.5  # how far beyond 0 and 1 the axis may follow an interval
_NUMBER: Final = 0.45  # room for the number, in units of the contribution
_FRACTIONS: Final = tuple(f"{atom}_fraction" for atom in ATOMS)


def prism_figure(results: Table, *, percent: bool = False) -> Figure:
    """Draw one stacked bar per model, dataset and kind of pairs.

    Negative atoms are stacked to the left of zero, and a tick marks I, the sum of the atoms. Bars
    are in the study's unit, or in per cent of the information.
    """
    styles = atom_styles(results.shown)
    rows = _Rows.of(results)
    figure, panels = rows.canvas(results)
    by_kind = dict(panels)
    quantity = "part of the information" if percent else "information"
    unit = "%" if percent else results.unit("answer")
    reach = [0.0, 0.0]
    for case in results.cases("answer"):
        atoms, total = results.atoms(case, "answer"), results.get(case, "answer", "information")
        text = None
        if percent:
            atoms, total, text = _in_percent(results, case, total)
        ends = draw_bar(
            by_kind[case.pairs],
            rows.place(case),
            atoms,
            total,
            styles,
            text=text,
            alpha=1 if rows.learnt(case) else 0.45,
        )
        reach = [min(reach[0], ends[0]), max(reach[1], ends[1])]
        title = f"{case.name}, {case.pairs} pairs" if case.pairs else case.name
        hover_row(
            by_kind[case.pairs], rows.place(case), "\n".join([title, *atom_lines(styles, atoms)])
        )
    leave_room(panels[0][1], reach[0], reach[1], _PANEL_WIDTH)
    for _, axes in panels:
        bare(axes)
        axes.axvline(0, color=INK, linewidth=0.8)
        words = f"{quantity} about {results.target('answer')} ({unit})"
        axes.set_xlabel(label(words, _AXIS_LETTERS))
    tick = Line2D([], [], color=INK, marker="|", linestyle="", markersize=9, label="I, their sum")
    heading(figure, "What the answer takes from each modality", [*patches(styles), tick])
    numbers = f"numbers: I ({results.unit('answer')})"
    numbers += ", which is 100 %" if percent else " and its interval"
    footer(figure, results, "answer", "thin lines: 95 % interval of each segment", numbers)
    return figure


def _in_percent(
    results: Table, case: Case, information: Estimate | None
) -> tuple[list[Estimate | None], Estimate | None, str]:
    """Return the atoms in per cent, their sum, and the text beside the bar."""
    found = [results.get(case, "answer", *key) for key in keys(_FRACTIONS, results.modalities)]
    atoms = [None if part is None else part.scaled(100, "%") for part in found]
    known = all(part is not None and part.determined for part in found)
    if information is None or not known:
        return atoms, None, "I not told from zero"
    return atoms, Estimate(100.0, unit="%"), f"of {parts(information)[0]}"


def contribution_figure(results: Table) -> Figure:
    """Draw the first modality's contribution per model, dataset and kind of pairs.

    A contribution that the data cannot determine is a hatched band, not a point.
    """
    first, second = results.shown
    _, one, two, _ = atom_styles(results.shown)
    rows = _Rows.of(results)
    figure, panels = rows.canvas(results)
    by_kind = dict(panels)
    drawn = []
    for case in results.cases("answer"):
        estimate = results.get(case, "answer", "contribution", results.modalities[0])
        if estimate is not None:
            drawn.append((by_kind[case.pairs], rows.place(case), estimate, rows.learnt(case)))
            said = f"contribution of {results.modalities[0]}: {written(estimate, percent=True)}"
            hover_row(by_kind[case.pairs], rows.place(case), f"{case.name}\n{said}")
    ends = [e for _, _, r, _ in drawn if r.determined for e in (r.value, r.low, r.high) if e == e]
    low = max(-_FARTHEST, min(0.0, *ends, 0.0))
    high = min(1 + _FARTHEST, max(1.0, *ends, 1.0))
    for axes, height, estimate, learnt in drawn:
        if not estimate.determined:
            unknown_band(axes, (0, 1), height, 0.64, 7.5)
            continue
        alpha = 1 if learnt else 0.45
        whisker(axes, height, estimate, (low, high), linewidth=1.4, alpha=alpha)
        marker, colour = share_look(estimate, (one, two))
        axes.plot(
            clip(estimate.value, (low, high)), height, marker, markersize=6, markerfacecolor=colour,
            markeredgecolor=INK, markeredgewidth=0.8, alpha=alpha, zorder=4,
        )  # fmt: skip
        axes.annotate(
            written(estimate, percent=True), (high, height), (10, 0), textcoords="offset points",
            va="center", fontsize=7,
        )  # fmt: skip
    for _, axes in panels:
        bare(axes)
        axes.set_xlim(low - 0.03, high + _NUMBER)
        share_ticks(axes, results.shown, "½\nequal")
        quantity = contribution_label(results.shown)
        axes.set_xlabel(label(quantity, _AXIS_LETTERS, 2, prose=True))
    looks = (
        (one.marker, one.colour, f"{first} contributes more"),
        ("o", "white", "neither, within the interval"),
        (two.marker, two.colour, f"{second} contributes more"),
    )
    key = [
        Line2D([], [], color=INK, marker=marker, markerfacecolor=colour, linewidth=1.4, label=words)
        for marker, colour, words in looks
    ]
    heading(figure, "Contribution: each modality's part of the unique information", key)
    words = ["line: 95 % interval"]
    if any(not estimate.determined for _, _, estimate, _ in drawn):
        words.append("undetermined: the unique information is not distinguishable from zero")
    footer(figure, results, "answer", *words)
    return figure


@dataclass(frozen=True)
class _Rows:
    """Position of each model and dataset.

    Attributes
    ----------
    places : dict
        Height of each (model, dataset), in rows from the top.
    headers : list of (float, str)
        Height and text of each dataset's line.
    labels : dict
        Text beside each (model, dataset).
    unlearnt : set
        The (model, dataset) whose accuracy is not above chance.
    depth : float
        Number of rows.
    pitch : float
        Height of a row in inches.
    """

    places: dict[tuple[str, str], float]
    headers: list[tuple[float, str]]
    labels: dict[tuple[str, str], str]
    unlearnt: set[tuple[str, str]]
    depth: float
    pitch: float

    @classmethod
    def of(cls, results: Table) -> _Rows:
        """Lay out the rows of the answer view."""
        questions, panels = results.manifest.get("datasets", {}), len(results.pairs("answer"))
        present = {(case.model, case.dataset) for case in results.cases("answer")}
        places: dict[tuple[str, str], float] = {}
        labels: dict[tuple[str, str], str] = {}
        headers = []
        unlearnt = set()
        characters = int((panels * _PANEL_WIDTH + _LABEL_WIDTH) / 0.072)
        depth = 0.0
        for dataset in results.datasets("answer"):
            question = str(questions.get(dataset, ""))
            name = shortened(dataset, characters // 2)
            text = f"{name}: {question}" if question else name
            headers.append((depth, label(text, characters, 1, prose=True)))
            depth += _HEADER
            for model in results.models("answer"):
                if (model, dataset) not in present:
                    continue
                key = model, dataset
                places[key], labels[key] = depth, label(model)
                skill = results.skill(Case(model, dataset, ""))
                if skill and not skill.above_chance:
                    unlearnt.add(key)
                    accuracy, chance = number(skill.accuracy.value), number(skill.chance.value)
                    labels[key] += f"\nnot learnt: {accuracy}, chance {chance}"
                depth += 1
            depth += 0.15
        tallest = max(text.count("\n") + 1 for text in labels.values())
        return cls(places, headers, labels, unlearnt, depth, max(0.28, 0.13 * tallest + 0.04))

    def place(self, case: Case) -> float:
        """Height of a case."""
        return self.places[case.model, case.dataset]

    def learnt(self, case: Case) -> bool:
        """Whether the accuracy is above chance, or unknown."""
        return (case.model, case.dataset) not in self.unlearnt

    def canvas(self, results: Table) -> tuple[Figure, list[tuple[str, Axes]]]:
        """Return a figure with one panel per kind of pairs, its rows labelled."""
        kinds = results.pairs("answer")
        width = _LABEL_WIDTH + _PANEL_WIDTH * max(len(kinds), 1.4)
        figure = ShownFigure((width, self.depth * self.pitch + _EDGES), layout="constrained")
        axes = figure.subplots(1, len(kinds), sharex=True, sharey=True, squeeze=False)[0]
        for kind, panel in zip(kinds, axes, strict=True):
            panel.set_ylim(self.depth - 0.4, -0.45)
            panel.set_title(f"{kind} pairs" if kind else "", loc="left", fontweight="bold")
        left = axes[0]
        left.set_yticks(list(self.places.values()), [self.labels[key] for key in self.places])
        for key, tick in zip(self.places, left.get_yticklabels(), strict=True):
            tick.set_color(ALARM if key in self.unlearnt else INK)
        for height, text in self.headers:
            # Starts at the figure's edge and runs over both panels, whose rows are empty here.
            left.annotate(
                text, (0.012, height), xycoords=("figure fraction", "data"), va="center",
                fontsize=8, fontweight="bold", in_layout=False, annotation_clip=False,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
            )  # fmt: skip
        left.set_zorder(2)  # its headers lie on top of the next panel's grid
        left.patch.set_visible(False)
        return figure, list(zip(kinds, axes, strict=True))

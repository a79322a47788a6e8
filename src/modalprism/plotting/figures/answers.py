"""Figures of the answer view: the prism, which splits the information, and the contribution.

Both have one block of rows per dataset, one row per model, and one panel per kind of pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from modalprism.plotting.bar import draw_bar, leave_room
from modalprism.plotting.figures.panels import (
    ShownFigure,
    bare,
    captions,
    clip,
    contribution_label,
    patches,
    point,
    share_key,
    share_limits,
    share_marker,
    share_ticks,
    sum_tick,
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
_AXIS_LETTERS: Final = 54  # below the axis of a panel
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
    quantity = "part of the information" if percent else "information"
    unit = "%" if percent else results.unit("answer")
    reach = [0.0, 0.0]
    for case in results.cases("answer"):
        atoms, total = results.atoms(case, "answer"), results.get(case, "answer", "information")
        text = None
        if percent:
            atoms, total, text = _in_percent(results, case, total)
        axes, height = panels[case.pairs], rows.places[case.place]
        alpha = 0.45 if case.place in rows.unlearnt else 1
        ends = draw_bar(axes, height, atoms, total, styles, text=text, alpha=alpha)
        reach = [min(reach[0], ends[0]), max(reach[1], ends[1])]
        title = f"{case.name}, {case.pairs} pairs" if case.pairs else case.name
        hover_row(axes, height, "\n".join([title, *atom_lines(styles, atoms)]))
    leave_room(next(iter(panels.values())), reach[0], reach[1], _PANEL_WIDTH)
    for axes in panels.values():
        bare(axes)
        axes.axvline(0, color=INK, linewidth=0.8)
        words = f"{quantity} about {results.target('answer')} ({unit})"
        axes.set_xlabel(label(words, _AXIS_LETTERS))
    key = [*patches(styles), sum_tick()]
    numbers = f"numbers: I ({results.unit('answer')})"
    numbers += ", which is 100 %" if percent else " and its interval"
    facts = [*results.size_and_seed("answer"), "thin lines: 95 % interval of each segment", numbers]
    captions(figure, "What the answer takes from each modality", key, *facts)
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
    styles = atom_styles(results.shown)
    rows = _Rows.of(results)
    figure, panels = rows.canvas(results)
    drawn = []
    for case in results.cases("answer"):
        estimate = results.get(case, "answer", "contribution", results.modalities[0])
        if estimate is not None:
            axes, height = panels[case.pairs], rows.places[case.place]
            drawn.append((axes, height, estimate, case.place not in rows.unlearnt))
            text = f"contribution of {results.modalities[0]}: {written(estimate, percent=True)}"
            hover_row(axes, height, f"{case.name}\n{text}")
    ends = [e for _, _, r, _ in drawn if r.determined for e in (r.value, r.low, r.high) if e == e]
    limits = share_limits(ends, _FARTHEST)
    for axes, height, estimate, learnt in drawn:
        if not estimate.determined:
            unknown_band(axes, (0, 1), height, 0.64, 7.5)
            continue
        alpha = 1 if learnt else 0.45
        whisker(axes, height, estimate, limits, linewidth=1.4, alpha=alpha)
        place = clip(estimate.value, limits), height
        point(axes, *place, *share_marker(estimate, styles[1:3]), 6, alpha=alpha, zorder=4)
        axes.annotate(
            written(estimate, percent=True), (limits[1], height), (10, 0),
            textcoords="offset points", va="center", fontsize=7,
        )  # fmt: skip
    for axes in panels.values():
        bare(axes)
        axes.set_xlim(limits[0] - 0.03, limits[1] + _NUMBER)
        share_ticks(axes, results.shown, "½\nequal")
        quantity = contribution_label(results.shown)
        axes.set_xlabel(label(quantity, _AXIS_LETTERS, 2, prose=True))
    key = share_key(results.shown, "neither, within the interval", 1.4)
    facts = [*results.size_and_seed("answer"), "line: 95 % interval"]
    if any(not estimate.determined for _, _, estimate, _ in drawn):
        facts.append("undetermined: the unique information is not distinguishable from zero")
    captions(figure, "Contribution: each modality's part of the unique information", key, *facts)
    return figure


@dataclass(frozen=True)
class _Rows:
    """Rows of the answer view, one for each (model, dataset)."""

    places: dict[tuple[str, str], float]  # heights, in rows from the top
    headers: list[tuple[float, str]]  # height and text of each dataset's line
    labels: dict[tuple[str, str], str]
    unlearnt: set[tuple[str, str]]  # where the accuracy is not above chance
    depth: float  # number of rows
    pitch: float  # inches of a row

    @classmethod
    def of(cls, results: Table) -> _Rows:
        questions, panels = results.manifest.get("datasets", {}), len(results.pairs("answer"))
        present = {case.place for case in results.cases("answer")}
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
                key = model, dataset
                if key not in present:
                    continue
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

    def canvas(self, results: Table) -> tuple[Figure, dict[str, Axes]]:
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
        return figure, dict(zip(kinds, axes, strict=True))

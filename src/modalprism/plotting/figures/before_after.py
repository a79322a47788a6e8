"""Figure of one model on one dataset before and after: dumbbells of its atoms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from modalprism.plotting.figures.difference import MOST_ROWS, difference_of
from modalprism.plotting.figures.panels import (
    UNKNOWN,
    ShownFigure,
    bare,
    captions,
    clip,
    point,
    share_limits,
    unknown_band,
    whisker,
)
from modalprism.plotting.figures.tooltips import hover_row
from modalprism.plotting.style import FAINT, INK, atom_styles
from modalprism.results.estimate import Estimate
from modalprism.results.notation import UNDETERMINED, counts, label, number, parts, written
from modalprism.results.quantities import ATOMS, BY_NAME, QuantityKey, keys
from modalprism.results.table import Case, Table

_LABEL_INCHES: Final = 1.7
_PANEL_INCHES: Final = (1.55, 1.55, 1.55, 1.55, 1.94)
_NUMBER_INCHES: Final = 0.42  # what a difference takes at the right of a panel
_EDGES_INCHES: Final = 1.75  # title, key, axes and footer
_MOST_TICKS: Final = 4  # steps between them, of a panel
_LANE: Final = 0.17  # of a row: before stands so far above its middle, after so far below
_MOST_DIGITS: Final = 4  # of a difference that would round to zero
_SHADE: Final = "#f4f6f8"
_FARTHEST: Final = 0.25  # how far beyond 0 and 1 an interval of the contribution is followed


@dataclass(frozen=True)
class _Ends:
    """A quantity before and after; None where a study did not measure it."""

    before: Estimate | None
    after: Estimate | None
    difference: Estimate | None = None  # after less before; None where they were not compared

    @property
    def differs(self) -> bool:
        """Whether the difference is distinguishable from zero."""
        return self.difference is not None and self.difference.nonzero

    @property
    def known(self) -> tuple[Estimate, ...]:
        """The ends that are measured and determined."""
        return tuple(one for one in (self.before, self.after) if one is not None and one.determined)

    @property
    def unknown(self) -> bool:
        """Whether an end is measured and undetermined."""
        return any(one is not None and not one.determined for one in (self.before, self.after))


@dataclass(frozen=True)
class _Panel:
    """A panel of dumbbells: its quantity, title and style."""

    key: QuantityKey
    title: str
    colour: str
    marker: str
    limits: tuple[float, float]  # values beyond are drawn at the edge; an interval ends in an arrow

    @property
    def percent(self) -> bool:
        """Whether the quantity is a share of a whole, and not an amount."""
        return BY_NAME[self.key[0]].ratio


@dataclass(frozen=True)
class _Row:
    """One model on one dataset in two runs."""

    case: Case
    before: str
    after: str
    ends: Mapping[QuantityKey, _Ends]

    def size(self) -> float:
        """Difference of the atom that differs most."""
        atoms = (ends.difference for (name, _), ends in self.ends.items() if name in ATOMS)
        return max((abs(one.value) for one in atoms if one is not None), default=0.0)


def changes(differences: pd.DataFrame) -> pd.DataFrame:
    """Keep the differences of answers between runs of the same model on the same dataset.

    Of the rows of `modalprism.studies.comparison.compare`, these are the ones in which the first
    run that holds a model and a dataset stands against a later one; none if no two runs hold the
    same.
    """
    same = differences[
        (differences["view"] == "answer")
        & (differences["run_1"] != differences["run_2"])
        & (differences["model_1"] == differences["model_2"])
        & (differences["dataset_1"] == differences["dataset_2"])
    ]
    # Of three runs only the first is before: the second against the third is another question.
    first = same.groupby(["model_1", "dataset_1", "pairs"])["run_1"].transform("first")
    return same[same["run_1"] == first]


def before_after_figure(frame: pd.DataFrame, results: Mapping[str, Table]) -> Figure:
    """Draw the atoms and the contribution in two runs as dumbbells, one row a model and dataset.

    The frame has rows of `changes`, of one kind of pairs; the results are those of each run, by the
    name that it has in the frame. Hollow is before, filled is after. The line between them is
    thick, and the difference is written, where it is told apart from zero (q ≤ .05). A contribution
    that the data cannot determine is a hatched band, not a point. At most `MOST_ROWS` rows are
    drawn, those that differ most.
    """
    any_run = next(iter(results.values()))
    every = _rows(frame, results)
    rows = sorted(sorted(every, key=_Row.size, reverse=True)[:MOST_ROWS], key=every.index)
    texts = _labels(rows, results)
    tallest = max(text.count("\n") + 1 for text in texts)
    height = len(rows) * max(0.46, 0.13 * tallest + 0.08) + _EDGES_INCHES
    figure = ShownFigure((_LABEL_INCHES + sum(_PANEL_INCHES), height), layout="constrained")
    axes = figure.subplots(1, len(_PANEL_INCHES), sharey=True, width_ratios=_PANEL_INCHES)
    panels = _panels(rows, any_run.shown)
    for place, row in enumerate(rows):
        for one, panel in zip(axes, panels, strict=True):
            _draw_dumbbell(one, place, row.ends[panel.key], panel)
            hover_row(one, place, _tooltip(panel, row))
            if place % 2:  # leads the eye from a name over all panels
                one.axhspan(place - 0.5, place + 0.5, facecolor=_SHADE, linewidth=0, zorder=-2)
    for one, panel, inches in zip(axes, panels, _PANEL_INCHES, strict=True):
        _frame(one, panel, inches, any_run.unit("answer"), any_run.shown)
    axes[0].set_ylim(len(rows) - 0.5, -0.5)
    axes[0].set_yticks(range(len(rows)), texts)
    seeds = {one.seed for one in results.values()}
    facts = _facts(frame, seeds, len(rows), len(every))
    captions(figure, _title(rows, results), _key(rows), *facts)
    return figure


def _rows(frame: pd.DataFrame, results: Mapping[str, Table]) -> list[_Row]:
    """Return the rows in the order of the run that came first."""
    first, second = next(iter(results.values())).modalities
    wanted = [*keys(ATOMS, (first, second)), ("contribution", first)]
    by = ["model_1", "dataset_1", "pairs", "run_1", "run_2"]
    found = []
    for (model, dataset, pairs, before, after), part in frame.groupby(by, sort=False):
        case = Case(str(model), str(dataset), str(pairs))
        compared = {
            (str(row["quantity"]), str(row["modality"])): difference_of(row)
            for row in part.to_dict("records")
        }
        runs = [results[str(run)] for run in (before, after)]
        ends = {}
        for key in wanted:
            one, other = (run.get(case, "answer", *key) for run in runs)
            ends[key] = _Ends(one, other, compared.get(key))
        found.append(_Row(case, str(before), str(after), ends))
    order = {name: one.cases("answer") for name, one in results.items()}
    names = list(results)
    return sorted(
        found, key=lambda row: (names.index(row.before), order[row.before].index(row.case))
    )


def _panels(rows: Sequence[_Row], modalities: tuple[str, str]) -> list[_Panel]:
    *atoms, contribution = rows[0].ends
    # One scale for the four atoms, which sum up; the contribution has its own.
    ends = _reach(rows, atoms)
    limits = min(0.0, *ends, 0.0), max(0.0, *ends, 1e-9)
    panels = [
        _Panel(key, style.name, style.colour, style.marker, limits)
        for key, style in zip(atoms, atom_styles(modalities), strict=True)
    ]
    ends = _reach(rows, [contribution])
    limits = share_limits(ends, _FARTHEST)
    title = f"contribution of {modalities[0]}"
    return [*panels, _Panel(contribution, title, FAINT, "s", limits)]


def _reach(rows: Sequence[_Row], keys: Sequence[QuantityKey]) -> list[float]:
    known = [estimate for row in rows for key in keys for estimate in row.ends[key].known]
    ends = [end for one in known for end in (one.value, one.low, one.high)]
    return [end for end in ends if math.isfinite(end)]


def _frame(
    axes: Axes, panel: _Panel, inches: float, unit: str, modalities: tuple[str, str]
) -> None:
    first, second = modalities
    low, high = panel.limits
    room = (high - low) * _NUMBER_INCHES / (inches - 0.2 - _NUMBER_INCHES)
    axes.set_xlim(low - 0.05 * (high - low), high + room)
    axes.set_title(label(panel.title, int(inches * 12), 3), loc="left", fontweight="bold")
    bare(axes)
    if panel.percent:
        names = [f"only {label(name, 9, 1)}" for name in (second, first)]
        axes.set_xticks([0, 0.5, 1], [f"0\n{names[0]}", "½", f"1\n{names[1]}"])
        axes.set_xlabel(label(f"U {first} / (U {first} + U {second})", 34, 4, prose=True))
        return
    # No ticks under the numbers: the axis ends with the data.
    ticks = MaxNLocator(_MOST_TICKS, steps=(1, 2, 5, 10)).tick_values(low, high)
    axes.set_xticks([tick for tick in ticks if low <= tick <= high + room / 8])
    axes.axvline(0, color=INK, linewidth=0.8, zorder=1)
    axes.set_xlabel(unit)


def _title(rows: Sequence[_Row], results: Mapping[str, Table]) -> str:
    models = {row.case.model for row in rows}
    whose = f"{label(rows[0].case.model, 40, 1)}, before" if len(models) == 1 else "Before"
    pairs = f", {rows[0].case.pairs} pairs" if rows[0].case.pairs else ""
    target = results[rows[0].before].target("answer")
    return label(f"{whose} and after: information about {target}{pairs}", 110, 1)


def _labels(rows: Sequence[_Row], results: Mapping[str, Table]) -> list[str]:
    """Name each row by what is not the same in all."""
    models = {row.case.model for row in rows}
    starts = {row.before for row in rows}  # one of them alone is named in the key
    runs = {(row.before, row.after) for row in rows}
    texts = []
    for row in rows:
        lines = [label(row.case.model, 26, 2)] if len(models) > 1 else []
        lines.append(("on " if lines else "") + label(row.case.dataset, 24, 2))
        if len(runs) > 1:
            whence = f"{label(row.before, 12, 1)} " if len(starts) > 1 else ""
            lines.append(f"{whence}→ {label(row.after, 12 if whence else 22, 1)}")
        unlearnt = [
            when
            for when, run in (("before", row.before), ("after", row.after))
            if (skill := results[run].skill(row.case)) is not None and not skill.above_chance
        ]
        if unlearnt:
            lines.append(f"(not learnt {' and '.join(unlearnt)})")
        texts.append("\n".join(lines))
    return texts


def _key(rows: Sequence[_Row]) -> list[Artist]:
    key: list[Artist] = []
    for when, face in (("before", "white"), ("after", FAINT)):
        runs = {getattr(row, when) for row in rows}
        words = f"{when}: {label(runs.pop(), 28, 1)}" if len(runs) == 1 else when
        key.append(
            Line2D([], [], color=INK, marker="o", linewidth=1, markersize=5.5,
                   markerfacecolor=face, label=words)
        )  # fmt: skip
    for words, differs in (("told apart", True), ("not told apart", False)):
        key.append(Line2D([], [], color=FAINT, label=words, **_line_style(differs)))
    if any(ends.unknown for row in rows for ends in row.ends.values()):
        key.append(Patch(label=UNDETERMINED, **UNKNOWN))
    return key


def _facts(frame: pd.DataFrame, seeds: set[object], drawn: int, of: int) -> list[str]:
    sizes = frame[["n_1", "n_2"]].to_numpy()
    paired = set(frame["paired"])
    facts = [counts(int(sizes.min()), int(sizes.max()))]
    if len(seeds) == 1 and None not in seeds:
        facts.append(f"seed {seeds.pop()}")
    if paired == {True}:
        facts.append("the same examples before and after")
    else:
        facts.append(f"{'some ' if True in paired else ''}other examples, compared as independent")
    facts += ["thin lines: 95 % intervals", "numbers: differences told apart from zero (q ≤ .05)"]
    if drawn < of:
        facts.append(f"the {drawn} of {of} rows that differ most")
    return facts


def _tooltip(panel: _Panel, row: _Row) -> str:
    ends, percent = row.ends[panel.key], panel.percent
    lines = [row.case.name, panel.title]
    for when in ("before", "after"):
        if (estimate := getattr(ends, when)) is not None:
            lines.append(f"{when} ({getattr(row, when)}): {written(estimate, percent=percent)}")
    if (difference := ends.difference) is not None:
        if percent:
            difference = difference.scaled(100, "percentage points")
        digits = 0 if percent else 2
        apart = "told apart from zero" if ends.differs else "not told apart from zero"
        value, interval = _signed(difference.value, digits), parts(difference, digits)[1]
        lines.append(f"difference: {value} {difference.unit} {interval}, {apart}")
    return "\n".join(lines)


def _draw_dumbbell(axes: Axes, place: int, ends: _Ends, panel: _Panel) -> None:
    """Draw a hollow marker for before and a filled one for after, and a line between them.

    Where the difference is told apart from zero, the line is thick, and the number stands at the
    panel's right edge. What is undetermined is a hatched band without a marker.
    """
    # Each on its own lane, so that an interval hides no other, nor a marker the one of before.
    lanes = place - _LANE, place + _LANE
    both = ends.before, ends.after
    band = (0.0, 1.0) if panel.percent else panel.limits
    if None not in both and not ends.known:
        unknown_band(axes, band, place, 4 * _LANE, 6)
        return
    if len(ends.known) == len(both):
        shown = [clip(one.value, panel.limits) for one in ends.known]
        axes.plot(shown, lanes, color=panel.colour, zorder=2, **_line_style(ends.differs))
    if ends.differs and ends.difference is not None:
        axes.annotate(
            _signed(ends.difference.value), (1, place), xycoords=axes.get_yaxis_transform(),
            ha="right", va="center", fontsize=7, fontweight="bold", zorder=5,
        )  # fmt: skip
    for lane, estimate, face in zip(lanes, both, ("white", panel.colour), strict=True):
        if estimate is None:
            continue
        if not estimate.determined:
            unknown_band(axes, band, lane, 1.7 * _LANE, 6)
            continue
        whisker(axes, lane, estimate, panel.limits, linewidth=1, solid_capstyle="butt")
        at = clip(estimate.value, panel.limits)
        point(axes, at, lane, panel.marker, face, 5.5, edge=0.9, zorder=4)


def _line_style(differs: bool) -> dict[str, Any]:
    """Return the style of the line between both, by whether they are told apart."""
    if differs:
        return {"linewidth": 3, "linestyle": "-", "solid_capstyle": "butt"}
    return {"linewidth": 1.2, "linestyle": (0, (1, 1.2))}


def _signed(value: float, digits: int = 2) -> str:
    """Write a difference with its sign, and one that would round to none with more digits.

    Examples
    --------
    >>> _signed(0.5), _signed(-0.25), _signed(0.0004), _signed(0.0)
    ('+0.50', '−0.25', '+0.0004', '0.00')
    """
    while digits < _MOST_DIGITS and value != 0 and float(f"{value:.{digits}f}") == 0:
        digits += 1
    return ("+" if value > 0 else "") + number(value, digits)

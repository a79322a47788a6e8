"""Courses of the atoms over depth: sparklines, largest steps, and where two streams fuse."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from modalprism.plotting.grid import Cell, Grid
from modalprism.plotting.style import atom_styles
from modalprism.results.estimate import Estimate
from modalprism.results.notation import ABSENT, NOISE_MARK, number
from modalprism.results.table import VIEW_TITLES, Case, Table

BARS: Final = "▁▂▃▄▅▆▇█"
NOISE: Final = "·"
UNKNOWN: Final = "?"
_NO_STEP: Final = "none"


def sparkline(course: Sequence[Estimate | None], top: float) -> str:
    """Draw values over depth, one atom at each, with one character each.

    The value `top` fills a character's height; values below zero have the lowest character.

    Examples
    --------
    >>> sparkline([Estimate(0.0), Estimate(0.5), Estimate(1.0), Estimate(0.1, -0.2, 0.4)], 1.0)
    '▁▅█·'
    """
    return "".join(_character(estimate, top) for estimate in course)


def course_grid(results: Table, view: str, detail: bool = False) -> Grid:
    """Lay out the stream or the encoding view, one row per model, dataset and atom.

    A row has the first and the last value, a sparkline whose height is common to the view, and the
    largest of the steps between neighbouring layers that their intervals bear out. With `detail`,
    first and last value each have a column of their own, with interval and p-value.
    """
    cases = results.cases(view)
    several = len(results.pairs(view)) > 1
    names = ["model", "dataset", *(["pairs"] if several else []), "atom"]
    courses = {case: results.courses(case, view) for case in cases}
    known = [r.value for rows in courses.values() for row in rows for r in row if r is not None]
    top = max((value for value in known if math.isfinite(value)), default=0.0)
    rows = []
    for case in cases:
        depths = [results.layer_name(case, view, k) for k in results.layers(case, view)]
        for style, course in zip(atom_styles(results.modalities), courses[case], strict=True):
            cells = [Cell(case.model), Cell(case.dataset)]
            cells += [Cell(case.pairs or ABSENT)] if several else []
            cells.append(Cell(style.symbol))
            ends = course[0], course[-1]
            first, last = (Cell.of(estimate, noise=True, p_value=detail) for estimate in ends)
            cells += [first, last] if detail else [Cell(f"{first.text} → {last.text}")]
            cells.append(Cell(sparkline(course, top), colour=style.colour))
            rows.append([*cells, Cell(_largest_step(course, depths))])
    start, end = _ends(results, cases, view)
    values = [start, end] if detail else [f"{start}\n→ {end}"]
    title = (
        f"{VIEW_TITLES.get(view, view)} (target: {results.target(view)}, "
        f"atoms in {results.unit(view)})"
    )
    columns = [*names, *values, "over depth", "largest step"]
    return Grid(title, columns, rows, len(names), _notes(rows, top, results.unit(view)))


class FusionSpan(NamedTuple):
    """The depths over which two streams fuse.

    Attributes
    ----------
    first : int
        The first layer whose redundancy is above that of the first depth.
    last : int
        The first layer from there on whose interval overlaps that of the highest redundancy.
    """

    first: int
    last: int

    def __str__(self) -> str:
        """Write the span in words: ``layer 3`` or ``layers 3–5``."""
        one = self.first == self.last
        return f"layer {self.first}" if one else f"layers {self.first}–{self.last}"


def fusion_span(results: Table, case: Case) -> FusionSpan | None:
    """Return where the streams of a case fuse; None if no rise exceeds its intervals.

    Streams fuse where redundancy rises: information of one stream, or of neither, is then in both.
    Both ends follow from whole intervals, so that noise moves neither. Copies do not fuse.
    """
    if results.copied(case, "stream"):
        return None
    redundancy, *_ = results.courses(case, "stream") or [()]
    course = zip(results.layers(case, "stream"), redundancy, strict=True)
    known = [(k, estimate) for k, estimate in course if estimate is not None and estimate.bounded]
    if len(known) < 2:
        return None
    highest = max((estimate for _, estimate in known), key=lambda estimate: estimate.value)
    risen = [k for k, estimate in known if estimate.above(known[0][1])]
    if not risen:
        return None
    level = [k for k, estimate in known if k >= risen[0] and estimate.overlaps(highest)]
    return FusionSpan(risen[0], level[0])


def _character(estimate: Estimate | None, top: float) -> str:
    if estimate is None or not estimate.determined:
        return UNKNOWN
    if estimate.noise or estimate.holds(0):
        return NOISE
    height = estimate.value / top if top > 0 else 0.0
    return BARS[round(min(max(height, 0.0), 1.0) * (len(BARS) - 1))]


def _largest_step(course: Sequence[Estimate | None], depths: list[str]) -> str:
    """Return the largest step, and the depth that it leads to."""
    if len(course) < 2:
        return ""
    steps = [
        (after.value - before.value, depth)
        for (before, after), depth in zip(pairwise(course), depths[1:], strict=True)
        if before and after and before.determined and after.determined
        if not before.overlaps(after)
    ]
    if not steps:
        return _NO_STEP
    step, depth = max(steps, key=lambda item: abs(item[0]))
    return f"{'+' if step > 0 else ''}{number(step)} at {depth}"


def _ends(results: Table, cases: list[Case], view: str) -> tuple[str, str]:
    """Name the first and the last depth, by their own names if all cases share them."""
    named = {
        tuple(results.layer_name(case, view, results.layers(case, view)[k]) for k in (0, -1))
        for case in cases
    }
    if len(named) != 1:
        return "first", "last"
    ((start, end),) = named
    return start, end


def _notes(rows: list[list[Cell]], top: float, unit: str) -> list[str]:
    drawn = "".join(row[-2].text for row in rows)
    notes = [f"{BARS[-1]} = {number(top)} {unit}"] if BARS[-1] in drawn else []
    if NOISE in drawn:
        notes.append(f"{NOISE} and {NOISE_MARK} not distinguishable from noise")
    if UNKNOWN in drawn:
        notes.append(f"{UNKNOWN} undetermined or not measured")
    if any(row[-1].text == _NO_STEP for row in rows):
        notes.append(f"{_NO_STEP}: no step is beyond the intervals of its two layers")
    return notes

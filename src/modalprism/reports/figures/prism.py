"""The prism: the information behind each answer, split into its four atoms."""

from __future__ import annotations

import math
from collections.abc import Iterator

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from modalprism.reports.figures.canvas import bare, footer, heading, patches
from modalprism.reports.figures.rows import PANEL_WIDTH, Rows
from modalprism.reports.readings import Case, Reading, Readings
from modalprism.reports.style import INK, AtomStyle, atom_styles, interval, label, number

_BAR = 0.64  # of a row
_LABEL_INCHES = 1.05


def prism_figure(readings: Readings, questions: dict[str, str], seed: object = None) -> Figure:
    """Draw one stacked bar per model, dataset and kind of pairs.

    Parameters
    ----------
    readings : Readings
        The readings of a profile that has the answer view.
    questions : dict of str to str
        A line of text for each dataset; may be empty.
    seed : object
        Seed of the study, for the footer.

    Returns
    -------
    matplotlib.figure.Figure
        Negative atoms are stacked to the left of zero; a tick marks I, the sum of the atoms.
    """
    styles = atom_styles(readings.modalities)
    unit = readings.unit("answer")
    rows = Rows.of(readings, questions, len(readings.pairs("answer")))
    figure, panels = rows.canvas(readings)
    by_kind = dict(panels)
    reach = [0.0, 0.0]
    for case in readings.cases("answer"):
        ends = _bar(
            by_kind[case.pairs], readings, case, rows.place(case), styles, rows.learnt(case)
        )
        reach = [min(reach[0], ends[0]), max(reach[1], ends[1])]
    _limits(panels[0][1], reach[0], reach[1])
    for _, axes in panels:
        bare(axes)
        axes.axvline(0, color=INK, linewidth=0.8)
        target = label(readings.target("answer"), 44, 2)
        axes.set_xlabel(f"information about {target} ({unit})")
    tick = Line2D([], [], color=INK, marker="|", linestyle="", markersize=9, label="I, their sum")
    heading(figure, "What the answer takes from each modality", [*patches(styles), tick])
    footer(
        figure,
        readings,
        "answer",
        seed,
        "thin lines: 95 % interval of each segment",
        f"numbers: I ({unit}) and its interval",
    )
    return figure


def segments(values: list[float]) -> Iterator[tuple[float, float]]:
    """Start and length of each segment of a bar; negative ones go left from zero.

    Examples
    --------
    >>> list(segments([1.0, -0.5, 2.0]))
    [(0.0, 1.0), (0.0, -0.5), (1.0, 2.0)]
    """
    right = left = 0.0
    for value in values:
        if value >= 0:
            yield right, value
            right += value
        else:
            yield left, value
            left += value


def _bar(
    axes: Axes,
    readings: Readings,
    case: Case,
    height: float,
    styles: tuple[AtomStyle, ...],
    learnt: bool,
) -> tuple[float, float]:
    """Draw one bar and return how far it reaches to the left and to the right."""
    atoms = [(a, s) for a, s in zip(readings.atoms(case, "answer"), styles, strict=True) if a]
    known = [(a, s) for a, s in atoms if a.determined]
    reach = [0.0, 0.0]
    for (start, length), (atom, style) in zip(
        segments([a.value for a, _ in known]), known, strict=True
    ):
        axes.barh(
            height,
            length,
            _BAR,
            left=start,
            color=style.colour,
            edgecolor="white",
            linewidth=0.5,
            hatch=style.hatch,
            alpha=1 if learnt else 0.45,
        )
        ends = [start, start + length]
        if atom.bounded:
            # Each atom has its own lane inside the bar, so that no whisker hides another.
            lane = height + _BAR * ((styles.index(style) + 0.5) / len(styles) - 0.5)
            whisker = [start + atom.low, start + atom.high]
            axes.plot(whisker, [lane, lane], color="white", linewidth=2.2, solid_capstyle="butt")
            axes.plot(whisker, [lane, lane], color=INK, linewidth=0.9, solid_capstyle="butt")
            ends += whisker
        reach = [min(reach[0], *ends), max(reach[1], *ends)]
    total = readings.get(case, "answer", "information")
    if total is None or not total.determined:
        total = Reading(sum(a.value for a, _ in known)) if len(known) == len(styles) else None
    if total is not None:
        half = _BAR / 2 + 0.08
        axes.plot([total.value] * 2, [height - half, height + half], color=INK, linewidth=1.3)
        reach[1] = max(reach[1], total.value)
        text = f"{number(total.value)} {interval(total)}".rstrip()
    else:
        text = "I unknown"
    axes.annotate(
        text, (reach[1], height), (5, 0), textcoords="offset points", va="center", fontsize=7
    )
    return reach[0], reach[1]


def _limits(axes: Axes, left: float, right: float) -> None:
    """Leave room right of the longest bar for its number."""
    span = (right - left) or 1.0
    scale = span / (PANEL_WIDTH - _LABEL_INCHES - 0.2)
    low = left - 0.04 * span if left < 0 else 0.0
    high = right + scale * _LABEL_INCHES
    axes.set_xlim(low, high)
    # No ticks under the numbers: the axis ends with the data.
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= right + 0.02 * span]
    axes.set_xticks([tick for tick in ticks if math.isfinite(tick)])

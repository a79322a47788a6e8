"""Figure of the contribution: each modality's part of the unique information of an answer."""

from __future__ import annotations

from typing import Final

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from modalprism.plotting.figures.panels import (
    bare,
    clip,
    contribution_label,
    footer,
    heading,
    share_look,
    share_ticks,
    unknown_band,
    whisker,
)
from modalprism.plotting.figures.rows import AXIS_LETTERS, AnswerRows
from modalprism.plotting.figures.tooltips import hover_row
from modalprism.plotting.style import INK, atom_styles
from modalprism.results.notation import label, written
from modalprism.results.table import Table

_FARTHEST: Final = 0.5  # how far beyond 0 and 1 the axis may follow an interval
_NUMBER: Final = 0.45  # room for the number, in units of the contribution


def contribution_figure(results: Table) -> Figure:
    """Draw the first modality's contribution per model, dataset and kind of pairs.

    A contribution that the data cannot determine is a hatched band, not a point.
    """
    first, second = results.shown
    _, one, two, _ = atom_styles(results.shown)
    rows = AnswerRows.of(results)
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
        axes.set_xlabel(label(quantity, AXIS_LETTERS, 2, prose=True))
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

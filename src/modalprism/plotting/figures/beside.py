"""Figure of every method's share of the first modality beside ours: a panel a dataset."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from modalprism.plotting.figures.panels import (
    MARKERS,
    ShownFigure,
    bare,
    captions,
    clip,
    marked,
    point,
    share_marker,
    share_ticks,
    unknown_band,
    whisker,
)
from modalprism.plotting.figures.tooltips import hover_row
from modalprism.plotting.scores import OURS, Scoring
from modalprism.plotting.style import FAINT, GRID, AtomStyle, atom_styles
from modalprism.results.estimate import Estimate
from modalprism.results.notation import counts, label, written
from modalprism.results.table import Table

_COLUMNS: Final = 4
_LIMITS: Final = (-0.15, 1.15)  # a value beyond them is drawn at the edge, as an arrow
_ROOM: Final = 0.8  # of a row, for the markers of all models


def beside_figure(scored: Sequence[Scoring], results: Table) -> Figure:
    """Draw which part each method gives the first modality.

    Only methods whose `share` is true are drawn: a row a method, ours first, a marker a model, with
    95 % intervals as lines. What a method leaves undetermined is hatched.
    """
    first = results.modalities[0]
    one, _ = results.shown
    styles = atom_styles(results.shown)[1:3]
    shares = [each for each in scored if each.share]
    datasets = list(dict.fromkeys(each.dataset for each in shares))
    methods = list(dict.fromkeys(each.method for each in shares))
    models = list(dict.fromkeys(each.model for each in shares))
    columns = min(len(datasets), _COLUMNS)
    bands = math.ceil(len(datasets) / columns)
    height = 0.24 * len(methods) * max(1.0, 0.45 * len(models)) + 0.9
    figure = ShownFigure((2.0 * columns + 1.9, height * bands + 0.9), layout="constrained")
    panels = figure.subplots(bands, columns, sharex=True, sharey=True, squeeze=False)
    for axes, dataset in zip(panels.flat, datasets, strict=False):
        axes.set_title(label(dataset), fontweight="bold")
        bare(axes)
        for place, method in enumerate(methods):
            of = {
                each.model: each.estimates
                for each in shares
                if (each.dataset, each.method) == (dataset, method)
            }
            lines = [f"{method}, part of {first} on {dataset}"]
            for number, model in enumerate(models):
                if (estimate := of.get(model, {}).get(first)) is None:
                    continue
                middle = place + (number - (len(models) - 1) / 2) * _ROOM / len(models)
                marker = MARKERS[number % len(MARKERS)]
                _mark(axes, middle, _ROOM / len(models), estimate, marker, styles)
                lines.append(f"{model}: {written(estimate, percent=True)}")
            hover_row(axes, place, "\n".join(lines))
        ours = sum(method.startswith(OURS) for method in methods)
        axes.axhline(ours - 0.5, color=FAINT, linewidth=0.8)
        axes.axvline(0.5, color=GRID, linewidth=0.8, zorder=0)
        axes.set_xlim(*_LIMITS)
        share_ticks(axes, results.shown)
        axes.set_yticks(range(len(methods)), [label(method, 26, 2) for method in methods])
        axes.set_ylim(len(methods) - 0.5, -0.5)
    for axes in panels.flat[len(datasets) :]:
        axes.set_visible(False)
    theirs = [
        estimate.n for each in shares if not each.method.startswith(OURS)
        for estimate in each.estimates.values()
    ]  # fmt: skip
    facts = results.size_and_seed("answer")
    facts += [f"baselines {counts(min(theirs), max(theirs))}"] if theirs else []
    facts += ["lines: 95 % intervals", "filled: not a half", "hatched: undetermined"]
    captions(figure, f"Which part each method gives the {one}", marked(models), *facts)
    return figure


def _mark(
    axes: Axes,
    height: float,
    room: float,
    estimate: Estimate,
    marker: str,
    styles: Sequence[AtomStyle],
) -> None:
    if not estimate.determined:
        unknown_band(axes, (0, 1), height, 0.8 * room)
        return
    whisker(axes, height, estimate, _LIMITS, linewidth=1)
    shown = clip(estimate.value, _LIMITS)
    if shown != estimate.value:
        marker = "<" if shown == _LIMITS[0] else ">"
    point(axes, shown, height, marker, share_marker(estimate, styles)[1], 4.5, edge=0.7, zorder=4)

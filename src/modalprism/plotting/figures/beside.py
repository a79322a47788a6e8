"""Every method's part of the first modality beside ours, a panel a dataset."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from modalprism.plotting.atoms import FAINT, GRID, INK, AtomStyle, atom_styles
from modalprism.plotting.figures.panels import ShownFigure, bare, footer, heading
from modalprism.plotting.figures.tooltips import hover_row
from modalprism.plotting.scores import OURS, Scoring
from modalprism.results.estimate import Estimate
from modalprism.results.notation import counts, label, written
from modalprism.results.table import Table

_MARKERS: Final = "osD^vPX<>*hd"
_COLUMNS: Final = 4
_LOW, _HIGH = -0.15, 1.15  # whatever lies beyond is drawn at the edge, as an arrow
_ROOM: Final = 0.8  # of a row, for the markers of all models


def beside_figure(scored: Sequence[Scoring], results: Table, seed: object = None) -> Figure:
    """Draw which part each method gives the first modality.

    Parameters
    ----------
    scored : sequence of Scoring
        Those whose `share` is false have no place here.
    results : Table
        Of the same run.
    seed : object
        Seed of the study, for the footer.

    Returns
    -------
    matplotlib.figure.Figure
        A row a method, ours first, a marker a model; lines are 95 % intervals. What a method
        leaves undetermined is hatched, and no marker.
    """
    first = results.modalities[0]
    one, two = results.shown
    styles = atom_styles(results.shown)[1:3]
    shares = [each for each in scored if each.share]
    datasets = list(dict.fromkeys(each.dataset for each in shares))
    methods = list(dict.fromkeys(each.method for each in shares))
    models = list(dict.fromkeys(each.model for each in shares))
    columns = min(len(datasets), _COLUMNS)
    lines = math.ceil(len(datasets) / columns)
    height = 0.24 * len(methods) * max(1.0, 0.45 * len(models)) + 0.9
    figure = ShownFigure((2.0 * columns + 1.9, height * lines + 0.9), layout="constrained")
    panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    for axes, dataset in zip(panels.flat, datasets, strict=False):
        axes.set_title(label(dataset), fontweight="bold")
        bare(axes)
        for place, method in enumerate(methods):
            of = {
                each.model: each
                for each in shares
                if (each.dataset, each.method) == (dataset, method)
            }
            said = [f"{method}, part of {first} on {dataset}"]
            for number, model in enumerate(models):
                if model not in of or first not in of[model].estimates:
                    continue
                estimate = of[model].estimates[first]
                middle = place + (number - (len(models) - 1) / 2) * _ROOM / len(models)
                marker = _MARKERS[number % len(_MARKERS)]
                _mark(axes, middle, _ROOM / len(models), estimate, marker, styles)
                said.append(f"{model}: {written(estimate, percent=True)}")
            hover_row(axes, place, "\n".join(said))
        ours = sum(method.startswith(OURS) for method in methods)
        axes.axhline(ours - 0.5, color=FAINT, linewidth=0.8)
        axes.axvline(0.5, color=GRID, linewidth=0.8, zorder=0)
        axes.set_xlim(_LOW, _HIGH)
        axes.set_xticks(
            [0, 0.5, 1], [f"0\nonly {label(two, 10, 3)}", "½", f"1\nonly {label(one, 10, 3)}"]
        )
        axes.set_yticks(range(len(methods)), [label(method, 26, 2) for method in methods])
        axes.set_ylim(len(methods) - 0.5, -0.5)
    for axes in panels.flat[len(datasets) :]:
        axes.set_visible(False)
    key = [
        Line2D([], [], color=INK, linestyle="", marker=_MARKERS[number % len(_MARKERS)],
               markerfacecolor="white", label=label(model, 24, 1))
        for number, model in enumerate(models)
    ]  # fmt: skip
    heading(figure, f"Which part each method gives the {one}", key)
    theirs = [
        estimate.n for each in shares if not each.method.startswith(OURS)
        for estimate in each.estimates.values()
    ]  # fmt: skip
    words = [f"baselines {counts(min(theirs), max(theirs))}"] if theirs else []
    words += ["lines: 95 % intervals", "filled: not a half", "hatched: undetermined"]
    footer(figure, results, "answer", seed, *words)
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
        band = Rectangle(
            *((0, height - 0.4 * room), 1, 0.8 * room),
            facecolor="#f1f3f5",
            edgecolor=GRID,
            hatch="////",
            linewidth=0.5,
            zorder=2,
        )
        axes.add_patch(band)
        return
    if estimate.bounded:
        ends = [max(estimate.low, _LOW), min(estimate.high, _HIGH)]
        axes.plot(ends, [height] * 2, color=INK, linewidth=1, zorder=3)
    inside = _LOW <= estimate.value <= _HIGH
    axes.plot(
        min(max(estimate.value, _LOW), _HIGH),
        height,
        marker if inside else ("<" if estimate.value < _LOW else ">"),
        markersize=4.5,
        markerfacecolor=_colour(estimate, styles),
        markeredgecolor=INK,
        markeredgewidth=0.7,
        zorder=4,
    )


def _colour(estimate: Estimate, styles: Sequence[AtomStyle]) -> str:
    first, second = styles
    if estimate.above(0.5):
        return first.colour
    return second.colour if estimate.complement.above(0.5) else "white"

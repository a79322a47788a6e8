"""Figure of the contribution over depth: one small panel per model and dataset."""

from __future__ import annotations

from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from modalprism.plotting.figures.grid import depth_panels
from modalprism.plotting.figures.panels import (
    UNKNOWN,
    contribution_label,
    footer,
    heading,
    share_look,
)
from modalprism.plotting.figures.tooltips import hover_area
from modalprism.plotting.style import INK, AtomStyle, atom_styles
from modalprism.results.notation import written
from modalprism.results.table import Case, Table

_BEYOND: Final = 0.15  # how far beyond 0 and 1 the axis goes


def course_figure(results: Table, view: str) -> Figure:
    """Draw the first modality's contribution over depth in the stream or the encoding view.

    Models go down, datasets across. Layers at which the contribution is undetermined are shaded.
    """
    first, second = results.shown
    _, one, two, _ = atom_styles(results.shown)
    figure, panels = depth_panels(results, view, contribution_label(results.shown))
    for case, panel in panels:
        _panel(panel, results, case, view, (one, two))
    looks = (
        (one.marker, one.colour, f"{first} contributes more"),
        (two.marker, two.colour, f"{second} contributes more"),
        ("o", "white", "neither, surely"),
    )
    key = [
        Line2D([], [], color=INK, marker=marker, markerfacecolor=colour, label=words)
        for marker, colour, words in looks
    ]
    title = "Contribution: each modality's part of the unique information, at each depth"
    heading(figure, title, [*key, Patch(label="undetermined", **UNKNOWN)])
    footer(figure, results, view, "lines: 95 % intervals", f"1: only {first}, 0: only {second}")
    return figure


def _panel(
    axes: Axes, results: Table, case: Case, view: str, styles: tuple[AtomStyle, AtomStyle]
) -> None:
    layers = results.layers(case, view)
    course = [
        results.get(case, view, "contribution", results.modalities[0], layer) for layer in layers
    ]
    half = min(np.diff(layers), default=1) / 2
    values = [r.value if r is not None and r.determined else np.nan for r in course]
    axes.axhline(0.5, color=INK, linewidth=0.6, linestyle=":")
    axes.plot(layers, values, color=INK, linewidth=0.9)
    intervals: list[tuple[float, float]] = []
    points: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for layer, estimate in zip(layers, course, strict=True):
        if estimate is None:
            continue
        name = results.layer_name(case, view, layer)
        said = f"contribution of {results.modalities[0]}: {written(estimate, percent=True)}"
        hover_area(axes, layer - half, layer + half, f"{case.name}, {name}\n{said}")
        if not estimate.determined:
            axes.axvspan(layer - half, layer + half, linewidth=0, zorder=0, **UNKNOWN)
            continue
        if estimate.bounded:
            intervals += [(layer, estimate.low), (layer, estimate.high), (np.nan, np.nan)]
        points.setdefault(share_look(estimate, styles), []).append((layer, estimate.value))
    # One line with gaps, and one a look: a line for every layer would take most of the time.
    if intervals:
        axes.plot(*zip(*intervals, strict=True), color=INK, linewidth=1.1)
    for (marker, colour), places in points.items():
        axes.plot(
            *zip(*places, strict=True), marker, markersize=4.5, markerfacecolor=colour,
            markeredgecolor=INK, markeredgewidth=0.7,
        )  # fmt: skip
    axes.set_xlim(layers[0] - half, layers[-1] + half)
    axes.set_ylim(-_BEYOND, 1 + _BEYOND)
    axes.set_yticks([0, 0.5, 1], ["0", "½", "1"])
    axes.grid(axis="y")
    axes.tick_params(axis="y", length=0)

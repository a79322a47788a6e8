"""Whose the unique information is, over depth: one small panel per model and dataset."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from modalprism.plotting.atoms import INK, AtomStyle, atom_styles
from modalprism.plotting.figures.contribution import quantity_of
from modalprism.plotting.figures.grid import depth_panels
from modalprism.plotting.figures.panels import footer, heading
from modalprism.plotting.figures.tooltips import hover_area
from modalprism.results.estimate import Estimate
from modalprism.results.notation import written
from modalprism.results.table import Case, Table

_BEYOND = 0.15  # how far beyond 0 and 1 the axis goes


def course_figure(results: Table, view: str, seed: object = None) -> Figure:
    """Draw the first modality's contribution over depth.

    Parameters
    ----------
    results : Table
        The results of a profile that has the view.
    view : str
        ``stream`` or ``encoding``.
    seed : object
        Seed of the study, for the footer.

    Returns
    -------
    matplotlib.figure.Figure
        Models down, datasets across. Layers at which the data cannot tell are shaded.
    """
    first, second = results.shown
    _, one, two, _ = atom_styles(results.shown)
    quantity = quantity_of(first, second)
    figure, panels = depth_panels(results, view, quantity)
    for case, panel in panels:
        _panel(panel, results, case, view, (one, two))
    looks = ((one, f"{first} contributes more"), (two, f"{second} contributes more"))
    key = [
        Line2D([], [], color=INK, marker=style.marker, markerfacecolor=style.colour, label=words)
        for style, words in looks
    ]
    key.append(
        Line2D([], [], color=INK, marker="o", markerfacecolor="white", label="neither, surely")
    )
    shaded = Patch(facecolor="#f1f3f5", edgecolor="#c3c9d0", hatch="////", label="undetermined")
    title = "Contribution: each modality's part of the unique information, at each depth"
    heading(figure, title, [*key, shaded])
    words = ("lines: 95 % intervals", f"1: only {first}, 0: only {second}")
    footer(figure, results, view, seed, *words)
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
            axes.axvspan(
                layer - half, layer + half, facecolor="#f1f3f5", edgecolor="#c3c9d0", hatch="////",
                linewidth=0, zorder=0,
            )  # fmt: skip
            continue
        if estimate.bounded:
            intervals += [(layer, estimate.low), (layer, estimate.high), (np.nan, np.nan)]
        points.setdefault(_look(estimate, styles), []).append((layer, estimate.value))
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


def _look(estimate: Estimate, styles: tuple[AtomStyle, AtomStyle]) -> tuple[str, str]:
    """Marker and colour of a point: of the modality that contributes more, or of neither."""
    one, two = styles
    if estimate.above(0.5):
        return one.marker, one.colour
    if estimate.complement.above(0.5):
        return two.marker, two.colour
    return "o", "white"

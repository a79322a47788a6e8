"""Whose the unique information is, over depth: one small panel per model and dataset."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from modalprism.plotting.atoms import INK, AtomStyle, atom_styles
from modalprism.plotting.figures.grid import depth_panels
from modalprism.plotting.figures.panels import footer, heading
from modalprism.plotting.figures.tooltips import hover_area
from modalprism.plotting.notation import percent
from modalprism.plotting.reading import Reading
from modalprism.plotting.readings import Case, Readings

_BEYOND = 0.15  # how far beyond 0 and 1 the axis goes


def course_figure(readings: Readings, view: str, seed: object = None) -> Figure:
    """Draw the first modality's contribution over depth.

    Parameters
    ----------
    readings : Readings
        The readings of a profile that has the view.
    view : str
        ``stream`` or ``encoding``.
    seed : object
        Seed of the study, for the footer.

    Returns
    -------
    matplotlib.figure.Figure
        Models down, datasets across. Layers at which the data cannot tell are shaded.
    """
    first, second = readings.shown
    _, one, two, _ = atom_styles(readings.shown)
    quantity = f"contribution of {first}: U {first} / (U {first} + U {second})"
    figure, panels = depth_panels(readings, view, quantity)
    for case, panel in panels:
        _panel(panel, readings, case, view, (one, two))
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
    footer(figure, readings, view, seed, *words)
    return figure


def _panel(
    axes: Axes, readings: Readings, case: Case, view: str, styles: tuple[AtomStyle, AtomStyle]
) -> None:
    layers = readings.layers(case, view)
    course = [
        readings.get(case, view, "contribution", readings.modalities[0], layer) for layer in layers
    ]
    half = min(np.diff(layers), default=1) / 2
    values = [r.value if r is not None and r.determined else np.nan for r in course]
    axes.axhline(0.5, color=INK, linewidth=0.6, linestyle=":")
    axes.plot(layers, values, color=INK, linewidth=0.9)
    intervals: list[tuple[float, float]] = []
    points: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for layer, reading in zip(layers, course, strict=True):
        if reading is None:
            continue
        name = readings.layer_name(case, view, layer)
        said = f"{case.name}, {name}\ncontribution of {readings.modalities[0]}: {percent(reading)}"
        hover_area(axes, layer - half, layer + half, said)
        if not reading.determined:
            axes.axvspan(
                layer - half, layer + half, facecolor="#f1f3f5", edgecolor="#c3c9d0", hatch="////",
                linewidth=0, zorder=0,
            )  # fmt: skip
            continue
        if reading.bounded:
            intervals += [(layer, reading.low), (layer, reading.high), (np.nan, np.nan)]
        points.setdefault(_look(reading, styles), []).append((layer, reading.value))
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


def _look(reading: Reading, styles: tuple[AtomStyle, AtomStyle]) -> tuple[str, str]:
    """Marker and colour of a point: of the modality that contributes more, or of neither."""
    one, two = styles
    if reading.above(0.5):
        return one.marker, one.colour
    if reading.complement.above(0.5):
        return two.marker, two.colour
    return "o", "white"

"""Figures over depth: the four atoms, and the contribution, a panel per model and dataset."""

from __future__ import annotations

import math
import re
from typing import Final

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from modalprism.plotting.courses import FusionSpan, fusion_span
from modalprism.plotting.figures.panels import (
    UNKNOWN,
    ShownFigure,
    captions,
    contribution_label,
    point,
    share_key,
    share_marker,
)
from modalprism.plotting.figures.tooltips import atom_lines, hover_area
from modalprism.plotting.style import INK, AtomStyle, atom_styles
from modalprism.results.estimate import Estimate
from modalprism.results.notation import label, written
from modalprism.results.table import Case, Table

TITLES: Final = {
    "stream": "What the two streams hold at each depth",
    "encoding": "What the fused state keeps of each modality, at each depth",
}
_BEYOND: Final = 0.15  # how far beyond 0 and 1 an axis of contributions goes
_MAX_COLUMNS: Final = 6  # wider grids are wrapped, each panel with its own full title
_WRAPPED_COLUMNS: Final = 4
_MAX_TICKS: Final = 8
_LEAST_INCHES: Final = 6.3  # room for the longest title, key and footer
_MAX_NAMES: Final = 6  # more depths than this are numbered


def depth_figure(results: Table, view: str) -> Figure:
    """Draw the atoms of the stream or the encoding view over depth.

    Models go down, datasets across, with one information axis for all panels.
    """
    styles = atom_styles(results.shown)
    fused = False
    figure, panels = depth_panels(results, view)
    for case, panel in panels:
        _atoms(panel, results, case, view, styles)
        if view == "stream" and (span := fusion_span(results, case)) is not None:
            _mark_fusion(panel, span)
            fused = True
    lines: list[Artist] = [
        Line2D([], [], color=s.colour, marker=s.marker, ls=s.dashes, ms=4.5, label=s.name)
        for s in styles
    ]
    facts = [*results.size_and_seed(view), "ribbons: 95 % intervals"]
    facts.append("hollow, hatched: not told apart from noise")
    if fused:
        facts.append("between the dashed lines: fusion, redundancy rises")
    captions(figure, TITLES.get(view, view), lines, *facts)
    return figure


def _mark_fusion(axes: Axes, span: FusionSpan) -> None:
    """Mark where the streams fuse: from the depth before redundancy has risen."""
    before = span.first - 0.5
    axes.axvspan(before, span.last + 0.5, facecolor="#eef1f4", linewidth=0, zorder=-1)
    for edge in (before, span.last + 0.5):
        axes.axvline(edge, color=INK, linewidth=0.8, linestyle=(0, (2, 2)), zorder=0)


def _atoms(
    axes: Axes, results: Table, case: Case, view: str, styles: tuple[AtomStyle, ...]
) -> None:
    layers, courses = results.layers(case, view), results.courses(case, view)
    nothing = Estimate(np.nan)
    axes.axhline(0, color=INK, linewidth=0.7)
    axes.grid(axis="y")
    axes.tick_params(axis="y", length=0)
    for style, course in zip(styles, courses, strict=True):
        known = [r or nothing for r in course]
        value, low, high = np.array([(r.value, r.low, r.high) for r in known]).T
        noise = np.array([r is not None and not r.nonzero for r in course])
        axes.fill_between(layers, low, high, color=style.colour, alpha=0.22, linewidth=0)
        if noise.any():
            axes.fill_between(
                layers, low, high, where=noise, facecolor="none",
                edgecolor=style.colour, hatch="////", alpha=0.5, linewidth=0,
            )  # fmt: skip
        size = 3.6 if len(layers) <= 16 else 2.4
        axes.plot(layers, value, style.dashes, color=style.colour, linewidth=1.3)
        for nonzero in (True, False):
            shown = noise != nonzero
            if shown.any():
                axes.plot(
                    np.array(layers)[shown], value[shown], style.marker, markersize=size,
                    color=style.colour, markerfacecolor=style.colour if nonzero else "white",
                    markeredgecolor="white" if nonzero else style.colour,
                    markeredgewidth=0.3 if nonzero else 0.8,
                )  # fmt: skip
    for layer, atoms in zip(layers, zip(*courses, strict=True), strict=True):
        lines = atom_lines(styles, atoms)
        name = results.layer_name(case, view, layer)
        hover_area(axes, layer - 0.5, layer + 0.5, "\n".join([f"{case.name}, {name}", *lines]))
    if len(layers) == 1:  # a lone depth would fill the axis with nothing around it
        axes.set_xlim(layers[0] - 1, layers[0] + 1)


def course_figure(results: Table, view: str) -> Figure:
    """Draw the first modality's contribution over depth in the stream or the encoding view.

    Models go down, datasets across. Layers at which the contribution is undetermined are shaded.
    """
    first, second = results.shown
    styles = atom_styles(results.shown)[1:3]
    figure, panels = depth_panels(results, view, contribution_label(results.shown))
    for case, panel in panels:
        _course(panel, results, case, view, styles)
    key = share_key(results.shown, "neither clearly")
    key.append(Patch(label="undetermined", **UNKNOWN))
    title = "Contribution: each modality's part of the unique information, at each depth"
    facts = ["lines: 95 % intervals", f"1: only {first}, 0: only {second}"]
    captions(figure, title, key, *results.size_and_seed(view), *facts)
    return figure


def _course(
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
        text = f"contribution of {results.modalities[0]}: {written(estimate, percent=True)}"
        hover_area(axes, layer - half, layer + half, f"{case.name}, {name}\n{text}")
        if not estimate.determined:
            axes.axvspan(layer - half, layer + half, linewidth=0, zorder=0, **UNKNOWN)
            continue
        if estimate.bounded:
            intervals += [(layer, estimate.low), (layer, estimate.high), (np.nan, np.nan)]
        points.setdefault(share_marker(estimate, styles), []).append((layer, estimate.value))
    # One line with gaps, and one a marker: a line for every layer would take most of the time.
    if intervals:
        axes.plot(*zip(*intervals, strict=True), color=INK, linewidth=1.1)
    for (marker, colour), places in points.items():
        depths, shares = zip(*places, strict=True)
        point(axes, depths, shares, marker, colour, 4.5, edge=0.7)
    axes.set_xlim(layers[0] - half, layers[-1] + half)
    axes.set_ylim(-_BEYOND, 1 + _BEYOND)
    axes.set_yticks([0, 0.5, 1], ["0", "½", "1"])
    axes.grid(axis="y")
    axes.tick_params(axis="y", length=0)


def depth_panels(
    results: Table, view: str, quantity: str = ""
) -> tuple[ShownFigure, list[tuple[Case, Axes]]]:
    """Return a figure with an empty panel for each model and dataset of a layer view.

    `quantity` names what the common axis shows; by default the information about the target.
    """
    cases = results.cases(view)
    columns = list(dict.fromkeys((case.dataset, case.pairs) for case in cases))
    grid = len(columns) <= _MAX_COLUMNS
    if grid:
        models = results.models(view)
        shape = len(models), len(columns)
        slots = [(models.index(c.model), columns.index((c.dataset, c.pairs))) for c in cases]
    else:
        shape = math.ceil(len(cases) / _WRAPPED_COLUMNS), _WRAPPED_COLUMNS
        slots = [divmod(index, _WRAPPED_COLUMNS) for index in range(len(cases))]
    width = max(1.85 * shape[1], 1.5 * shape[1] + 2.2, _LEAST_INCHES) + 0.7
    figure = ShownFigure((width, 1.55 * shape[0] + 1.5), layout="constrained")
    cells = figure.add_gridspec(*shape)
    ticks = {_ticks(results, case, view) for case in cases}
    several = len(results.pairs(view)) > 1
    panels: list[tuple[Case, Axes]] = []
    for case, (row, column) in zip(cases, slots, strict=True):
        # No panels without a case: one that is hidden costs as much as one that is seen.
        panel = figure.add_subplot(cells[row, column], sharey=panels[0][1] if panels else None)
        panel.tick_params(labelleft=column == 0)
        panels.append((case, panel))
        places, names = zip(*_ticks(results, case, view), strict=True)
        below_is_empty = row + 1 == shape[0] or (row + 1, column) not in slots
        # One depth axis per column where all agree, one per panel where models differ in depth.
        panel.set_xticks(places, names if len(ticks) > 1 or below_is_empty else [""] * len(names))
        panel.set_xlabel("layer" if below_is_empty else "")
        pairs = f"\n{case.pairs} pairs" if several else ""
        if not grid:
            panel.set_title(f"{label(case.model)}\n{label(case.dataset)}{pairs}")
        elif row == 0 or (row - 1, column) not in slots:
            panel.set_title(label(case.dataset) + pairs, fontweight="bold")
        if grid and (column == 0 or (row, column - 1) not in slots):
            panel.set_ylabel(label(case.model, 16), fontweight="bold")
    quantity = quantity or f"information about {results.target(view)} ({results.unit(view)})"
    figure.supylabel(label(quantity, int(shape[0] * 1.55 * 16) + 4), fontsize=8)
    return figure, panels


def _ticks(results: Table, case: Case, view: str) -> tuple[tuple[int, str], ...]:
    """Depths to mark and their short names: the first, the last, and those with room between."""
    layers = results.layers(case, view)
    apart = (layers[-1] - layers[0]) / _MAX_TICKS
    marked = layers[:1]
    for layer in layers[1:]:
        if layer - marked[-1] >= apart:
            marked.append(layer)
    if marked[-1] != layers[-1]:
        # The last depth matters most: it takes the place of the tick that it would touch.
        marked = [*(marked[:-1] if len(marked) > 1 else marked), layers[-1]]
    roomy = len(marked) == len(layers) <= _MAX_NAMES
    return tuple((k, _short(results.layer_name(case, view, k), k, roomy)) for k in marked)


def _short(name: str, layer: int, roomy: bool) -> str:
    numbered = re.fullmatch(r"(?:layer|block|depth)[ _.]*(\d+)", name)
    if numbered:
        return numbered[1]
    return label(name, 8, 2) if roomy and len(name) <= 14 else str(layer)

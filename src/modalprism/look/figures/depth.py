"""The four atoms over depth: one small panel per model and dataset."""

from __future__ import annotations

import math
import re
from typing import Final

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from modalprism.look.atoms import INK, AtomStyle, atom_styles
from modalprism.look.figures.panels import ShownFigure, footer, heading
from modalprism.look.notation import label
from modalprism.look.readings import Case, Readings

TITLES: Final = {
    "stream": "What the two streams hold at each depth",
    "encoding": "What the fused state keeps of each modality, at each depth",
}
_MAX_COLUMNS: Final = 6  # wider grids are wrapped, each panel with its own full title
_WRAPPED_COLUMNS: Final = 4
_MAX_TICKS: Final = 8
_MAX_NAMES: Final = 6  # more depths than this are numbered


def depth_figure(readings: Readings, view: str, seed: object = None) -> Figure:
    """Draw the atoms of a layer view over depth.

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
        Models down, datasets across, one information axis for all panels.
    """
    styles = atom_styles(readings.modalities)
    cases = readings.cases(view)
    columns = list(dict.fromkeys((case.dataset, case.pairs) for case in cases))
    grid = len(columns) <= _MAX_COLUMNS
    if grid:
        models = readings.models(view)
        shape = len(models), len(columns)
        slots = [(models.index(c.model), columns.index((c.dataset, c.pairs))) for c in cases]
    else:
        shape = math.ceil(len(cases) / _WRAPPED_COLUMNS), _WRAPPED_COLUMNS
        slots = [divmod(index, _WRAPPED_COLUMNS) for index in range(len(cases))]
    width = max(1.85 * shape[1], 1.5 * shape[1] + 2.2, 5.0) + 0.7
    figure = ShownFigure((width, 1.55 * shape[0] + 1.5), layout="constrained")
    axes = figure.subplots(*shape, sharey=True, squeeze=False)
    for spare in {(i, j) for i in range(shape[0]) for j in range(shape[1])} - set(slots):
        axes[spare].set_axis_off()
    ticks = {_ticks(readings, case, view) for case in cases}
    several = len(readings.pairs(view)) > 1
    for case, (row, column) in zip(cases, slots, strict=True):
        panel = axes[row, column]
        _panel(panel, readings, case, view, styles)
        places, names = zip(*_ticks(readings, case, view), strict=True)
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
    quantity = f"information about {readings.target(view)} ({readings.unit(view)})"
    figure.supylabel(label(quantity, int(shape[0] * 1.55 * 16) + 4), fontsize=8)
    lines: list[Artist] = [
        Line2D([], [], color=s.colour, marker=s.marker, ls=s.dashes, ms=4.5, label=s.name)
        for s in styles
    ]
    heading(figure, TITLES.get(view, view), lines)
    footer(figure, readings, view, seed, "ribbons: 95 % intervals")
    return figure


def _panel(
    axes: Axes, readings: Readings, case: Case, view: str, styles: tuple[AtomStyle, ...]
) -> None:
    layers = readings.layers(case, view)
    atoms = np.array(
        [
            [
                (a.value, a.low, a.high) if a else (np.nan,) * 3
                for a in readings.atoms(case, view, k)
            ]
            for k in layers
        ]
    )  # depth × atom × (value, low, high)
    axes.axhline(0, color=INK, linewidth=0.7)
    axes.grid(axis="y")
    axes.tick_params(axis="y", length=0)
    for index, style in enumerate(styles):
        value, low, high = atoms[:, index].T
        axes.fill_between(layers, low, high, color=style.colour, alpha=0.22, linewidth=0)
        axes.plot(
            layers,
            value,
            style.dashes,
            color=style.colour,
            marker=style.marker,
            markersize=3.6 if len(layers) <= 16 else 2.4,
            markeredgecolor="white",
            markeredgewidth=0.3,
            linewidth=1.3,
        )
    if len(layers) == 1:  # a lone depth would fill the axis with nothing around it
        axes.set_xlim(layers[0] - 1, layers[0] + 1)


def _ticks(readings: Readings, case: Case, view: str) -> tuple[tuple[int, str], ...]:
    """Depths to mark and their short names: the first, the last, and those with room between."""
    layers = readings.layers(case, view)
    apart = (layers[-1] - layers[0]) / _MAX_TICKS
    marked = layers[:1]
    for layer in layers[1:]:
        if layer - marked[-1] >= apart:
            marked.append(layer)
    if marked[-1] != layers[-1]:
        # The last depth matters most: it takes the place of the tick that it would touch.
        marked = [*(marked[:-1] if len(marked) > 1 else marked), layers[-1]]
    roomy = len(marked) == len(layers) <= _MAX_NAMES
    return tuple((k, _short(readings.layer_name(case, view, k), k, roomy)) for k in marked)


def _short(name: str, layer: int, roomy: bool) -> str:
    numbered = re.fullmatch(r"(?:layer|block|depth)[ _.]*(\d+)", name)
    if numbered:
        return numbered[1]
    return label(name, 8, 2) if roomy and len(name) <= 14 else str(layer)

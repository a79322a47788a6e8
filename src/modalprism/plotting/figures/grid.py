"""Panels for what runs over depth: models down, datasets across, one axis for all."""

from __future__ import annotations

import math
import re
from typing import Final

from matplotlib.axes import Axes

from modalprism.plotting.figures.panels import ShownFigure
from modalprism.results.notation import label
from modalprism.results.table import Case, Table

_MAX_COLUMNS: Final = 6  # wider grids are wrapped, each panel with its own full title
_WRAPPED_COLUMNS: Final = 4
_MAX_TICKS: Final = 8
_LEAST_INCHES: Final = 6.3  # room for the longest title, key and footer
_MAX_NAMES: Final = 6  # more depths than this are numbered


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

"""Figure of the four atoms over depth: one small panel per model and dataset."""

from __future__ import annotations

from typing import Final

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from modalprism.plotting.courses import FusionSpan, fusion_span
from modalprism.plotting.figures.grid import depth_panels
from modalprism.plotting.figures.panels import footer, heading
from modalprism.plotting.figures.tooltips import hover_area
from modalprism.plotting.style import INK, AtomStyle, atom_styles
from modalprism.results.estimate import Estimate
from modalprism.results.notation import written
from modalprism.results.table import Case, Table

TITLES: Final = {
    "stream": "What the two streams hold at each depth",
    "encoding": "What the fused state keeps of each modality, at each depth",
}


def depth_figure(results: Table, view: str) -> Figure:
    """Draw the atoms of the stream or the encoding view over depth.

    Models go down, datasets across, with one information axis for all panels.
    """
    styles = atom_styles(results.shown)
    fused = False
    figure, panels = depth_panels(results, view)
    for case, panel in panels:
        _panel(panel, results, case, view, styles)
        if view == "stream" and (span := fusion_span(results, case)) is not None:
            _mark(panel, span)
            fused = True
    lines: list[Artist] = [
        Line2D([], [], color=s.colour, marker=s.marker, ls=s.dashes, ms=4.5, label=s.name)
        for s in styles
    ]
    heading(figure, TITLES.get(view, view), lines)
    words = ["ribbons: 95 % intervals", "hollow, hatched: not told apart from noise"]
    if fused:
        words.append("between the dashed lines: fusion, redundancy rises")
    footer(figure, results, view, *words)
    return figure


def _mark(axes: Axes, span: FusionSpan) -> None:
    """Mark where the streams fuse: from the depth before redundancy has risen."""
    before = span.first - 0.5
    axes.axvspan(before, span.last + 0.5, facecolor="#eef1f4", linewidth=0, zorder=-1)
    for edge in (before, span.last + 0.5):
        axes.axvline(edge, color=INK, linewidth=0.8, linestyle=(0, (2, 2)), zorder=0)


def _panel(
    axes: Axes, results: Table, case: Case, view: str, styles: tuple[AtomStyle, ...]
) -> None:
    layers = results.layers(case, view)
    course = [results.atoms(case, view, layer) for layer in layers]
    nothing = Estimate(np.nan)
    # depth × atom × (value, low, high)
    numbers = np.array([[(a.value, a.low, a.high) for a in (b or nothing for b in atoms)]
                        for atoms in course])  # fmt: skip
    noise = np.array([[a is not None and not a.nonzero for a in atoms] for atoms in course])
    axes.axhline(0, color=INK, linewidth=0.7)
    axes.grid(axis="y")
    axes.tick_params(axis="y", length=0)
    for index, style in enumerate(styles):
        value, low, high = numbers[:, index].T
        axes.fill_between(layers, low, high, color=style.colour, alpha=0.22, linewidth=0)
        if noise[:, index].any():
            axes.fill_between(
                layers, low, high, where=noise[:, index], facecolor="none",
                edgecolor=style.colour, hatch="////", alpha=0.5, linewidth=0,
            )  # fmt: skip
        size = 3.6 if len(layers) <= 16 else 2.4
        axes.plot(layers, value, style.dashes, color=style.colour, linewidth=1.3)
        for told in (True, False):
            shown = noise[:, index] != told
            if shown.any():
                axes.plot(
                    np.array(layers)[shown], value[shown], style.marker, markersize=size,
                    color=style.colour, markerfacecolor=style.colour if told else "white",
                    markeredgecolor="white" if told else style.colour,
                    markeredgewidth=0.3 if told else 0.8,
                )  # fmt: skip
    for layer, atoms in zip(layers, course, strict=True):
        lines = [
            f"{style.name}: {written(atom)}"
            for style, atom in zip(styles, atoms, strict=True)
            if atom is not None
        ]
        name = results.layer_name(case, view, layer)
        hover_area(axes, layer - 0.5, layer + 0.5, "\n".join([f"{case.name}, {name}", *lines]))
    if len(layers) == 1:  # a lone depth would fill the axis with nothing around it
        axes.set_xlim(layers[0] - 1, layers[0] + 1)

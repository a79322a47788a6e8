"""Map of models by datasets: contribution, redundant part and synergistic part."""

from __future__ import annotations

from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from modalprism.plotting.figures.panels import UNKNOWN, captions
from modalprism.plotting.style import FAINT, INK, atom_styles
from modalprism.results.estimate import Estimate
from modalprism.results.notation import label, parts, shortened
from modalprism.results.table import Table

_CELL: Final = (0.72, 0.42)  # inches
_DARK: Final = 0.55  # of the way to a full colour, from where on the text is white


def heat_figure(results: Table) -> Figure:
    """Draw the answer view as models × datasets, three maps a kind of pairs.

    The first map is the first modality's contribution, from the second modality's colour at 0 over
    white at ½ to its own at 1. The others are the redundant and the synergistic part of the
    information. What is undetermined is hatched.
    """
    one_name, two_name = results.shown
    shared, one, two, joint = atom_styles(results.shown)
    # Read from the left: whose, then how much.
    diverging = [two.colour, "#ffffff", one.colour]
    maps = (
        ("contribution", results.modalities[0], f"C {one_name}", diverging),
        ("redundancy_fraction", "", "redundant", ["#ffffff", shared.colour]),
        ("synergy_fraction", "", "synergy", ["#ffffff", joint.colour]),
    )
    kinds = results.pairs("answer")
    models, datasets = results.models("answer"), results.datasets("answer")
    width = max(len(datasets) * _CELL[0], 1.2)
    figure = Figure(
        (1.5 + len(maps) * (width + 0.25), 1.5 + len(kinds) * (len(models) * _CELL[1] + 0.75)),
        layout="constrained",
    )
    axes = figure.subplots(len(kinds), len(maps), sharey=True, squeeze=False)
    for row, kind in enumerate(kinds):
        for column, (quantity, modality, name, colours) in enumerate(maps):
            panel = axes[row, column]
            colour_of = LinearSegmentedColormap.from_list(name, colours)
            for case in results.cases("answer"):
                if case.pairs == kind:
                    at = datasets.index(case.dataset), models.index(case.model)
                    estimate = results.get(case, "answer", quantity, modality)
                    _cell(panel, at, estimate, colour_of, around_half=len(colours) == 3)
            _frame(panel, models, datasets)
            pairs = f"\n{kind} pairs" if kind and len(kinds) > 1 else ""
            panel.set_title(
                label(f"{name} (%)", int(width / 0.072), 3) + pairs, loc="left", fontweight="bold"
            )
            if row + 1 < len(kinds):
                panel.set_xticklabels([])
    title = f"Which modality, and how much is shared: about {results.target('answer')}"
    facts = (
        f"C: 100 only {shortened(one_name, 16)}, 0 only {shortened(two_name, 16)}",
        "hatched: undetermined",
        "small: 95 % interval",
    )
    captions(figure, title, [], *results.size_and_seed("answer"), *facts)
    return figure


def _frame(panel: Axes, models: list[str], datasets: list[str]) -> None:
    panel.set_xlim(-0.5, len(datasets) - 0.5)
    panel.set_ylim(len(models) - 0.5, -0.5)
    panel.set_xticks(range(len(datasets)), [label(name, 11, 2) for name in datasets])
    panel.set_yticks(range(len(models)), [label(name, 20, 2) for name in models])
    panel.tick_params(length=0)
    for spine in panel.spines.values():
        spine.set_visible(False)


def _cell(
    panel: Axes,
    at: tuple[int, int],
    estimate: Estimate | None,
    colour_of: Colormap,
    *,
    around_half: bool,
) -> None:
    column, row = at
    corner = column - 0.47, row - 0.47
    if estimate is None or not estimate.determined:
        style = UNKNOWN if estimate is not None else UNKNOWN | {"hatch": ""}
        panel.add_patch(Rectangle(corner, 0.94, 0.94, **style))
        return
    value, interval = parts(estimate.scaled(100, "1"), 0)
    inside = min(max(estimate.value, 0.0), 1.0)
    panel.add_patch(Rectangle(corner, 0.94, 0.94, facecolor=colour_of(inside), edgecolor="none"))
    strength = abs(inside - 0.5) * 2 if around_half else inside
    ink = "white" if strength > _DARK else INK
    faint = "white" if strength > _DARK else FAINT
    centred: dict[str, Any] = {"ha": "center", "va": "center"}
    panel.text(column, row - 0.1, value, color=ink, **centred)
    panel.text(column, row + 0.26, interval.strip("[]"), fontsize=5.5, color=faint, **centred)

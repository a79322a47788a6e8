"""Accuracy beside what answers are made of: whether better answers come with more synergy."""

from __future__ import annotations

from typing import Final

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from modalprism.plotting.atoms import FAINT, INK, atom_styles
from modalprism.plotting.figures.panels import footer, heading
from modalprism.results.notation import label
from modalprism.results.table import Table

FEWEST: Final = 4
_MARKERS: Final = "osD^vPX<>*hd"


def scatter_figure(results: Table, seed: object = None) -> Figure:
    """Draw accuracy against the synergistic part and against the first modality's contribution.

    Parameters
    ----------
    results : Table
        The results of one profile, or of several that were put together; `accurate` says whether
        enough of its answers have an accuracy.
    seed : object
        Seed of the study, for the footer.

    Returns
    -------
    matplotlib.figure.Figure
        A marker a dataset, with the number of its model; lines are 95 % intervals. What is
        undetermined has no place.
    """
    first, second = results.shown
    _, one, _, joint = atom_styles(results.shown)
    panels = (
        ("synergy_fraction", "", "synergistic part of the information", joint.colour),
        (
            "contribution",
            results.modalities[0],
            f"contribution of {first} (0: only {second})",
            one.colour,
        ),
    )
    figure = Figure((8.4, 4.0), layout="constrained")
    datasets, models = results.datasets("answer"), results.models("answer")
    pairs = results.pairs("answer")[0]
    for axes, (quantity, modality, name, colour) in zip(
        figure.subplots(1, 2, sharex=True), panels, strict=True
    ):
        for case in results.cases("answer"):
            skill = results.skill(case.model, case.dataset)
            y = results.get(case, "answer", quantity, modality)
            if case.pairs != pairs or skill is None or y is None or not y.determined:
                continue
            x = skill.accuracy
            if x.bounded:
                axes.plot([x.low, x.high], [y.value] * 2, color=FAINT, linewidth=0.8)
            if y.bounded:
                axes.plot([x.value] * 2, [y.low, y.high], color=FAINT, linewidth=0.8)
            marker = _MARKERS[datasets.index(case.dataset) % len(_MARKERS)]
            axes.plot(
                x.value, y.value, marker, markersize=9, markerfacecolor=colour,
                markeredgecolor=INK, markeredgewidth=0.7,
            )  # fmt: skip
            number = str(models.index(case.model) + 1)
            axes.text(x.value, y.value, number, ha="center", va="center", fontsize=6)
        axes.set_xlabel("accuracy")
        axes.set_ylabel(label(name, 46, 2))
        axes.grid()
    key = [
        Line2D([], [], color=INK, linestyle="", marker=_MARKERS[place % len(_MARKERS)],
               markerfacecolor="white", label=label(dataset, 24, 1))
        for place, dataset in enumerate(datasets)
    ]  # fmt: skip
    key += [
        Line2D([], [], linestyle="", label=f"{place}: {label(model, 24, 1)}")
        for place, model in enumerate(models, start=1)
    ]
    heading(figure, "Accuracy, and what the answer is made of", key)
    words = [f"{pairs} pairs"] if pairs else []
    footer(figure, results, "answer", seed, *words, "lines: 95 % intervals")
    return figure


def accurate(results: Table) -> bool:
    """Tell whether so many answers have an accuracy that a scatter shows something."""
    cases = {(case.model, case.dataset) for case in results.cases("answer")}
    return sum(results.skill(*case) is not None for case in cases) >= FEWEST

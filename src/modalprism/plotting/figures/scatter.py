"""Figure of accuracy against synergy and against the contribution."""

from __future__ import annotations

from typing import Final

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from modalprism.plotting.figures.panels import MARKERS, captions, marked, point
from modalprism.plotting.style import FAINT, atom_styles
from modalprism.results.notation import label
from modalprism.results.table import Table

FEWEST: Final = 4


def scatter_figure(results: Table) -> Figure:
    """Draw accuracy against the synergistic part and against the first modality's contribution.

    A marker is a dataset, with the number of its model; lines are 95 % intervals. What is
    undetermined is left out. `accurate` says whether enough answers have an accuracy.
    """
    first, second = results.shown
    _, one, _, joint = atom_styles(results.shown)
    contribution = f"contribution of {first} (0: only {second})"
    panels = (
        ("synergy_fraction", "", "synergistic part of the information", joint.colour),
        ("contribution", results.modalities[0], contribution, one.colour),
    )
    figure = Figure((8.4, 4.0), layout="constrained")
    datasets, models = results.datasets("answer"), results.models("answer")
    pairs = results.pairs("answer")[0]
    for axes, (quantity, modality, name, colour) in zip(
        figure.subplots(1, 2, sharex=True), panels, strict=True
    ):
        for case in results.cases("answer"):
            skill = results.skill(case)
            y = results.get(case, "answer", quantity, modality)
            if case.pairs != pairs or skill is None or y is None or not y.determined:
                continue
            x = skill.accuracy
            if x.bounded:
                axes.plot([x.low, x.high], [y.value] * 2, color=FAINT, linewidth=0.8)
            if y.bounded:
                axes.plot([x.value] * 2, [y.low, y.high], color=FAINT, linewidth=0.8)
            marker = MARKERS[datasets.index(case.dataset) % len(MARKERS)]
            point(axes, x.value, y.value, marker, colour, 9, edge=0.7)
            number = str(models.index(case.model) + 1)
            axes.text(x.value, y.value, number, ha="center", va="center", fontsize=6)
        axes.set_xlabel("accuracy")
        axes.set_ylabel(label(name, 46, 2))
        axes.grid()
    key = marked(datasets)
    key += [
        Line2D([], [], linestyle="", label=f"{place}: {label(model, 24, 1)}")
        for place, model in enumerate(models, start=1)
    ]
    facts = [*results.size_and_seed("answer"), *([f"{pairs} pairs"] if pairs else [])]
    title = "Accuracy, and what the answer is made of"
    captions(figure, title, key, *facts, "lines: 95 % intervals")
    return figure


def accurate(results: Table) -> bool:
    """Whether enough answers have an accuracy for a scatter."""
    skills = {case.place: results.skill(case) for case in results.cases("answer")}
    return sum(skill is not None for skill in skills.values()) >= FEWEST

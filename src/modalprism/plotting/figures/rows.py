"""Rows that the answer figures share: one block per dataset, one row per model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from modalprism.plotting.figures.panels import ShownFigure
from modalprism.plotting.style import ALARM, INK
from modalprism.results.notation import label, number, shortened
from modalprism.results.table import Case, Table

PANEL_WIDTH: Final = 3.5  # inches
AXIS_LETTERS: Final = 54
"""Letters below the axis of a panel."""
_LABEL_WIDTH: Final = 1.5
_HEADER: Final = 0.85  # rows that the name of a dataset takes
_EDGES: Final = 1.45  # inches for title, key, axis and footer


@dataclass(frozen=True)
class AnswerRows:
    """Where each model and dataset stands.

    Attributes
    ----------
    places : dict
        Height of each (model, dataset), in rows from the top.
    headers : list of (float, str)
        Height and text of each dataset's line.
    labels : dict
        Text beside each (model, dataset).
    unlearnt : set
        The (model, dataset) whose accuracy is not above chance.
    depth : float
        Number of rows.
    pitch : float
        Height of a row in inches.
    """

    places: dict[tuple[str, str], float]
    headers: list[tuple[float, str]]
    labels: dict[tuple[str, str], str]
    unlearnt: set[tuple[str, str]]
    depth: float
    pitch: float

    @classmethod
    def of(cls, results: Table) -> AnswerRows:
        """Lay out the rows of the answer view."""
        questions, panels = results.manifest.get("datasets", {}), len(results.pairs("answer"))
        present = {(case.model, case.dataset) for case in results.cases("answer")}
        places: dict[tuple[str, str], float] = {}
        labels: dict[tuple[str, str], str] = {}
        headers = []
        unlearnt = set()
        characters = int((panels * PANEL_WIDTH + _LABEL_WIDTH) / 0.072)
        depth = 0.0
        for dataset in results.datasets("answer"):
            question = str(questions.get(dataset, ""))
            name = shortened(dataset, characters // 2)
            text = f"{name}: {question}" if question else name
            headers.append((depth, label(text, characters, 1, prose=True)))
            depth += _HEADER
            for model in results.models("answer"):
                if (model, dataset) not in present:
                    continue
                key = model, dataset
                places[key], labels[key] = depth, label(model)
                skill = results.skill(Case(model, dataset, ""))
                if skill and not skill.above_chance:
                    unlearnt.add(key)
                    accuracy, chance = number(skill.accuracy.value), number(skill.chance.value)
                    labels[key] += f"\nnot learnt: {accuracy}, chance {chance}"
                depth += 1
            depth += 0.15
        tallest = max(text.count("\n") + 1 for text in labels.values())
        return cls(places, headers, labels, unlearnt, depth, max(0.28, 0.13 * tallest + 0.04))

    def place(self, case: Case) -> float:
        """Height of a case."""
        return self.places[case.model, case.dataset]

    def learnt(self, case: Case) -> bool:
        """Whether the accuracy is above chance, or unknown."""
        return (case.model, case.dataset) not in self.unlearnt

    def canvas(self, results: Table) -> tuple[Figure, list[tuple[str, Axes]]]:
        """Return a figure with one panel per kind of pairs, its rows labelled."""
        kinds = results.pairs("answer")
        width = _LABEL_WIDTH + PANEL_WIDTH * max(len(kinds), 1.4)
        figure = ShownFigure((width, self.depth * self.pitch + _EDGES), layout="constrained")
        axes = figure.subplots(1, len(kinds), sharex=True, sharey=True, squeeze=False)[0]
        for kind, panel in zip(kinds, axes, strict=True):
            panel.set_ylim(self.depth - 0.4, -0.45)
            panel.set_title(f"{kind} pairs" if kind else "", loc="left", fontweight="bold")
        left = axes[0]
        left.set_yticks(list(self.places.values()), [self.labels[key] for key in self.places])
        for key, tick in zip(self.places, left.get_yticklabels(), strict=True):
            tick.set_color(ALARM if key in self.unlearnt else INK)
        for height, text in self.headers:
            # Starts at the figure's edge and runs over both panels, whose rows are empty here.
            left.annotate(
                text, (0.012, height), xycoords=("figure fraction", "data"), va="center",
                fontsize=8, fontweight="bold", in_layout=False, annotation_clip=False,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
            )  # fmt: skip
        left.set_zorder(2)  # its headers lie on top of the next panel's grid
        left.patch.set_visible(False)
        return figure, list(zip(kinds, axes, strict=True))

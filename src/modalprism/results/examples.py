"""Examples that stand for an atom: their inputs, as a person sees them, and pointwise atoms."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from modalprism.results.notation import number
from modalprism.results.quantities import QuantityKey
from modalprism.results.table import Case

OBSERVED: Final = "observed"


@dataclass(frozen=True)
class ShownExample:
    """An example that stands for an atom: one of those in its case with the most of it."""

    model: str
    dataset: str
    atom: str  # the atom that it stands for: redundancy, unique or synergy
    modality: str | None  # of a unique atom
    rank: int  # 0 for the first of its atom
    row: int  # of the store
    id: str  # the dataset's name of the example; empty where it has none
    modalities: tuple[str, str]  # in the order of the study
    atoms: tuple[float, float, float, float]  # pointwise: redundancy, unique of either, synergy
    unit: str
    label: str | None = None  # the right answer
    answer: str | None = None  # the model's
    probability: float | None = None  # of the model's answer
    pictures: tuple[bytes | None, bytes | None] = (None, None)  # of each input, WebP
    texts: tuple[str | None, str | None] = (None, None)  # of each input
    note: str | None = None  # why the input cannot be shown

    @property
    def key(self) -> QuantityKey:
        """The atom that the example stands for, and its modality."""
        return self.atom, self.modality or ""

    @property
    def name(self) -> str:
        """The example's id, or else its row."""
        return self.id or f"row {self.row}"

    @property
    def right(self) -> bool | None:
        """Whether the model is right; None if unknown."""
        if self.label is None or self.answer is None:
            return None
        return self.label == self.answer

    @property
    def answer_text(self) -> str:
        """The model's answer and its probability; empty if unknown.

        Examples
        --------
        >>> one = ShownExample("m", "d", "synergy", None, 0, 7, "", ("image", "text"), (0,) * 4,
        ...                    "bit", answer="yes", probability=0.934)
        >>> one.answer_text
        'yes, 93 %'
        """
        if self.answer is None or self.probability is None:
            return self.answer or ""
        percent = self.probability * 100
        return f"{self.answer}, {'over 99' if percent > 99.5 else number(percent, 0)} %"


def most_of(key: QuantityKey) -> str:
    """Return the heading of the examples that stand for an atom.

    Examples
    --------
    >>> most_of(("unique", "image")), most_of(("redundancy", ""))
    ('Most unique to the image', 'Most redundant')
    """
    atom, modality = key
    if atom == "unique":
        return f"Most unique to the {modality}"
    return {"redundancy": "Most redundant", "synergy": "Most synergistic"}[atom]


def by_case(examples: Iterable[ShownExample]) -> dict[Case, dict[QuantityKey, list[ShownExample]]]:
    """Group examples by their case and atom; each list in the order of their ranks."""
    found: dict[Case, dict[QuantityKey, list[ShownExample]]] = {}
    for example in sorted(examples, key=lambda one: one.rank):
        case = Case(example.model, example.dataset, OBSERVED)
        found.setdefault(case, {}).setdefault(example.key, []).append(example)
    return found

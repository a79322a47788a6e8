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
    """An example that stands for an atom: one of those in its case with the most of it.

    Attributes
    ----------
    model, dataset : str
    atom : {"redundancy", "unique", "synergy"}
        The atom that it stands for.
    modality : str, optional
        Of a unique atom.
    rank : int
        0 for the first of its atom.
    row : int
        Of the store.
    id : str
        The dataset's name of the example; empty where it has none.
    modalities : (str, str)
        In the order of the study.
    atoms : (float, float, float, float)
        Pointwise: redundancy, unique of either modality, synergy.
    unit : str
    label, answer : str, optional
        The right answer, and the model's.
    probability : float, optional
        Of the model's answer.
    pictures : (bytes or None, bytes or None)
        A picture of each modality's input, WebP.
    texts : (str or None, str or None)
        The text of each modality's input.
    note : str, optional
        Why the input cannot be shown.
    """

    model: str
    dataset: str
    atom: str
    modality: str | None
    rank: int
    row: int
    id: str
    modalities: tuple[str, str]
    atoms: tuple[float, float, float, float]
    unit: str
    label: str | None = None
    answer: str | None = None
    probability: float | None = None
    pictures: tuple[bytes | None, bytes | None] = (None, None)
    texts: tuple[str | None, str | None] = (None, None)
    note: str | None = None

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
    def said(self) -> str:
        """The model's answer and its probability; empty if unknown.

        Examples
        --------
        >>> one = ShownExample("m", "d", "synergy", None, 0, 7, "", ("image", "text"), (0,) * 4,
        ...                    "bit", answer="yes", probability=0.934)
        >>> one.said
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

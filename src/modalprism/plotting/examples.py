"""One example as every page and figure shows it: what a person sees, and what it tells."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from modalprism.plotting.notation import number
from modalprism.plotting.readings import ATOM_QUANTITIES, Case

OBSERVED: Final = "observed"


@dataclass(frozen=True)
class ShownExample:
    """An example that stands for an atom: among those of its case that tell most of it.

    Attributes
    ----------
    model, dataset : str
    atom : {"redundancy", "unique", "synergy"}
        Which atom it stands for.
    modality : str, optional
        Whose, where the atom is unique to one.
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
        That the model gives its answer.
    pictures : (bytes or None, bytes or None)
        What is seen of each modality, WebP.
    texts : (str or None, str or None)
        What is read of each modality.
    note : str, optional
        Why it cannot be shown.
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
    def name(self) -> str:
        """What the example is called."""
        return self.id or f"row {self.row}"

    @property
    def right(self) -> bool | None:
        """Whether the model is right; None where nobody knows."""
        if self.label is None or self.answer is None:
            return None
        return self.label == self.answer


def most_words(atom: str, modality: str | None) -> str:
    """Say of which atom an example tells most.

    Examples
    --------
    >>> most_words("unique", "image"), most_words("redundancy", None)
    ('Most unique to the image', 'Most redundant')
    """
    if atom == "unique":
        return f"Most unique to the {modality}"
    return {"redundancy": "Most redundant", "synergy": "Most synergistic"}[atom]


def said_answer(example: ShownExample) -> str:
    """Say what the model answered, and how surely; empty where nobody knows.

    Examples
    --------
    >>> one = ShownExample("m", "d", "synergy", None, 0, 7, "", ("image", "text"), (0,) * 4, "bit",
    ...                    answer="yes", probability=0.934)
    >>> said_answer(one)
    'yes, 93 %'
    """
    if example.answer is None:
        return ""
    if example.probability is None:
        return example.answer
    percent = example.probability * 100
    sure = "over 99" if percent > 99.5 else number(percent, 0)
    return f"{example.answer}, {sure} %"


Owner = tuple[str, str | None]
"""An atom, and whose it is where it is unique to a modality."""


def owners(modalities: tuple[str, str]) -> list[Owner]:
    """Return the atoms in the order of everything: R, U of the first, U of the second, S."""
    first, second = modalities
    return list(zip(ATOM_QUANTITIES, (None, first, second, None), strict=True))


def by_case(examples: Iterable[ShownExample]) -> dict[Case, dict[Owner, list[ShownExample]]]:
    """Sort examples by their case and atom; each list in the order of their ranks."""
    found: dict[Case, dict[Owner, list[ShownExample]]] = {}
    for example in sorted(examples, key=lambda one: one.rank):
        case = Case(example.model, example.dataset, OBSERVED)
        of_atom = found.setdefault(case, {})
        of_atom.setdefault((example.atom, example.modality), []).append(example)
    return found

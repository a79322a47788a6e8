"""Right answers: from what a dataset says to the candidates among which a model chooses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from modalprism.datasets.contents import is_empty, word_of
from modalprism.datasets.prompts import LETTERS
from modalprism.errors import InputError

AS_LETTERS: Final = "letters"
ONLY_CANDIDATES: Final = "candidates"
_ARTICLES: Final = frozenset({"a", "an", "the"})
_NUMBERS: Final = {
    word: str(number)
    for number, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    )
} | {"none": "0"}
# An apostrophe belongs to its word, a point or comma between digits to the number.
_PUNCTUATION: Final = re.compile(r"(?<!\d)[.,]|[.,](?!\d)|[^\w\s'.,]|_")


@dataclass(frozen=True)
class Labels:
    """How a dataset's labels become candidates.

    In this order: what `values` says of it; with `letters`, a whole number's letter, 0 is A; the
    candidate that is the same but for case, punctuation, articles and how small numbers are
    written (see `normal`). A label that is none of these stays as it is.

    Attributes
    ----------
    candidates : tuple of str
    values : mapping of str to str
        A label, as `normal` has it, and its candidate.
    letters : bool
        Whether whole numbers are places in a list of choices.
    only : bool
        Whether rows whose label is no candidate are left out.

    Examples
    --------
    >>> labels = Labels.of(("yes", "no"), {0: "no", 1: "yes"})
    >>> labels.read(1), labels.read("No."), labels.read("maybe")
    ('yes', 'no', 'maybe')
    """

    candidates: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    letters: bool = False
    only: bool = False

    @classmethod
    def of(
        cls,
        candidates: Sequence[str] = (),
        answers: Mapping[Any, str] | Literal["letters"] | None = None,
        only: Literal["candidates"] | None = None,
    ) -> Labels:
        """Read what a study says.

        Parameters
        ----------
        candidates : sequence of str
            The answers among which the model chooses.
        answers : mapping or "letters", optional
            Values of the dataset and their candidates; or that whole numbers are letters.
        only : "candidates", optional
            Leave out rows whose label is none.

        Raises
        ------
        InputError
            If an answer is no candidate, two values that are the same have different ones, or
            there are no candidates where they are needed.
        """
        if only is not None and not candidates:
            raise InputError("only: candidates, but there are none; give candidates")
        if answers == AS_LETTERS:
            return cls(tuple(candidates), letters=True, only=only is not None)
        values: dict[str, str] = {}
        for value, answer in (answers or {}).items():
            if not isinstance(answer, str):
                raise InputError(
                    f"answers: {value!r} is {answer!r}, no word; put yes and no in quotes"
                )
            if candidates and answer not in candidates:
                raise InputError(
                    f"answers: {value!r} is {answer!r}, which is none of the candidates "
                    f"{', '.join(candidates)}"
                )
            if values.setdefault(normal(value), answer) != answer:
                raise InputError(f"answers: {value!r} stands twice, with different candidates")
        return cls(tuple(candidates), values, only=only is not None)

    def read(self, label: int | str) -> int | str:
        """Return a label's candidate, or the label itself where it has none.

        Raises
        ------
        InputError
            If it should have a letter, and there is none for it.
        """
        if label in self.candidates:
            return label
        if (word := normal(label)) in self.values:
            return self.values[word]
        if self.letters and isinstance(label, int):
            if not 0 <= label < len(LETTERS):
                raise InputError(f"it is {label}, and letters are of 0 to {len(LETTERS) - 1}")
            return LETTERS[label]
        return next((one for one in self.candidates if normal(one) == word), label)

    def keeps(self, label: int | str | None) -> bool:
        """Tell whether a row with this label, as `read` has it, is not left out."""
        return not self.only or label in self.candidates

    def words(self) -> list[Any]:
        """Say what changes the labels, or which rows there are; nothing where nothing does."""
        asked = [dict(self.values), self.letters, self.only]
        return [list(self.candidates), *asked] if any([*asked, self.candidates]) else []


def normal(label: object) -> str:
    """Return a label without what the VQA metric does not look at.

    Case, punctuation, articles, and whether a number up to ten is a word. Where nothing but an
    article is there (the letter A), it stays.

    Examples
    --------
    >>> normal("A dog."), normal("Two"), normal("A"), normal(True), normal("3.5")
    ('dog', '2', 'a', 'true', '3.5')
    """
    words = _PUNCTUATION.sub(" ", str(label).lower()).split()
    said = [_NUMBERS.get(word, word) for word in words if word not in _ARTICLES]
    return " ".join(said or words)


def label_of(column: str, cells: Mapping[str, Any], labels: Labels) -> int | str | None:
    """Return a row's right answer; None where it is empty and such rows are left out.

    Raises
    ------
    InputError
        If there is none, or it is no word and no whole number.
    """
    value = word_of(cells.get(column))
    if is_empty(value):
        if labels.only:
            return None
        # Kept as none beside others' labels, it would be one more class.
        raise InputError(f"its label in column {column!r} is empty; say label= where there is none")
    if isinstance(value, bool):
        value = str(value).lower()
    if not isinstance(value, str | int):
        raise InputError(
            f"its label in column {column!r} is {value!r:.60}; a label is a word or a whole number"
        )
    try:
        return labels.read(value)
    except InputError as error:
        raise InputError(f"its label in column {column!r} cannot be read: {error}") from error

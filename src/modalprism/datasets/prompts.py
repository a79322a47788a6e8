"""Prompts: templates of text that are filled in from the columns of a row."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from modalprism.datasets.contents import is_empty, text_of
from modalprism.errors import InputError

LETTERS: Final = string.ascii_uppercase
_OPTIONAL: Final = "?"


class _Piece(NamedTuple):
    """Literal text, or a column."""

    words: str
    column: str = ""
    optional: bool = False


@dataclass(frozen=True)
class Prompt:
    r"""Template of a model's text, with columns of a dataset, and its lines in pieces.

    Nothing in it is evaluated: braces hold the plain name of a column, and two of them are one. A
    list becomes lines with letters. A line that holds a column with a question mark, ``{hint?}``,
    is left out where that is empty; any other column that is empty is an error.

    Examples
    --------
    >>> prompt = Prompt.of("{question}\n{choices}\nAnswer with the letter.")
    >>> print(prompt.filled({"question": "Which is red?", "choices": ["the sea", "a rose"]}))
    Which is red?
    A. the sea
    B. a rose
    Answer with the letter.
    """

    template: str
    lines: tuple[tuple[_Piece, ...], ...]

    @classmethod
    def of(cls, template: str) -> Prompt:
        """Read a template.

        Raises InputError if braces do not match or hold more than a name, or no column is named.
        """
        lines: list[list[_Piece]] = [[]]
        try:
            parsed = list(string.Formatter().parse(template))
        except ValueError as error:
            raise InputError(
                f"the prompt {template!r} cannot be read: {error}; write {{{{ for a brace itself"
            ) from error
        for words, name, form, conversion in parsed:
            before, *others = words.split("\n")
            lines[-1].append(_Piece(before))
            lines += [[_Piece(other)] for other in others]
            if name is None:
                continue
            if form or conversion or not name.strip(" " + _OPTIONAL):
                raise InputError(
                    f"the prompt {template!r} has more or less than a column's name between "
                    "braces; write {question}, and {{ for a brace itself"
                )
            optional = name.endswith(_OPTIONAL)
            lines[-1].append(_Piece("", name.removesuffix(_OPTIONAL), optional))
        prompt = cls(template, tuple(map(tuple, lines)))
        if not prompt.columns:
            raise InputError(
                f"the prompt {template!r} names no column, so that all examples would be asked the "
                "same; put one in braces, {question}"
            )
        return prompt

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns in the template."""
        named = [piece.column for line in self.lines for piece in line if piece.column]
        return tuple(dict.fromkeys(named))

    def filled(self, cells: Mapping[str, Any]) -> str:
        """Return the text of a row.

        Raises InputError if a column is missing, empty without a question mark, or no text; it
        names the column.
        """
        lines = []
        for line in self.lines:
            optional = [cells.get(piece.column) for piece in line if piece.optional]
            if not any(
                is_empty(value) or (isinstance(value, list | tuple) and not value)
                for value in optional
            ):
                lines.append("".join(_filled(piece, cells) for piece in line))
        text = "\n".join(lines)
        if not text.strip():
            raise InputError(f"nothing is left of the prompt {self.template!r}")
        return text


def _filled(piece: _Piece, cells: Mapping[str, Any]) -> str:
    if not piece.column:
        return piece.words
    try:
        if piece.column not in cells:
            raise InputError("it is missing")
        value = cells[piece.column]
        return lettered(value) if isinstance(value, list | tuple) else text_of(value)
    except InputError as error:
        raise InputError(f"column {piece.column!r}: {error}") from error


def lettered(choices: Sequence[Any]) -> str:
    r"""Write choices on lines with letters.

    Raises InputError if there are none, more than letters, or one is no text.

    Examples
    --------
    >>> lettered(["a cat", 3])
    'A. a cat\nB. 3'
    """
    if not 0 < len(choices) <= len(LETTERS):
        raise InputError(f"it is a list of {len(choices)}; there are letters for 1 to 26 choices")
    return "\n".join(
        f"{letter}. {text_of(choice)}" for letter, choice in zip(LETTERS, choices, strict=False)
    )

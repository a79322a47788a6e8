"""A table before it has a form: for the terminal, for documents, for pages and for notebooks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Cell(NamedTuple):
    """What stands in a cell, its interval or note beside it, and the colour of what it is about."""

    text: str
    aside: str = ""
    colour: str = ""

    def __str__(self) -> str:
        return f"{self.text} {self.aside}".rstrip()


@dataclass(frozen=True)
class Grid:
    """A table before it has a form.

    Attributes
    ----------
    title : str
        What the table tells, with target, unit and number of examples.
    columns : list of str
        The heads; the first `names` of them name a row, the others hold numbers.
    rows : list of list of Cell
        The cells.
    names : int
        Number of naming columns.
    notes : list of str
        The meaning of marks that occur in the table.
    """

    title: str
    columns: list[str]
    rows: list[list[Cell]]
    names: int
    notes: list[str]

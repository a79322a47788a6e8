"""Tables before they have a form, and their forms as Markdown and as HTML for notebooks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final, NamedTuple

from modalprism.results.estimate import Estimate
from modalprism.results.notation import NOISE_MARK, UNDETERMINED, parts, significance

if TYPE_CHECKING:
    from jinja2 import Template

MOST_ROWS: Final = 48  # twelve cases of four atoms


class Cell(NamedTuple):
    """The text of a cell, a fainter text beside it, and the colour of what it is about."""

    text: str
    aside: str = ""
    colour: str = ""

    @classmethod
    def of(
        cls,
        estimate: Estimate | None,
        digits: int = 2,
        *,
        percent: bool = False,
        noise: bool = False,
        p_value: bool = False,
    ) -> Cell:
        """Return a cell with a value, and its interval beside it; see `notation.parts`.

        `noise` marks a value that is not distinguishable from noise, and `p_value` writes the
        p-value behind the interval. None is what was not measured.
        """
        value, interval = parts(estimate, digits, percent=percent, unit=False)
        if estimate is None:
            return cls(value)
        tested = significance(estimate.p_value) if p_value else ""
        mark = NOISE_MARK if noise and estimate.noise else ""
        return cls(value + mark, f"{interval} {tested}".strip())

    def __str__(self) -> str:
        return f"{self.text} {self.aside}".rstrip()


@dataclass(frozen=True)
class Grid:
    """A table before it has a form."""

    title: str  # what the table shows, with target, unit and number of examples
    columns: list[str]  # the heads; the first `names` of them name a row, others hold numbers
    rows: list[list[Cell]]
    names: int
    notes: list[str]  # the meaning of marks that occur in the table


def undetermined_note(rows: list[list[Cell]]) -> list[str]:
    """Return the note on undetermined values; none if no cell is undetermined."""
    found = any(cell.text == UNDETERMINED for row in rows for cell in row)
    return ["undetermined: the data do not determine this value"] if found else []


def grid_html(grid: Grid) -> str:
    """Return a grid as an HTML table, in which every text is shown letter by letter.

    Examples
    --------
    >>> text = grid_html(Grid("<b>", ["atom", "bit"], [[Cell("R"), Cell("0.5", "[0, 1]")]], 1, []))
    >>> "&lt;b&gt;" in text, "<b>" in text
    (True, False)
    """
    hidden = len(grid.rows) - MOST_ROWS
    notes = [*grid.notes, *([f"and {hidden} more rows"] if hidden > 0 else [])]
    return _template().render(grid=grid, rows=grid.rows[:MOST_ROWS], notes=notes)


@cache
def _template() -> Template:
    from jinja2 import Environment  # here, because only notebooks need it

    text = resources.files(__package__).joinpath("grid.html").read_text("utf-8")
    return Environment(autoescape=True).from_string(text)


def grid_markdown(grid: Grid) -> str:
    """Return a grid as a Markdown table with its title and notes."""
    align = [":--"] * grid.names + ["--:"] * (len(grid.columns) - grid.names)
    lines = [[_markdown(column) for column in grid.columns], align]
    lines += [[_markdown(str(cell)) for cell in row] for row in grid.rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n\n".join([f"**{_markdown(grid.title)}**", table, *map(_markdown, grid.notes)]) + "\n"


def _markdown(text: str) -> str:
    r"""Escape what Markdown, its extensions or HTML would read as structure.

    Examples
    --------
    >>> _markdown("a|b <i>")
    'a\\|b &lt;i&gt;'
    """
    text = "".join(c if c.isprintable() else " " for c in text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for character in "\\|`*_[]~^$#!":
        text = text.replace(character, "\\" + character)
    return " ".join(text.split())

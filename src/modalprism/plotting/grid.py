"""Tables before they have a form, and their forms as HTML and as Markdown.

The HTML is for notebooks: it needs no style sheet and reads on light and on dark pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Final, NamedTuple

from modalprism.results.estimate import Estimate
from modalprism.results.notation import NOISE_MARK, UNDETERMINED, parts, significance

MOST_ROWS: Final = 48  # twelve cases of four atoms
# No colour of text or ground is set, so that both stay those of the page; lines are half-clear
# grey, which shows on either.
_LINE: Final = "1px solid rgba(128,128,128,.45)"
_CELL: Final = "padding:.2em .7em .2em 0;vertical-align:top;background:none"
_FAINT: Final = "opacity:.72;font-size:.9em"


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
    shown, hidden = grid.rows[:MOST_ROWS], len(grid.rows) - MOST_ROWS
    notes = [*grid.notes, *([f"and {hidden} more rows"] if hidden > 0 else [])]
    head = "".join(
        f'<th scope="col" style="{_align(index < grid.names)};border-bottom:{_LINE}">'
        f"{escape(column)}</th>"
        for index, column in enumerate(grid.columns)
    )
    body = "".join(f"<tr>{_row(row, grid.names)}</tr>" for row in shown)
    foot = f'<div style="{_FAINT}">{escape("; ".join(notes))}</div>' if notes else ""
    return (
        '<div style="overflow-x:auto;margin-bottom:.8em">'
        '<table style="border-collapse:collapse;font-variant-numeric:tabular-nums;background:none">'
        '<caption style="caption-side:top;text-align:left;color:inherit;font-weight:600">'
        f"{escape(grid.title)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{foot}</div>"
    )


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


def _row(row: list[Cell], names: int) -> str:
    cells = []
    for index, cell in enumerate(row):
        name = index < names
        text = escape(cell.text)
        if cell.text == UNDETERMINED:
            text = f"<em>{text}</em>"
        if cell.colour and name:
            text = f"{_swatch(cell.colour)}{text}"
        elif cell.colour:
            text = f'<span style="font-family:monospace;color:{escape(cell.colour)}">{text}</span>'
        if cell.aside:
            text += f' <span style="{_FAINT};white-space:nowrap">{escape(cell.aside)}</span>'
        kind = '<th scope="row"' if name else "<td"
        cells.append(f'{kind} style="{_align(name)}">{text}</{"th" if name else "td"}>')
    return "".join(cells)


def _align(name: bool) -> str:
    return (
        f"text-align:{'left' if name else 'right'};font-weight:{'500' if name else '400'};{_CELL}"
    )


def _swatch(colour: str) -> str:
    return (
        f'<span style="display:inline-block;width:.75em;height:.75em;margin-right:.4em;'
        f'border:{_LINE};background:{escape(colour)}"></span>'
    )

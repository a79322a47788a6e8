"""Tables for notebooks: HTML that needs no style sheet and reads on light and on dark pages."""

from __future__ import annotations

from html import escape
from typing import Final

from modalprism.plotting.courses import course_grid
from modalprism.plotting.grid import Cell, Grid
from modalprism.plotting.notation import UNDETERMINED, counts
from modalprism.plotting.readings import Measured, Readings
from modalprism.plotting.views import answer_grid

MOST_ROWS: Final = 48  # twelve cases of four atoms
# No colour of text or ground is set, so that both stay those of the page; lines are half-clear
# grey, which shows on either.
_LINE: Final = "1px solid rgba(128,128,128,.45)"
_CELL: Final = "padding:.2em .7em .2em 0;vertical-align:top;background:none"
_FAINT: Final = "opacity:.72;font-size:.9em"


def grid_html(grid: Grid) -> str:
    """Return a grid as an HTML table.

    Parameters
    ----------
    grid : Grid
        The table. Every text in it is shown letter by letter.

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


def profile_html(profile: Measured) -> str:
    """Return a profile as HTML: its answers, and the course of each atom over the layers.

    Parameters
    ----------
    profile : Measured
        A profile.
    """
    readings = Readings(profile)
    first, second = readings.modalities
    title = str(profile.manifest.get("title") or "Profile")
    facts = f"{first} and {second}, {counts(*readings.sizes())}; brackets are 95 % intervals"
    if readings.cases("stream") or readings.cases("encoding"):
        facts += ", p-values over depth are corrected for its layers"
    tables = [grid_html(answer_grid(readings, p_values=True))] if readings.cases("answer") else []
    tables += [
        grid_html(course_grid(readings, view, detail=True))
        for view in ("stream", "encoding")
        if readings.cases(view)
    ]
    head = f"<div><strong>{escape(title)}</strong>: {escape(facts)}</div>"
    return head + ("".join(tables) or "<div>Nothing is decomposed in it.</div>")


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

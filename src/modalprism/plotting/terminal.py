"""Tables for the terminal, in the form that has room there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise, zip_longest
from typing import Final, Literal

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from modalprism.plotting.courses import course_grid
from modalprism.plotting.grid import Cell, Grid
from modalprism.plotting.views import view_grid
from modalprism.results.table import Table as Results

MOST_ROWS: Final = 12  # of layers; if there are more, their courses are shown
_UNBOUNDED: Final = 10_000  # columns


class TerminalTable:
    """A table that fits its terminal: the first of its forms that has room, or the last.

    Rich prints it like any of its own tables, as plain text where it is piped.
    """

    def __init__(self, grid: Grid, forms: Sequence[Callable[[Grid], Table]] = ()) -> None:
        self.grid = grid
        # The last one is folded as well as it can be.
        self.forms = forms or (_wide, _stacked, partial(_stacked, narrow=True), _stacked)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        roomy = options.update(width=_UNBOUNDED)
        for table in (form(self.grid) for form in self.forms):
            if Measurement.get(console, roomy, table).maximum <= options.max_width:
                break
        yield table


def layer_table(results: Results, view: str) -> TerminalTable:
    """Return the stream or the encoding view for the terminal.

    It has one row per model, dataset and depth; if these are more than `MOST_ROWS`, one row per
    model, dataset and atom, with its course over depth as a sparkline.
    """
    grid = view_grid(results, view)
    if len(grid.rows) <= MOST_ROWS:
        return TerminalTable(grid)
    courses = course_grid(results, view)
    where = f"every layer's numbers and intervals: tables/{view}.md in the run's folder"
    return TerminalTable(replace(courses, notes=[*courses.notes, where]), (_wide, _by_case))


def _wide(grid: Grid) -> Table:
    rows = [[_text(cell, " ") for cell in row] for row in grid.rows]
    return _table(grid, grid.columns, rows, grid.names, _new_models(grid))


def _by_case(grid: Grid) -> Table:
    """Put the names of a case below each other, beside its four atoms, and space between cases."""
    rows, atom = [], grid.names - 1
    for index, row in enumerate(grid.rows):
        names = [*(cell.text for cell in row[:atom]), "", ""]
        rows.append([Text(names[index % 4]), *(_text(cell, " ") for cell in row[atom:])])
    heads = ["\n".join(grid.columns[:atom]), *grid.columns[atom:]]
    return _table(grid, heads, rows, 2, set(range(3, len(rows), 4)))


def _stacked(grid: Grid, narrow: bool = False) -> Table:
    """Put the model above its dataset, and each value above its interval; break at spaces."""
    heads = ["\n".join(grid.columns[: grid.names]), *grid.columns[grid.names :]]
    rows = []
    for row in grid.rows:
        name = Text("\n".join(cell.text for cell in row[: grid.names]))
        rows.append([name, *(_text(cell, "\n") for cell in row[grid.names :])])
    widths: list[int | None] = []
    for index, head in enumerate(heads):
        words = f"{head} {' '.join(row[index].plain for row in rows)}".split()
        widths.append(min(max(map(cell_len, words)), 18 if index == 0 else 12) if narrow else None)
    return _table(grid, heads, rows, 1, _new_models(grid), padding=0, widths=widths)


def _new_models(grid: Grid) -> set[int]:
    """Return the rows after which the next row has another model."""
    return {k for k, (a, b) in enumerate(pairwise(grid.rows)) if a[0] != b[0]}


def _table(
    grid: Grid,
    heads: Sequence[str],
    rows: list[list[Text]],
    names: int,
    ends: set[int],
    *,
    padding: int = 1,
    widths: Sequence[int | None] = (),
) -> Table:
    """Return rows as a table; the first `names` columns are flush left, and `ends` end a block."""
    # Text, not str, here and in every cell: a name such as "[bold]" is a name, not markup.
    table = Table(
        title=Text(grid.title),
        caption=Text("; ".join(grid.notes)) if grid.notes else None,
        box=box.SIMPLE_HEAD,
        padding=(0, padding, 0, 0),
        title_justify="left",
        caption_justify="left",
        pad_edge=False,
    )
    for index, (head, width) in enumerate(zip_longest(heads, widths)):
        justify: Literal["left", "right"] = "left" if index < names else "right"
        table.add_column(Text(head), justify=justify, overflow="fold", width=width)
    for index, row in enumerate(rows):
        table.add_row(*row, end_section=index in ends)
    return table


def _text(cell: Cell, between: str) -> Text:
    text = Text(cell.text, style=cell.colour)
    return text.append(between + cell.aside, "dim") if cell.aside else text

"""The numbers of a profile as tables: for the terminal, for documents and for the page."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from modalprism.reports.readings import Case, Reading, Readings, Skill
from modalprism.reports.style import NOISE_MARK, atom_styles, interval, number, percent
from modalprism.studies.profile import Profile

ABSENT: Final = "–"  # the study did not measure it, which is not the same as undetermined
_UNBOUNDED: Final = 10_000  # columns
VIEW_TITLES: Final = {
    "answer": "Answer view: what the decision takes from each modality",
    "stream": "Stream view: what the two streams hold at each depth",
    "encoding": "Encoding view: what the fused state keeps of each modality",
}


class Cell(NamedTuple):
    """What stands in a cell, and its interval or note beside it."""

    text: str
    aside: str = ""

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


def answer_grid(profile: Profile, detail: bool = False) -> Grid:
    """Lay out the answer view, one row per model, dataset and kind of pairs.

    Parameters
    ----------
    profile : Profile
        The profile of a run.
    detail : bool
        Also the fraction of the information that probes recovered, the solver's gap, and n where
        it differs from row to row.
    """
    readings = Readings(profile)
    names = ["model", "dataset", "pairs"]
    columns = [*names, *_number_columns(readings), "accuracy (chance)"]
    if detail:
        smallest, largest = readings.sizes("answer")
        columns += [
            "recovered",
            f"gap ({readings.unit('answer')})",
            *(["n"] if smallest < largest else []),
        ]
    rows = []
    for case in readings.cases("answer"):
        cells = [Cell(case.model), Cell(case.dataset), Cell(case.pairs or ABSENT)]
        cells += _numbers(readings, case, "answer", None)
        cells.append(_accuracy(readings.skill(case.model, case.dataset)))
        if detail:
            recovered = readings.get(case, "answer", "recovered")
            redundancy = readings.get(case, "answer", "redundancy")
            cells.append(Cell(percent(recovered) if recovered else ABSENT))
            cells += _checks(redundancy)
        rows.append(cells[: len(columns)])
    return Grid(_title(readings, "answer"), columns, rows, len(names), _notes(rows))


def layer_grid(profile: Profile, view: str) -> Grid:
    """Lay out a layer view, one row per model, dataset and depth.

    Where the target is codes, the last column says how far any atom's part of the information
    moves at most with half or double the codes.
    """
    readings = Readings(profile)
    several = len(readings.pairs(view)) > 1
    names = ["model", "dataset", *(["pairs"] if several else []), "layer"]
    moves = {
        (case, layer): move
        for case in readings.cases(view)
        for layer in readings.layers(case, view)
        if (move := readings.get(case, view, "code_sensitivity", "", layer)) is not None
    }
    rows = []
    for case in readings.cases(view):
        for layer in readings.layers(case, view):
            cells = [Cell(case.model), Cell(case.dataset)]
            cells += [Cell(case.pairs or ABSENT)] if several else []
            cells.append(Cell(readings.layer_name(case, view, layer)))
            cells += _numbers(readings, case, view, layer)
            if moves:
                move = moves.get((case, layer))
                cells.append(Cell(ABSENT if move is None else number(move.value)))
            rows.append(cells)
    columns = [*names, *_number_columns(readings), *(["moved by codes"] if moves else [])]
    return Grid(_title(readings, view), columns, rows, len(names), _notes(rows))


class TerminalTable:
    """A table that fits its terminal: one line a row where there is room, else stacked cells.

    Rich prints it like any of its own tables, as plain text where it is piped.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        roomy = options.update(width=_UNBOUNDED)
        for table in (_wide(self.grid), _stacked(self.grid), _stacked(self.grid, narrow=True)):
            if Measurement.get(console, roomy, table).maximum <= options.max_width:
                yield table
                return
        yield _stacked(self.grid)  # Rich folds it as well as it can


def answer_table(profile: Profile) -> TerminalTable:
    """Return the answer view for the terminal.

    Parameters
    ----------
    profile : Profile
        The profile of a run.

    Returns
    -------
    TerminalTable
        One row per model, dataset and kind of pairs: atoms and information with their intervals,
        the first modality's contribution, and accuracy beside chance.
    """
    return TerminalTable(answer_grid(profile))


def layer_table(profile: Profile, view: str) -> TerminalTable:
    """Return a layer view for the terminal.

    Parameters
    ----------
    profile : Profile
        The profile of a run.
    view : str
        ``stream`` or ``encoding``.

    Returns
    -------
    TerminalTable
        One row per model, dataset and depth.
    """
    return TerminalTable(layer_grid(profile, view))


def answer_markdown(profile: Profile) -> str:
    """Return the answer view as a Markdown table with its title and notes.

    Parameters
    ----------
    profile : Profile
        The profile of a run.
    """
    grid = answer_grid(profile)
    align = [":--"] * grid.names + ["--:"] * (len(grid.columns) - grid.names)
    lines = [[_escaped(column) for column in grid.columns], align]
    lines += [[_escaped(str(cell)) for cell in row] for row in grid.rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n\n".join([f"**{_escaped(grid.title)}**", table, *map(_escaped, grid.notes)]) + "\n"


def _number_columns(readings: Readings) -> list[str]:
    symbols = [style.symbol for style in atom_styles(readings.modalities)]
    return [*symbols, "I", f"C {readings.modalities[0]}"]


def _numbers(readings: Readings, case: Case, view: str, layer: int | None) -> list[Cell]:
    information = readings.get(case, view, "information", "", layer)
    contribution = readings.get(case, view, "contribution", readings.modalities[0], layer)
    cells = [_amount(r) for r in (*readings.atoms(case, view, layer), information)]
    if contribution is None:
        return [*cells, Cell(ABSENT)]
    text, _, aside = percent(contribution).partition(" [")
    return [*cells, Cell(text, f"[{aside}" if aside else "")]


def _amount(reading: Reading | None) -> Cell:
    if reading is None:
        return Cell(ABSENT)
    mark = NOISE_MARK if reading.noise else ""
    return Cell(number(reading.value) + mark, interval(reading))


def _accuracy(skill: Skill | None) -> Cell:
    if skill is None:
        return Cell(ABSENT)
    chance = f"({number(skill.chance.value)})"
    return Cell(
        number(skill.accuracy.value), chance if skill.above_chance else f"{chance} not learnt"
    )


def _checks(reading: Reading | None) -> list[Cell]:
    if reading is None:
        return [Cell(ABSENT), Cell(ABSENT)]
    gap = f"{reading.gap:.1g}" if math.isfinite(reading.gap) else ABSENT
    return [Cell(gap), Cell(f"{reading.n:,}")]


def _title(readings: Readings, view: str) -> str:
    facts = [f"target: {readings.target(view)}", f"R, U, S and I in {readings.unit(view)}"]
    return f"{VIEW_TITLES.get(view, view)} ({', '.join(facts)}; [95 % intervals])"


def _notes(rows: list[list[Cell]]) -> list[str]:
    texts = [cell.text for row in rows for cell in row]
    notes = []
    if any(text.endswith(NOISE_MARK) for text in texts):
        notes.append(
            f"{NOISE_MARK} not distinguishable from noise (permutation null, p or q > 0.05)"
        )
    if "undetermined" in texts:
        notes.append("undetermined: the data do not determine this value")
    if ABSENT in texts:
        notes.append(f"{ABSENT} not measured in this study")
    return notes


def _wide(grid: Grid) -> Table:
    table = _frame(grid)
    for index, column in enumerate(grid.columns):
        table.add_column(Text(column), justify="left" if index < grid.names else "right")
    _fill(table, grid, [[_text(cell, " ") for cell in row] for row in grid.rows])
    return table


def _stacked(grid: Grid, narrow: bool = False) -> Table:
    """Put the model above its dataset, and each value above its interval; break at spaces."""
    heads = ["\n".join(grid.columns[: grid.names]), *grid.columns[grid.names :]]
    rows = []
    for row in grid.rows:
        name = Text("\n".join(cell.text for cell in row[: grid.names]))
        rows.append([name, *(_text(cell, "\n") for cell in row[grid.names :])])
    table = _frame(grid, padding=0)
    for index, head in enumerate(heads):
        words = f"{head} {' '.join(row[index].plain for row in rows)}".split()
        table.add_column(
            Text(head),
            justify="right" if index else "left",
            overflow="fold",
            width=min(max(map(len, words)), 18 if index == 0 else 12) if narrow else None,
        )
    _fill(table, grid, rows)
    return table


def _frame(grid: Grid, padding: int = 1) -> Table:
    # Text, not str, here and in every cell: a name such as "[bold]" is a name, not markup.
    return Table(
        title=Text(grid.title),
        caption=Text("; ".join(grid.notes)) if grid.notes else None,
        box=box.SIMPLE_HEAD,
        padding=(0, padding, 0, 0),
        title_justify="left",
        caption_justify="left",
        pad_edge=False,
    )


def _fill(table: Table, grid: Grid, rows: list[list[Text]]) -> None:
    for index, row in enumerate(rows):
        after = grid.rows[min(index + 1, len(rows) - 1)]
        table.add_row(*row, end_section=after[0] != grid.rows[index][0])


def _text(cell: Cell, between: str) -> Text:
    text = Text(cell.text)
    return text.append(between + cell.aside, "dim") if cell.aside else text


def _escaped(text: str) -> str:
    r"""Escape what Markdown or HTML would read as structure.

    Examples
    --------
    >>> _escaped("a|b <i>")
    'a\\|b &lt;i&gt;'
    """
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for character in "\\|`*_[]":
        text = text.replace(character, "\\" + character)
    return " ".join(text.split())

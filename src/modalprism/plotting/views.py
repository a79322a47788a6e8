"""The numbers of each view as a grid: one row an answer, or one row a depth."""

from __future__ import annotations

import math
from typing import Final

from modalprism.plotting.atoms import atom_styles
from modalprism.plotting.grid import Cell, Grid
from modalprism.plotting.notation import (
    NOISE_MARK,
    UNDETERMINED,
    interval,
    number,
    percent,
    significance,
)
from modalprism.plotting.reading import Reading
from modalprism.plotting.readings import Case, Readings, Skill

ABSENT: Final = "–"  # the study did not measure it, which is not the same as undetermined
VIEW_TITLES: Final = {
    "answer": "Answer view: what the decision takes from each modality",
    "stream": "Stream view: what the two streams hold at each depth",
    "encoding": "Encoding view: what the fused state keeps of each modality",
}


def answer_grid(readings: Readings, detail: bool = False, p_values: bool = False) -> Grid:
    """Lay out the answer view, one row per model, dataset and kind of pairs.

    Parameters
    ----------
    readings : Readings
        The readings of a run's profile.
    detail : bool
        Also the fraction of the information that probes recovered, the solver's gap, and n where
        it differs from row to row.
    p_values : bool
        Also the p-value of each number that was tested.
    """
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
        cells += _numbers(readings, case, "answer", None, p_values)
        cells.append(_accuracy(readings.skill(case.model, case.dataset)))
        if detail:
            recovered = readings.get(case, "answer", "recovered")
            redundancy = readings.get(case, "answer", "redundancy")
            cells.append(Cell(percent(recovered) if recovered else ABSENT))
            cells += _checks(redundancy)
        rows.append(cells[: len(columns)])
    return Grid(_title(readings, "answer"), columns, rows, len(names), _notes(rows))


def layer_grid(readings: Readings, view: str) -> Grid:
    """Lay out a layer view, one row per model, dataset and depth.

    Where the target is codes, the last column says how far any atom's part of the information
    moves at most with half or double the codes.
    """
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


def _number_columns(readings: Readings) -> list[str]:
    symbols = [style.symbol for style in atom_styles(readings.modalities)]
    return [*symbols, "I", f"C {readings.modalities[0]}"]


def _numbers(
    readings: Readings, case: Case, view: str, layer: int | None, p_values: bool = False
) -> list[Cell]:
    information = readings.get(case, view, "information", "", layer)
    contribution = readings.get(case, view, "contribution", readings.modalities[0], layer)
    atoms = readings.atoms(case, view, layer)
    cells = [amount(reading, p_values) for reading in (*atoms, information)]
    if contribution is None:
        return [*cells, Cell(ABSENT)]
    text, _, aside = percent(contribution).partition(" [")
    tested = significance(contribution.p_value) if p_values else ""
    return [*cells, Cell(text, f"{f'[{aside}' if aside else ''} {tested}".strip())]


def amount(reading: Reading | None, p_value: bool = False) -> Cell:
    """Put a reading into a cell: its value, marked if it is noise, its interval, its p-value."""
    if reading is None:
        return Cell(ABSENT)
    mark = NOISE_MARK if reading.noise else ""
    tested = significance(reading.p_value) if p_value else ""
    return Cell(number(reading.value) + mark, f"{interval(reading)} {tested}".strip())


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
    if UNDETERMINED in texts:
        notes.append("undetermined: the data do not determine this value")
    if ABSENT in texts:
        notes.append(f"{ABSENT} not measured in this study")
    return notes

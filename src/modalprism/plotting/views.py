"""Tables of each view: a row an answer or a depth, and of one analysis: a row a quantity."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from modalprism.plotting.atoms import atom_styles
from modalprism.plotting.courses import course_grid
from modalprism.plotting.grid import Cell, Grid, grid_html
from modalprism.results.estimate import Estimate
from modalprism.results.notation import (
    ABSENT,
    NOISE_MARK,
    UNDETERMINED,
    counts,
    number,
    significance,
)
from modalprism.results.quantities import ATOMS, BY_NAME, keys, row_title
from modalprism.results.table import VIEW_TITLES, Case, Skill, Table

if TYPE_CHECKING:
    from modalprism.estimation.analysis import Analysis


def analysis_grid(analysis: Analysis) -> Grid:
    """Lay out the quantities of an analysis that short tables show, a row each."""
    styles = atom_styles(analysis.modalities)
    colours = dict(zip(keys(ATOMS, analysis.modalities), styles, strict=True))
    rows = []
    for name, modality, estimate in analysis.quantities():
        if name in BY_NAME and BY_NAME[name].short:
            style = colours.get((name, modality or ""))
            cells = [
                Cell(row_title(name, modality), colour=style.colour if style else ""),
                Cell.of(estimate, 3),
                Cell("" if estimate.unit == "1" else estimate.unit),
                Cell(significance(estimate.p_value)),
            ]
            rows.append(cells)
    head = f"{' and '.join(analysis.modalities)} about {analysis.target}"
    notes = [
        f"n = {analysis.n:,}, {analysis.estimator}, gap {analysis.gap:.1e} {analysis.unit}",
        "brackets are 95 % intervals",
        ".frame() has every quantity",
        *analysis.cautions,
    ]
    return Grid(head, ["quantity", "value", "unit", "p-value"], rows, 1, notes)


def profile_html(results: Table) -> str:
    """Return a profile as HTML: its answers, and the course of each atom over the layers."""
    first, second = results.modalities
    layered = [view for view in ("stream", "encoding") if results.cases(view)]
    facts = f"{first} and {second}, {counts(*results.sizes())}; brackets are 95 % intervals"
    if layered:
        facts += ", p-values over depth are corrected for its layers"
    grids = [answer_grid(results, p_values=True)] if results.cases("answer") else []
    grids += [course_grid(results, view, detail=True) for view in layered]
    title = escape(str(results.manifest.get("title") or "Profile"))
    head = f"<div><strong>{title}</strong>: {escape(facts)}</div>"
    return head + ("".join(map(grid_html, grids)) or "<div>Nothing is decomposed in it.</div>")


def view_grid(results: Table, view: str, detail: bool = False) -> Grid:
    """Lay out a view; see `answer_grid` and `layer_grid`."""
    return answer_grid(results, detail) if view == "answer" else layer_grid(results, view)


def answer_grid(results: Table, detail: bool = False, p_values: bool = False) -> Grid:
    """Lay out the answer view, one row per model, dataset and kind of pairs.

    Parameters
    ----------
    results : Table
        The results of a run's profile.
    detail : bool
        Also the fraction of the information that probes recovered, the solver's gap, and n where
        it differs from row to row.
    p_values : bool
        Also the p-value of each number that was tested.
    """
    names = ["model", "dataset", "pairs"]
    columns = [*names, *_number_columns(results), "accuracy (chance)"]
    if detail:
        smallest, largest = results.sizes("answer")
        columns += [
            "recovered",
            f"gap ({results.unit('answer')})",
            *(["n"] if smallest < largest else []),
        ]
    rows = []
    for case in results.cases("answer"):
        cells = [Cell(case.model), Cell(case.dataset), Cell(case.pairs or ABSENT)]
        cells += _numbers(results, case, "answer", None, p_values)
        cells.append(_accuracy(results.skill(case.model, case.dataset)))
        if detail:
            recovered = results.get(case, "answer", "recovered")
            redundancy = results.get(case, "answer", "redundancy")
            cells.append(Cell.of(recovered, percent=True))
            cells += _checks(redundancy)
        rows.append(cells[: len(columns)])
    return Grid(_title(results, "answer"), columns, rows, len(names), _notes(rows))


def layer_grid(results: Table, view: str) -> Grid:
    """Lay out a layer view, one row per model, dataset and depth.

    Where the target is codes, the last column says how far any atom's part of the information
    moves at most with half or double the codes.
    """
    several = len(results.pairs(view)) > 1
    names = ["model", "dataset", *(["pairs"] if several else []), "layer"]
    moves = {
        (case, layer): move
        for case in results.cases(view)
        for layer in results.layers(case, view)
        if (move := results.get(case, view, "code_sensitivity", "", layer)) is not None
    }
    rows = []
    for case in results.cases(view):
        for layer in results.layers(case, view):
            cells = [Cell(case.model), Cell(case.dataset)]
            cells += [Cell(case.pairs or ABSENT)] if several else []
            cells.append(Cell(results.layer_name(case, view, layer)))
            cells += _numbers(results, case, view, layer)
            if moves:
                cells.append(Cell.of(moves.get((case, layer))))
            rows.append(cells)
    columns = [*names, *_number_columns(results), *(["moved by codes"] if moves else [])]
    return Grid(_title(results, view), columns, rows, len(names), _notes(rows))


def _number_columns(results: Table) -> list[str]:
    symbols = [style.symbol for style in atom_styles(results.modalities)]
    return [*symbols, "I", f"C {results.modalities[0]}"]


def _numbers(
    results: Table, case: Case, view: str, layer: int | None, p_values: bool = False
) -> list[Cell]:
    information = results.get(case, view, "information", "", layer)
    contribution = results.get(case, view, "contribution", results.modalities[0], layer)
    atoms = results.atoms(case, view, layer)
    cells = [Cell.of(each, noise=True, p_value=p_values) for each in (*atoms, information)]
    return [*cells, Cell.of(contribution, percent=True, p_value=p_values)]


def _accuracy(skill: Skill | None) -> Cell:
    if skill is None:
        return Cell(ABSENT)
    chance = f"({number(skill.chance.value)})"
    return Cell(
        number(skill.accuracy.value), chance if skill.above_chance else f"{chance} not learnt"
    )


def _checks(estimate: Estimate | None) -> list[Cell]:
    if estimate is None:
        return [Cell(ABSENT), Cell(ABSENT)]
    gap = f"{estimate.gap:.1g}" if math.isfinite(estimate.gap) else ABSENT
    return [Cell(gap), Cell(f"{estimate.n:,}")]


def _title(results: Table, view: str) -> str:
    facts = [f"target: {results.target(view)}", f"R, U, S and I in {results.unit(view)}"]
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

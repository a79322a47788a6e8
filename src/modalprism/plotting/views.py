"""Tables of each view: a row an answer or a depth, and of one analysis: a row a quantity."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from modalprism.plotting.courses import course_grid
from modalprism.plotting.grid import Cell, Grid, grid_html, undetermined_note
from modalprism.plotting.style import atom_styles
from modalprism.results.notation import ABSENT, NOISE_MARK, counts, number, significance
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
    grids = [view_grid(results, "answer", p_values=True)] if results.cases("answer") else []
    grids += [course_grid(results, view, detail=True) for view in layered]
    title = escape(str(results.manifest.get("title") or "Profile"))
    head = f"<div><strong>{title}</strong>: {escape(facts)}</div>"
    return head + ("".join(map(grid_html, grids)) or "<div>Nothing is decomposed in it.</div>")


def view_grid(results: Table, view: str, *, detail: bool = False, p_values: bool = False) -> Grid:
    """Lay out a view: one row per model, dataset and kind of pairs, and per depth if it has depths.

    With `detail`, answers also have the fraction of the information that probes recovered, the
    solver's gap, and n if it differs from row to row. With `p_values`, each number that was tested
    has its p-value.
    """
    layered = view != "answer"
    paired = not layered or len(results.pairs(view)) > 1
    places = [(case, layer) for case in results.cases(view) for layer in results.layers(case, view)]
    more = _layer_columns(results, view, places) if layered else _answer_columns(results, detail)
    rows = []
    for place, (case, layer) in enumerate(places):
        cells = [Cell(case.model), Cell(case.dataset)]
        cells += [Cell(case.pairs or ABSENT)] if paired else []
        cells += [Cell(results.layer_name(case, view, layer))] if layered else []
        information = results.get(case, view, "information", "", layer)
        amounts = (*results.atoms(case, view, layer), information)
        cells += [Cell.of(each, noise=True, p_value=p_values) for each in amounts]
        share = results.get(case, view, "contribution", results.modalities[0], layer)
        cells.append(Cell.of(share, percent=True, p_value=p_values))
        rows.append([*cells, *(column[place] for column in more.values())])
    names = ["model", "dataset", *["pairs"] * paired, *["layer"] * layered]
    symbols = [style.symbol for style in atom_styles(results.modalities)]
    columns = [*names, *symbols, "I", f"C {results.modalities[0]}", *more]
    facts = f"target: {results.target(view)}, R, U, S and I in {results.unit(view)}"
    title = f"{VIEW_TITLES.get(view, view)} ({facts}; [95 % intervals])"
    return Grid(title, columns, rows, len(names), _notes(rows))


def _answer_columns(results: Table, detail: bool) -> dict[str, list[Cell]]:
    cases = results.cases("answer")
    skills = [results.skill(case) for case in cases]
    columns = {"accuracy (chance)": list(map(_accuracy, skills))}
    if detail:
        recovered = [results.get(case, "answer", "recovered") for case in cases]
        columns["recovered"] = [Cell.of(each, percent=True) for each in recovered]
        known = [atom for case in cases if (atom := results.atoms(case, "answer")[0]) is not None]
        columns[f"gap ({results.unit('answer')})"] = [
            Cell(f"{atom.gap:.1g}" if math.isfinite(atom.gap) else ABSENT) for atom in known
        ]
        smallest, largest = results.sizes("answer")
        if smallest < largest:
            columns["n"] = [Cell(f"{atom.n:,}") for atom in known]
    return columns


def _layer_columns(
    results: Table, view: str, places: list[tuple[Case, int]]
) -> dict[str, list[Cell]]:
    """Return how far the number of codes moves the atoms, if the target is codes."""
    moves = [results.get(case, view, "code_sensitivity", "", layer) for case, layer in places]
    return {"moved by codes": list(map(Cell.of, moves))} if any(moves) else {}


def _accuracy(skill: Skill | None) -> Cell:
    if skill is None:
        return Cell(ABSENT)
    chance = f"({number(skill.chance.value)})"
    return Cell(
        number(skill.accuracy.value), chance if skill.above_chance else f"{chance} not learnt"
    )


def _notes(rows: list[list[Cell]]) -> list[str]:
    texts = [cell.text for row in rows for cell in row]
    notes = []
    if any(text.endswith(NOISE_MARK) for text in texts):
        notes.append(
            f"{NOISE_MARK} not distinguishable from noise (permutation null, p or q > 0.05)"
        )
    notes += undetermined_note(rows)
    if ABSENT in texts:
        notes.append(f"{ABSENT} not measured in this study")
    return notes

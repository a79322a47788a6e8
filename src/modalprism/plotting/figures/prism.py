"""The prism: the information behind each answer, split into its four atoms."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from modalprism.plotting.bar import draw_bar, leave_room
from modalprism.plotting.figures.panels import bare, footer, heading, patches
from modalprism.plotting.figures.rows import AXIS_LETTERS, PANEL_WIDTH, AnswerRows
from modalprism.plotting.figures.tooltips import hover_row
from modalprism.plotting.style import INK, atom_styles
from modalprism.results.estimate import Estimate
from modalprism.results.notation import label, parts, written
from modalprism.results.quantities import ATOMS, keys
from modalprism.results.table import Case, Table

_FRACTIONS = tuple(f"{atom}_fraction" for atom in ATOMS)


def prism_figure(results: Table, *, percent: bool = False) -> Figure:
    """Draw one stacked bar per model, dataset and kind of pairs.

    Negative atoms are stacked to the left of zero, and a tick marks I, the sum of the atoms. Bars
    are in the study's unit, or in per cent of the information.
    """
    styles = atom_styles(results.shown)
    rows = AnswerRows.of(results)
    figure, panels = rows.canvas(results)
    by_kind = dict(panels)
    quantity = "part of the information" if percent else "information"
    unit = "%" if percent else results.unit("answer")
    reach = [0.0, 0.0]
    for case in results.cases("answer"):
        atoms, total = results.atoms(case, "answer"), results.get(case, "answer", "information")
        text = None
        if percent:
            atoms, total, text = _in_percent(results, case, total)
        ends = draw_bar(
            by_kind[case.pairs],
            rows.place(case),
            atoms,
            total,
            styles,
            text=text,
            alpha=1 if rows.learnt(case) else 0.45,
        )
        reach = [min(reach[0], ends[0]), max(reach[1], ends[1])]
        said = [
            f"{style.name}: {written(atom)}"
            for style, atom in zip(styles, atoms, strict=True)
            if atom is not None
        ]
        title = f"{case.name}, {case.pairs} pairs" if case.pairs else case.name
        hover_row(by_kind[case.pairs], rows.place(case), "\n".join([title, *said]))
    leave_room(panels[0][1], reach[0], reach[1], PANEL_WIDTH)
    for _, axes in panels:
        bare(axes)
        axes.axvline(0, color=INK, linewidth=0.8)
        words = f"{quantity} about {results.target('answer')} ({unit})"
        axes.set_xlabel(label(words, AXIS_LETTERS))
    tick = Line2D([], [], color=INK, marker="|", linestyle="", markersize=9, label="I, their sum")
    heading(figure, "What the answer takes from each modality", [*patches(styles), tick])
    numbers = f"numbers: I ({results.unit('answer')})"
    numbers += ", which is 100 %" if percent else " and its interval"
    footer(figure, results, "answer", "thin lines: 95 % interval of each segment", numbers)
    return figure


def _in_percent(
    results: Table, case: Case, information: Estimate | None
) -> tuple[list[Estimate | None], Estimate | None, str]:
    """Return the atoms in per cent, their sum, and the text beside the bar."""
    found = [results.get(case, "answer", *key) for key in keys(_FRACTIONS, results.modalities)]
    atoms = [None if part is None else part.scaled(100, "%") for part in found]
    known = all(part is not None and part.determined for part in found)
    if information is None or not known:
        return atoms, None, "I not told from zero"
    return atoms, Estimate(100.0, unit="%"), f"of {parts(information)[0]}"

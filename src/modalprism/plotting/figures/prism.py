"""The prism: the information behind each answer, split into its four atoms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from modalprism.plotting.atoms import INK, atom_styles
from modalprism.plotting.bar import draw_bar, leave_room
from modalprism.plotting.figures.panels import bare, footer, heading, patches
from modalprism.plotting.figures.rows import PANEL_WIDTH, Rows
from modalprism.plotting.figures.tooltips import hover_row
from modalprism.plotting.notation import amount, label, number
from modalprism.plotting.reading import Reading
from modalprism.plotting.readings import ATOM_QUANTITIES, Case, Readings

_PERCENT: Final = "%"


@dataclass(frozen=True)
class Measure:
    """In what the atoms are drawn.

    Attributes
    ----------
    atoms : callable
        From readings and a case to R, U of the first modality, U of the second, S.
    total : callable
        From readings and a case to what the atoms sum to, None where nobody knows.
    written : callable
        From readings and a case to what stands right of a bar; None for the sum and its interval.
    quantity, numbers : callable
        From readings to what the axis and the numbers are.
    """

    atoms: Callable[[Readings, Case], list[Reading | None]]
    total: Callable[[Readings, Case], Reading | None]
    written: Callable[[Readings, Case], str | None]
    quantity: Callable[[Readings], str]
    numbers: Callable[[Readings], str]


def _information(readings: Readings, case: Case) -> Reading | None:
    return readings.get(case, "answer", "information")


def _percent_of(part: Reading | None) -> Reading | None:
    if part is None:
        return None
    ends = {name: getattr(part, name) * 100 for name in ("value", "low", "high")}
    return replace(part, unit=_PERCENT, **ends)


def _parts(readings: Readings, case: Case) -> list[Reading | None]:
    owners = ("", *readings.modalities, "")
    return [
        _percent_of(readings.get(case, "answer", f"{quantity}_fraction", modality))
        for quantity, modality in zip(ATOM_QUANTITIES, owners, strict=True)
    ]


def _whole(readings: Readings, case: Case) -> Reading | None:
    known = all(part is not None and part.determined for part in _parts(readings, case))
    return Reading(100.0, unit=_PERCENT) if known else None


def _whole_in_words(readings: Readings, case: Case) -> str:
    total = _information(readings, case)
    if total is None or _whole(readings, case) is None:
        return "I not told from zero"
    return f"of {number(total.value)} {total.unit}"


def _target(readings: Readings) -> str:
    return label(readings.target("answer"), 44, 2)


AMOUNTS: Final = Measure(
    lambda readings, case: readings.atoms(case, "answer"),
    _information,
    lambda _readings, _case: None,
    lambda readings: f"information about {_target(readings)} ({readings.unit('answer')})",
    lambda readings: f"numbers: I ({readings.unit('answer')}) and its interval",
)
PARTS: Final = Measure(
    _parts,
    _whole,
    _whole_in_words,
    lambda readings: f"part of the information about {_target(readings)} (%)",
    lambda readings: f"numbers: I ({readings.unit('answer')}), which is 100 %",
)


def prism_figure(
    readings: Readings, questions: dict[str, str], seed: object = None, measure: Measure = AMOUNTS
) -> Figure:
    """Draw one stacked bar per model, dataset and kind of pairs.

    Parameters
    ----------
    readings : Readings
        The readings of a profile that has the answer view.
    questions : dict of str to str
        A line of text for each dataset; may be empty.
    seed : object
        Seed of the study, for the footer.
    measure : Measure
        `AMOUNTS`, in the study's unit, or `PARTS`, in per cent of the information.

    Returns
    -------
    matplotlib.figure.Figure
        Negative atoms are stacked to the left of zero; a tick marks I, the sum of the atoms.
    """
    styles = atom_styles(readings.shown)
    rows = Rows.of(readings, questions, len(readings.pairs("answer")))
    figure, panels = rows.canvas(readings)
    by_kind = dict(panels)
    reach = [0.0, 0.0]
    for case in readings.cases("answer"):
        atoms = measure.atoms(readings, case)
        ends = draw_bar(
            by_kind[case.pairs],
            rows.place(case),
            atoms,
            measure.total(readings, case),
            styles,
            text=measure.written(readings, case),
            alpha=1 if rows.learnt(case) else 0.45,
        )
        reach = [min(reach[0], ends[0]), max(reach[1], ends[1])]
        said = [
            f"{style.name}: {amount(atom)}"
            for style, atom in zip(styles, atoms, strict=True)
            if atom is not None
        ]
        title = f"{case.name}, {case.pairs} pairs" if case.pairs else case.name
        hover_row(by_kind[case.pairs], rows.place(case), "\n".join([title, *said]))
    leave_room(panels[0][1], reach[0], reach[1], PANEL_WIDTH)
    for _, axes in panels:
        bare(axes)
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_xlabel(measure.quantity(readings))
    tick = Line2D([], [], color=INK, marker="|", linestyle="", markersize=9, label="I, their sum")
    heading(figure, "What the answer takes from each modality", [*patches(styles), tick])
    words = ("thin lines: 95 % interval of each segment", measure.numbers(readings))
    footer(figure, readings, "answer", seed, *words)
    return figure

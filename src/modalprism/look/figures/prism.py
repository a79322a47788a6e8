"""The prism: the information behind each answer, split into its four atoms."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from modalprism.look.atoms import INK, atom_styles
from modalprism.look.bar import draw_bar, leave_room
from modalprism.look.figures.panels import bare, footer, heading, patches
from modalprism.look.figures.rows import PANEL_WIDTH, Rows
from modalprism.look.notation import label
from modalprism.look.readings import Readings


def prism_figure(readings: Readings, questions: dict[str, str], seed: object = None) -> Figure:
    """Draw one stacked bar per model, dataset and kind of pairs.

    Parameters
    ----------
    readings : Readings
        The readings of a profile that has the answer view.
    questions : dict of str to str
        A line of text for each dataset; may be empty.
    seed : object
        Seed of the study, for the footer.

    Returns
    -------
    matplotlib.figure.Figure
        Negative atoms are stacked to the left of zero; a tick marks I, the sum of the atoms.
    """
    styles = atom_styles(readings.modalities)
    unit = readings.unit("answer")
    rows = Rows.of(readings, questions, len(readings.pairs("answer")))
    figure, panels = rows.canvas(readings)
    by_kind = dict(panels)
    reach = [0.0, 0.0]
    for case in readings.cases("answer"):
        ends = draw_bar(
            by_kind[case.pairs],
            rows.place(case),
            readings.atoms(case, "answer"),
            readings.get(case, "answer", "information"),
            styles,
            alpha=1 if rows.learnt(case) else 0.45,
        )
        reach = [min(reach[0], ends[0]), max(reach[1], ends[1])]
    leave_room(panels[0][1], reach[0], reach[1], PANEL_WIDTH)
    for _, axes in panels:
        bare(axes)
        axes.axvline(0, color=INK, linewidth=0.8)
        target = label(readings.target("answer"), 44, 2)
        axes.set_xlabel(f"information about {target} ({unit})")
    tick = Line2D([], [], color=INK, marker="|", linestyle="", markersize=9, label="I, their sum")
    heading(figure, "What the answer takes from each modality", [*patches(styles), tick])
    footer(
        figure,
        readings,
        "answer",
        seed,
        "thin lines: 95 % interval of each segment",
        f"numbers: I ({unit}) and its interval",
    )
    return figure

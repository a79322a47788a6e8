"""How much of the unique information each modality contributes, where the data can tell."""

from __future__ import annotations

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from modalprism.plotting.atoms import FAINT, GRID, INK, AtomStyle, atom_styles
from modalprism.plotting.figures.panels import bare, footer, heading
from modalprism.plotting.figures.rows import Rows
from modalprism.plotting.figures.tooltips import hover_row
from modalprism.plotting.notation import UNDETERMINED, label, percent
from modalprism.plotting.reading import Reading
from modalprism.plotting.readings import Readings

_FARTHEST = 0.5  # how far beyond 0 and 1 the axis may follow an interval
_NUMBER = 0.45  # room for the number, in units of the contribution


def contribution_figure(
    readings: Readings, questions: dict[str, str], seed: object = None
) -> Figure:
    """Draw the first modality's contribution per model, dataset and kind of pairs.

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
        A contribution that the data cannot determine is a hatched band, not a point.
    """
    first, second = readings.shown
    _, one, two, _ = atom_styles(readings.shown)
    rows = Rows.of(readings, questions, len(readings.pairs("answer")))
    figure, panels = rows.canvas(readings)
    by_kind = dict(panels)
    drawn = []
    for case in readings.cases("answer"):
        reading = readings.get(case, "answer", "contribution", readings.modalities[0])
        if reading is not None:
            drawn.append((by_kind[case.pairs], rows.place(case), reading, rows.learnt(case)))
            said = f"{case.name}\ncontribution of {readings.modalities[0]}: {percent(reading)}"
            hover_row(by_kind[case.pairs], rows.place(case), said)
    ends = [e for _, _, r, _ in drawn if r.determined for e in (r.value, r.low, r.high) if e == e]
    low = max(-_FARTHEST, min(0.0, *ends, 0.0))
    high = min(1 + _FARTHEST, max(1.0, *ends, 1.0))
    for axes, height, reading, learnt in drawn:
        _row(axes, height, reading, (low, high), (one, two), learnt)
    for _, axes in panels:
        bare(axes)
        axes.set_xlim(low - 0.03, high + _NUMBER)
        axes.set_xticks(
            [0, 0.5, 1],
            [f"0\nonly {label(second, 10, 3)}", "½\nequal", f"1\nonly {label(first, 10, 3)}"],
        )
        quantity = f"contribution of {first}: U {first} / (U {first} + U {second})"
        axes.set_xlabel(quantity if len(quantity) <= 56 else label(quantity, 44, 4, prose=True))
    title = "Contribution: each modality's part of the unique information"
    heading(figure, title, _key(first, second, one, two))
    words = ["line: 95 % interval"]
    if any(not reading.determined for _, _, reading, _ in drawn):
        words.append("undetermined: the unique information is not distinguishable from zero")
    footer(figure, readings, "answer", seed, *words)
    return figure


def _key(first: str, second: str, one: AtomStyle, two: AtomStyle) -> list[Artist]:
    looks = (
        (one.marker, one.colour, f"{first} contributes more"),
        ("o", "white", "neither, within the interval"),
        (two.marker, two.colour, f"{second} contributes more"),
    )
    return [
        Line2D([], [], color=INK, marker=marker, markerfacecolor=colour, linewidth=1.4, label=words)
        for marker, colour, words in looks
    ]


def _row(
    axes: Axes,
    height: float,
    reading: Reading,
    limits: tuple[float, float],
    styles: tuple[AtomStyle, AtomStyle],
    learnt: bool,
) -> None:
    if not reading.determined:
        band = Rectangle(
            (0, height - 0.32), 1, 0.64, facecolor="#f1f3f5", edgecolor=GRID, hatch="////", zorder=2
        )
        axes.add_patch(band)
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
        axes.text(
            0.5,
            height,
            UNDETERMINED,
            ha="center",
            va="center",
            fontsize=7.5,
            color=FAINT,
            bbox=box,
            zorder=3,
        )
        return
    low, high = limits
    one, two = styles
    alpha = 1 if learnt else 0.45
    if reading.bounded:
        ends = [max(reading.low, low), min(reading.high, high)]
        axes.plot(ends, [height] * 2, color=INK, linewidth=1.4, alpha=alpha, zorder=3)
        for inside, end, marker in (
            (reading.low >= low, low, "<"),
            (reading.high <= high, high, ">"),
        ):
            if not inside:  # the interval goes on beyond the axis
                axes.plot(end, height, marker, color=INK, markersize=4, alpha=alpha, zorder=3)
    if reading.above(0.5):
        colour, marker = one.colour, one.marker
    elif reading.bounded and reading.high < 0.5:
        colour, marker = two.colour, two.marker
    else:
        colour, marker = "white", "o"
    axes.plot(
        min(max(reading.value, low), high),
        height,
        marker,
        markersize=6,
        markerfacecolor=colour,
        markeredgecolor=INK,
        markeredgewidth=0.8,
        alpha=alpha,
        zorder=4,
    )
    axes.annotate(
        percent(reading),
        (high, height),
        (10, 0),
        textcoords="offset points",
        va="center",
        fontsize=7,
    )

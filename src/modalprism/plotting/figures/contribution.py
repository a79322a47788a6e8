"""How much of the unique information each modality contributes, where the data can tell."""

from __future__ import annotations

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from modalprism.plotting.atoms import FAINT, GRID, INK, AtomStyle, atom_styles
from modalprism.plotting.figures.panels import bare, footer, heading
from modalprism.plotting.figures.rows import AXIS_LETTERS, Rows
from modalprism.plotting.figures.tooltips import hover_row
from modalprism.results.estimate import Estimate
from modalprism.results.notation import UNDETERMINED, label, letters, written
from modalprism.results.table import Table

_FORMULA = 70
"""Letters of a formula that an axis has room for."""

_FARTHEST = 0.5  # how far beyond 0 and 1 the axis may follow an interval
_NUMBER = 0.45  # room for the number, in units of the contribution


def contribution_figure(results: Table, questions: dict[str, str], seed: object = None) -> Figure:
    """Draw the first modality's contribution per model, dataset and kind of pairs.

    Parameters
    ----------
    results : Table
        The results of a profile that has the answer view.
    questions : dict of str to str
        A line of text for each dataset; may be empty.
    seed : object
        Seed of the study, for the footer.

    Returns
    -------
    matplotlib.figure.Figure
        A contribution that the data cannot determine is a hatched band, not a point.
    """
    first, second = results.shown
    _, one, two, _ = atom_styles(results.shown)
    rows = Rows.of(results, questions, len(results.pairs("answer")))
    figure, panels = rows.canvas(results)
    by_kind = dict(panels)
    drawn = []
    for case in results.cases("answer"):
        estimate = results.get(case, "answer", "contribution", results.modalities[0])
        if estimate is not None:
            drawn.append((by_kind[case.pairs], rows.place(case), estimate, rows.learnt(case)))
            said = f"contribution of {results.modalities[0]}: {written(estimate, percent=True)}"
            hover_row(by_kind[case.pairs], rows.place(case), f"{case.name}\n{said}")
    ends = [e for _, _, r, _ in drawn if r.determined for e in (r.value, r.low, r.high) if e == e]
    low = max(-_FARTHEST, min(0.0, *ends, 0.0))
    high = min(1 + _FARTHEST, max(1.0, *ends, 1.0))
    for axes, height, estimate, learnt in drawn:
        _row(axes, height, estimate, (low, high), (one, two), learnt)
    for _, axes in panels:
        bare(axes)
        axes.set_xlim(low - 0.03, high + _NUMBER)
        axes.set_xticks(
            [0, 0.5, 1],
            [f"0\nonly {label(second, 10, 2)}", "½\nequal", f"1\nonly {label(first, 10, 2)}"],
        )
        axes.set_xlabel(label(quantity_of(first, second), AXIS_LETTERS, 2, prose=True))
    title = "Contribution: each modality's part of the unique information"
    heading(figure, title, _key(first, second, one, two))
    words = ["line: 95 % interval"]
    if any(not estimate.determined for _, _, estimate, _ in drawn):
        words.append("undetermined: the unique information is not distinguishable from zero")
    footer(figure, results, "answer", seed, *words)
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
    estimate: Estimate,
    limits: tuple[float, float],
    styles: tuple[AtomStyle, AtomStyle],
    learnt: bool,
) -> None:
    if not estimate.determined:
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
    if estimate.bounded:
        ends = [max(estimate.low, low), min(estimate.high, high)]
        axes.plot(ends, [height] * 2, color=INK, linewidth=1.4, alpha=alpha, zorder=3)
        for inside, end, marker in (
            (estimate.low >= low, low, "<"),
            (estimate.high <= high, high, ">"),
        ):
            if not inside:  # the interval goes on beyond the axis
                axes.plot(end, height, marker, color=INK, markersize=4, alpha=alpha, zorder=3)
    if estimate.above(0.5):
        colour, marker = one.colour, one.marker
    elif estimate.bounded and estimate.high < 0.5:
        colour, marker = two.colour, two.marker
    else:
        colour, marker = "white", "o"
    axes.plot(
        min(max(estimate.value, low), high),
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
        written(estimate, percent=True),
        (high, height),
        (10, 0),
        textcoords="offset points",
        va="center",
        fontsize=7,
    )


def quantity_of(first: str, second: str) -> str:
    """Say what an axis of contributions shows, with the formula where names are short.

    Examples
    --------
    >>> quantity_of("image", "text")
    'contribution of image: U image / (U image + U text)'
    """
    formula = f": U {first} / (U {first} + U {second})"
    return f"contribution of {first}" + (formula if letters(formula) <= _FORMULA else "")

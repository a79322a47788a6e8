"""One stacked bar: the information, split into its four atoms, each with its interval."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from modalprism.plotting.atoms import INK, AtomStyle, atom_styles
from modalprism.plotting.glyphs import cover
from modalprism.plotting.settings import drawing
from modalprism.results.estimate import Estimate
from modalprism.results.notation import label, letters, shortened, written

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BAR: Final = 0.64  # of a row
_NUMBER_INCHES: Final = 1.05  # what the number right of a bar takes
_SIZE: Final = (6.4, 1.7)  # inches, of a bar that stands alone
_EDGE_INCHES: Final = 0.2
_SWATCH_INCHES: Final = 0.5  # what an entry of the key takes, and what each of its letters
_LETTER_INCHES: Final = 0.06


def segments(values: Sequence[float]) -> Iterator[tuple[float, float]]:
    """Start and length of each segment of a bar; negative ones go left from zero.

    Examples
    --------
    >>> list(segments([1.0, -0.5, 2.0]))
    [(0.0, 1.0), (0.0, -0.5), (1.0, 2.0)]
    """
    right = left = 0.0
    for value in values:
        if value >= 0:
            yield right, value
            right += value
        else:
            yield left, value
            left += value


def draw_bar(
    axes: Axes,
    height: float,
    atoms: Sequence[Estimate | None],
    information: Estimate | None,
    styles: Sequence[AtomStyle],
    *,
    text: str | None = None,
    alpha: float = 1,
) -> tuple[float, float]:
    """Draw one bar and return how far it reaches to the left and to the right.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    height : float
        Where the bar stands.
    atoms : sequence of Estimate or None
        R, U of the first modality, U of the second, S; what is unknown has no segment.
    information : Estimate or None
        Their sum; where it is None, it is taken from the atoms, if all are known.
    styles : sequence of AtomStyle
        The looks of the atoms, in the same order.
    text : str, optional
        Stands right of the bar; by default the sum and its interval.
    alpha : float
        Opacity of the segments.
    """
    known = [(a, s) for a, s in zip(atoms, styles, strict=True) if a and a.determined]
    reach = [0.0, 0.0]
    for (start, length), (atom, style) in zip(
        segments([a.value for a, _ in known]), known, strict=True
    ):
        axes.barh(
            height,
            length,
            _BAR,
            left=start,
            color=style.colour,
            edgecolor="white",
            linewidth=0.5,
            hatch=style.hatch,
            alpha=alpha,
        )
        ends = [start, start + length]
        if atom.bounded:
            # Each atom has its own lane inside the bar, so that no whisker hides another.
            lane = height + _BAR * ((styles.index(style) + 0.5) / len(styles) - 0.5)
            whisker = [start + atom.low, start + atom.high]
            axes.plot(whisker, [lane, lane], color="white", linewidth=2.2, solid_capstyle="butt")
            axes.plot(whisker, [lane, lane], color=INK, linewidth=0.9, solid_capstyle="butt")
            ends += whisker
        reach = [min(reach[0], *ends), max(reach[1], *ends)]
    total = information
    if total is None or not total.determined:
        total = Estimate(sum(a.value for a, _ in known)) if len(known) == len(styles) else None
    if total is not None:
        half = _BAR / 2 + 0.08
        axes.plot([total.value] * 2, [height - half, height + half], color=INK, linewidth=1.3)
        reach[1] = max(reach[1], total.value)
        said = written(total, unit=False)
    else:
        said = "I unknown"
    axes.annotate(
        said if text is None else text,
        (reach[1], height),
        (5, 0),
        textcoords="offset points",
        va="center",
        fontsize=7,
    )
    return reach[0], reach[1]


def leave_room(axes: Axes, left: float, right: float, inches: float) -> None:
    """Leave room right of the longest bar for its number, on axes that are so many inches wide."""
    span = (right - left) or 1.0
    scale = span / (inches - _NUMBER_INCHES - 0.2)
    low = left - 0.04 * span if left < 0 else 0.0
    high = right + scale * _NUMBER_INCHES
    axes.set_xlim(low, high)
    # No ticks under the numbers: the axis ends with the data.
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= right + 0.02 * span]
    axes.set_xticks([tick for tick in ticks if math.isfinite(tick)])


def atoms_axes(
    atoms: Sequence[Estimate | None],
    information: Estimate | None,
    *,
    modalities: tuple[str, str],
    title: str,
    quantity: str,
    axes: Axes | None = None,
) -> Axes:
    """Draw the atoms of one decomposition as a bar that stands alone.

    Parameters
    ----------
    atoms : sequence of Estimate or None
        R, U of the first modality, U of the second, S.
    information : Estimate or None
        Their sum.
    modalities : (str, str)
        Names of the sources, in order.
    title : str
        Stands above the key.
    quantity : str
        What the axis measures, in which unit, and what the thin lines are.
    axes : matplotlib.axes.Axes, optional
        Where to draw; a new figure where it is None.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, with the bar in them.
    """
    import matplotlib as mpl
    from matplotlib import pyplot as plt
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    resolution = mpl.rcParams["figure.dpi"]  # of the caller's notebook or window
    first, second = modalities
    styles = atom_styles((shortened(first), shortened(second)))
    with drawing():
        if axes is None:
            # By pyplot, so that a notebook shows the figure as it shows any other.
            _, axes = plt.subplots(figsize=_SIZE, layout="constrained", dpi=resolution)
            inches = _SIZE[0] - _EDGE_INCHES
        else:
            inches = axes.get_window_extent().width / axes.figure.dpi
        left, right = draw_bar(axes, 0.0, atoms, information, styles)
        leave_room(axes, left, right, max(inches, 2 * _NUMBER_INCHES))
        axes.set_ylim(0.6, -0.6)
        axes.set_yticks([])
        axes.spines[["left", "top", "right"]].set_visible(False)
        axes.grid(axis="x")
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_xlabel(label(quantity, max(int(inches / 0.07), 20)))
        key: list[Patch | Line2D] = [
            Patch(
                facecolor=style.colour if atom and atom.determined else "white",
                edgecolor="white",
                hatch=style.hatch,
                label=style.name if atom and atom.determined else f"{style.name}: unknown",
            )
            for atom, style in zip(atoms, styles, strict=True)
        ]
        if information is not None:
            tick = Line2D([], [], color=INK, marker="|", ls="", markersize=9, label="I, their sum")
            key.append(tick)
        wanted = sum(_SWATCH_INCHES + _LETTER_INCHES * letters(str(k.get_label())) for k in key)
        legend = axes.legend(
            handles=key,
            title=label(title, max(int(inches / 0.095), 20), 2),
            title_fontproperties={"weight": "bold", "size": 9},
            alignment="left",
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=len(key) if wanted <= inches else 2,
            handlelength=2.0,
            handleheight=1.0,
            columnspacing=1.2,
            borderpad=0,
            borderaxespad=0.4,
        )
        legend.get_title().set_parse_math(False)
        cover(axes)
    return axes

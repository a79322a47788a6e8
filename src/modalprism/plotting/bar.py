"""Stacked bars: the information, split into its four atoms, each with its interval."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from modalprism.plotting.glyphs import cover
from modalprism.plotting.style import INK, AtomStyle, atom_styles, drawing
from modalprism.results.estimate import Estimate
from modalprism.results.notation import label, letters, shortened, written

if TYPE_CHECKING:
    from matplotlib.artist import Artist
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

    The atoms are R, U of the first modality, U of the second and S; an unknown one has no segment.
    Their sum is by default that of the atoms, if all are known. The text stands right of the bar,
    by default the sum and its interval; `alpha` is the opacity of the segments.
    """
    known = [(a, s) for a, s in zip(atoms, styles, strict=True) if a and a.determined]
    reach = [0.0, 0.0]
    for (start, length), (atom, style) in zip(
        segments([a.value for a, _ in known]), known, strict=True
    ):
        axes.barh(
            height, length, _BAR, left=start, color=style.colour, edgecolor="white",
            linewidth=0.5, hatch=style.hatch, alpha=alpha,
        )  # fmt: skip
        ends = [start, start + length]
        if atom.bounded:
            # Each atom has its own lane inside the bar, so that no whisker hides another.
            lane = height + _BAR * ((styles.index(style) + 0.5) / len(styles) - 0.5)
            whisker = [start + atom.low, start + atom.high]
            for colour, width in (("white", 2.2), (INK, 0.9)):
                axes.plot(whisker, [lane] * 2, color=colour, lw=width, solid_capstyle="butt")
            ends += whisker
        reach = [min(reach[0], *ends), max(reach[1], *ends)]
    total = information
    if total is None or not total.determined:
        total = Estimate(sum(a.value for a, _ in known)) if len(known) == len(styles) else None
    if total is not None:
        half = _BAR / 2 + 0.08
        axes.plot([total.value] * 2, [height - half, height + half], color=INK, linewidth=1.3)
        reach[1] = max(reach[1], total.value)
    if text is None:
        text = "I unknown" if total is None else written(total, unit=False)
    place = (reach[1], height)
    axes.annotate(text, place, (5, 0), textcoords="offset points", va="center", fontsize=7)
    return reach[0], reach[1]


def leave_room(axes: Axes, left: float, right: float, inches: float) -> None:
    """Leave room for the number right of the longest bar, on axes that are `inches` wide."""
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
    """Draw the atoms of one decomposition as a bar that stands alone; return its axes.

    The atoms are R, U of the first modality, U of the second and S, and the information is their
    sum. The title stands above the key. The quantity is the label of the axis: with its unit, and
    what the thin lines are. Without axes, a new figure is made.
    """
    import matplotlib as mpl
    from matplotlib import pyplot as plt
    from matplotlib.patches import Patch

    from modalprism.plotting.figures.panels import sum_tick

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
        key: list[Artist] = [
            Patch(facecolor=style.colour if known else "white", edgecolor="white",
                  hatch=style.hatch, label=style.name if known else f"{style.name}: unknown")
            for atom, style in zip(atoms, styles, strict=True)
            for known in [atom is not None and atom.determined]
        ]  # fmt: skip
        if information is not None:
            key.append(sum_tick())
        wanted = sum(_SWATCH_INCHES + _LETTER_INCHES * letters(str(k.get_label())) for k in key)
        legend = axes.legend(
            handles=key, title=label(title, max(int(inches / 0.095), 20), 2),
            title_fontproperties={"weight": "bold", "size": 9}, alignment="left",
            loc="lower left", bbox_to_anchor=(0, 1), ncols=len(key) if wanted <= inches else 2,
            handlelength=2.0, handleheight=1.0, columnspacing=1.2, borderpad=0, borderaxespad=0.4,
        )  # fmt: skip
        legend.get_title().set_parse_math(False)
        cover(axes)
    return axes

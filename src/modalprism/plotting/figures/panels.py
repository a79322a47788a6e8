"""Parts that figures share: titles, keys, footers, points, axes, and marks of shares."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any, Final

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from modalprism.plotting.style import FAINT, INK, AtomStyle, atom_styles
from modalprism.results.estimate import Estimate
from modalprism.results.notation import UNDETERMINED, label, letters

MARKERS: Final = "osD^vPX<>*hd"  # of models, or of datasets, in their order
UNKNOWN: Final[dict[str, Any]] = {"facecolor": "#f1f3f5", "edgecolor": "#c3c9d0", "hatch": "////"}
"""Style of undetermined values."""
_SWATCH_INCHES: Final = 0.6  # of an entry of the key, and of each of its letters
_LETTER_INCHES: Final = 0.064
_TITLE_INCHES: Final = 0.095
_SMALL_LETTER_INCHES: Final = 0.05
_FORMULA_LETTERS: Final = 70


class ShownFigure(Figure):
    """A figure that a notebook shows, whether or not pyplot has been set up there."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


def patches(styles: Sequence[AtomStyle]) -> list[Artist]:
    """Return the key of the four atoms as areas."""
    return [
        Patch(facecolor=style.colour, edgecolor="white", hatch=style.hatch, label=style.name)
        for style in styles
    ]


def sum_tick() -> Line2D:
    """Return the entry of the key for the information, the sum of the atoms."""
    return Line2D([], [], color=INK, marker="|", ls="", markersize=9, label="I, their sum")


def marked(names: Sequence[str]) -> list[Artist]:
    """Return the key of what has `MARKERS`."""
    return [
        Line2D([], [], color=INK, linestyle="", marker=MARKERS[place % len(MARKERS)],
               markerfacecolor="white", label=label(name, 24, 1))
        for place, name in enumerate(names)
    ]  # fmt: skip


def heading(figure: Figure, title: str, key: Sequence[Artist]) -> None:
    """Put the title and the key of the atoms above the panels; a wide key takes two lines."""
    wanted = sum(_SWATCH_INCHES + _LETTER_INCHES * letters(str(one.get_label())) for one in key)
    lines = 1 if wanted <= figure.get_figwidth() else 2
    title = label(title, int(figure.get_figwidth() / _TITLE_INCHES), 2, prose=True)
    figure.legend(
        handles=key, title=title, title_fontproperties={"weight": "bold", "size": 10},
        alignment="left", loc="outside upper left", ncols=math.ceil(len(key) / lines),
        handlelength=2.4, handleheight=1.0, columnspacing=1.4, borderpad=0, borderaxespad=0.4,
    )  # fmt: skip


def captions(figure: Figure, title: str, key: Sequence[Artist], *facts: str) -> None:
    """Put title and key above the panels, and facts below: n, seed and the meaning of marks."""
    heading(figure, title, key)
    words = label(" · ".join(facts), int(figure.get_figwidth() / _SMALL_LETTER_INCHES), prose=True)
    figure.supxlabel(words, x=0.01, ha="left", fontsize=7, color=FAINT)


def bare(axes: Axes) -> None:
    """Leave a panel without a left edge and with vertical grid lines only."""
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")


def contribution_label(modalities: tuple[str, str]) -> str:
    """Return the label of an axis of contributions, with the formula if names are short.

    Examples
    --------
    >>> contribution_label(("image", "text"))
    'contribution of image: U image / (U image + U text)'
    """
    first, second = modalities
    formula = f": U {first} / (U {first} + U {second})"
    return f"contribution of {first}" + (formula if letters(formula) <= _FORMULA_LETTERS else "")


def share_ticks(axes: Axes, modalities: tuple[str, str], half: str = "½") -> None:
    """Mark the ends of a share on the horizontal axis: only the second modality, only the first."""
    first, second = (f"only {label(name, 10, 2)}" for name in modalities)
    axes.set_xticks([0, 0.5, 1], [f"0\n{second}", half, f"1\n{first}"])


def share_marker(estimate: Estimate, styles: Sequence[AtomStyle]) -> tuple[str, str]:
    """Return marker and colour of the modality with more than a half, or of neither."""
    for share, style in zip((estimate, estimate.complement), styles, strict=True):
        if share.above(0.5):
            return style.marker, style.colour
    return "o", "white"


def share_key(
    modalities: tuple[str, str], neither: str, linewidth: float | None = None
) -> list[Artist]:
    """Return the key of `share_marker`, with the words for neither modality."""
    _, first, second, _ = atom_styles(modalities)
    entries = (
        (first.marker, first.colour, f"{modalities[0]} contributes more"),
        ("o", "white", neither),
        (second.marker, second.colour, f"{modalities[1]} contributes more"),
    )
    return [
        Line2D([], [], color=INK, marker=marker, markerfacecolor=colour, linewidth=linewidth,
               label=words)
        for marker, colour, words in entries
    ]  # fmt: skip


def share_limits(ends: Sequence[float], beyond: float) -> tuple[float, float]:
    """Return the limits of an axis of shares: 0 and 1, and at most so far beyond as values are."""
    return max(-beyond, min(0.0, *ends, 0.0)), min(1 + beyond, max(1.0, *ends, 1.0))


def point(
    axes: Axes, x: Any, y: Any, marker: str, face: str, size: float, *, edge: float = 0.8,
    **style: Any,
) -> None:  # fmt: skip
    """Draw markers with an edge of ink."""
    axes.plot(
        x, y, marker, markersize=size, markerfacecolor=face, markeredgecolor=INK,
        markeredgewidth=edge, **style,
    )  # fmt: skip


def clip(value: float, limits: tuple[float, float]) -> float:
    """Return the value, or the limit that it lies beyond."""
    return min(max(value, limits[0]), limits[1])


def whisker(
    axes: Axes, height: float, estimate: Estimate, limits: tuple[float, float], **style: Any
) -> None:
    """Draw an interval as a line; an arrow marks an end that lies beyond the limits."""
    if not estimate.bounded:
        return
    shown = [clip(end, limits) for end in (estimate.low, estimate.high)]
    axes.plot(shown, [height] * 2, color=INK, zorder=3, **style)
    for end, drawn, arrow in zip((estimate.low, estimate.high), shown, "<>", strict=True):
        if end != drawn:
            alpha = style.get("alpha")
            axes.plot(drawn, height, arrow, color=INK, markersize=3.5, alpha=alpha, zorder=3)


def unknown_band(
    axes: Axes, ends: tuple[float, float], middle: float, height: float, fontsize: float = 0
) -> None:
    """Draw a band for an undetermined value, with the word in it if it has a font size."""
    left, right = ends
    corner = left, middle - height / 2
    axes.add_patch(Rectangle(corner, right - left, height, linewidth=0.5, zorder=1.5, **UNKNOWN))
    if fontsize:
        axes.text(
            (left + right) / 2, middle, UNDETERMINED, ha="center", va="center", color=FAINT,
            fontsize=fontsize, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            zorder=1.6,
        )  # fmt: skip

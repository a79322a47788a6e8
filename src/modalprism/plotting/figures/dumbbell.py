"""One dumbbell: an estimate before and after, each with its interval, and whether they differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from matplotlib.axes import Axes

from modalprism.plotting.figures.panels import clip, point, unknown_band, whisker
from modalprism.results.estimate import Estimate
from modalprism.results.notation import number
from modalprism.results.quantities import BY_NAME, QuantityKey

_LANE: Final = 0.17  # of a row: before stands so far above its middle, after so far below
_MOST_DIGITS: Final = 4


@dataclass(frozen=True)
class Ends:
    """A quantity before and after; None where a study did not measure it."""

    before: Estimate | None
    after: Estimate | None
    difference: Estimate | None = None  # after less before; None where they were not compared

    @property
    def differs(self) -> bool:
        """Whether the difference is distinguishable from zero."""
        return self.difference is not None and self.difference.nonzero

    @property
    def known(self) -> tuple[Estimate, ...]:
        """The ends that are measured and determined."""
        return tuple(one for one in (self.before, self.after) if one is not None and one.determined)

    @property
    def unknown(self) -> bool:
        """Whether an end is measured and undetermined."""
        return any(one is not None and not one.determined for one in (self.before, self.after))


@dataclass(frozen=True)
class DumbbellPanel:
    """A panel of dumbbells: its quantity, title and style."""

    key: QuantityKey
    title: str
    colour: str
    marker: str
    limits: tuple[float, float]  # values beyond are drawn at the edge; an interval ends in an arrow

    @property
    def percent(self) -> bool:
        """Whether the quantity is a share of a whole, and not an amount."""
        return BY_NAME[self.key[0]].ratio

    @property
    def band(self) -> tuple[float, float]:
        """The ends of the band for an undetermined value."""
        return (0.0, 1.0) if self.percent else self.limits


def draw_dumbbell(axes: Axes, place: int, ends: Ends, panel: DumbbellPanel) -> None:
    """Draw a hollow marker for before and a filled one for after, and a line between them.

    Where the difference is told apart from zero, the line is thick, and the number stands at the
    panel's right edge. What is undetermined is a hatched band without a marker.
    """
    # Each on its own lane, so that an interval hides no other, nor a marker the one of before.
    lanes = place - _LANE, place + _LANE
    both = ends.before, ends.after
    if None not in both and not ends.known:
        unknown_band(axes, panel.band, place, 4 * _LANE, 6)
        return
    if len(ends.known) == len(both):
        shown = [clip(one.value, panel.limits) for one in ends.known]
        axes.plot(shown, lanes, color=panel.colour, zorder=2, **line_style(ends.differs))
    if ends.differs and ends.difference is not None:
        axes.annotate(
            signed(ends.difference.value), (1, place), xycoords=axes.get_yaxis_transform(),
            ha="right", va="center", fontsize=7, fontweight="bold", zorder=5,
        )  # fmt: skip
    for lane, estimate, face in zip(lanes, both, ("white", panel.colour), strict=True):
        if estimate is None:
            continue
        if not estimate.determined:
            unknown_band(axes, panel.band, lane, 1.7 * _LANE, 6)
            continue
        whisker(axes, lane, estimate, panel.limits, linewidth=1, solid_capstyle="butt")
        at = clip(estimate.value, panel.limits)
        point(axes, at, lane, panel.marker, face, 5.5, edge=0.9, zorder=4)


def line_style(differs: bool) -> dict[str, Any]:
    """Return the style of the line between both, by whether they are told apart."""
    if differs:
        return {"linewidth": 3, "linestyle": "-", "solid_capstyle": "butt"}
    return {"linewidth": 1.2, "linestyle": (0, (1, 1.2))}


def signed(value: float, digits: int = 2) -> str:
    """Write a difference with its sign, and one that would round to none with more digits.

    Examples
    --------
    >>> signed(0.5), signed(-0.25), signed(0.0004), signed(0.0)
    ('+0.50', '−0.25', '+0.0004', '0.00')
    """
    while digits < _MOST_DIGITS and value != 0 and float(f"{value:.{digits}f}") == 0:
        digits += 1
    return ("+" if value > 0 else "") + number(value, digits)

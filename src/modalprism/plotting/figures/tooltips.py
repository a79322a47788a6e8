"""Tooltips of a figure on a page: text that a mark shows when a reader points at it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from modalprism.plotting.style import AtomStyle
from modalprism.results.estimate import Estimate
from modalprism.results.notation import plain, written

_PREFIX: Final = "tooltip:"
_UNSEEN: Final[dict[str, Any]] = {"alpha": 0, "zorder": 10}  # above whatever else is drawn
_GROUP: Final = re.compile(rf'<g id="{_PREFIX}([^"]*)">')


def hover(artist: Artist, words: str) -> None:
    """Give a mark a tooltip; only SVG shows it, other formats look the same as without."""
    artist.set_gid(_PREFIX + plain(words))


def hover_area(axes: Axes, left: float, right: float, words: str) -> None:
    """Give a band of a panel, from its top to its bottom, a tooltip; the band is invisible."""
    area = Rectangle((left, 0), right - left, 1, transform=axes.get_xaxis_transform(), **_UNSEEN)
    hover(area, words)
    axes.add_artist(area)


def hover_row(axes: Axes, height: float, words: str) -> None:
    """Give a row of a panel, one unit high, a tooltip; the row is invisible."""
    area = Rectangle((0, height - 0.5), 1, 1, transform=axes.get_yaxis_transform(), **_UNSEEN)
    hover(area, words)
    axes.add_artist(area)


def atom_lines(styles: Sequence[AtomStyle], atoms: Sequence[Estimate | None]) -> list[str]:
    """Return a line for each atom that was measured."""
    pairs = zip(styles, atoms, strict=True)
    return [f"{style.name}: {written(atom)}" for style, atom in pairs if atom is not None]


def titled(svg: str) -> str:
    """Turn the tooltips of marks into titles, which browsers show and screen readers read.

    Examples
    --------
    >>> titled('<g id="tooltip:image: 0.12 bit"><path/></g>')
    '<g class="tooltip" pointer-events="all"><title>image: 0.12 bit</title><path/></g>'
    """
    # Without this attribute a browser ignores an area that is not painted.
    return _GROUP.sub(r'<g class="tooltip" pointer-events="all"><title>\1</title>', svg)

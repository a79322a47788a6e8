"""Figures that show a whole profile."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure

from modalprism.errors import InputError
from modalprism.plotting.figures.answers import contribution_figure, prism_figure
from modalprism.plotting.figures.depth import course_figure, depth_figure
from modalprism.plotting.glyphs import cover
from modalprism.plotting.style import drawing
from modalprism.results.table import Table


class ProfileFigure(NamedTuple):
    """A figure of a profile: its view, how it is drawn, and what it shows.

    The description is for readers who cannot see the figure. It may name ``{first}``, ``{second}``,
    ``{target}`` and ``{cases}``, the number of bars.
    """

    view: str
    draw: Callable[[Table], Figure]
    description: str

    def describe(self, results: Table) -> str:
        """Return the description of the figure of some results."""
        first, second = results.modalities
        return self.description.format(
            first=first, second=second, target=results.target(self.view),
            cases=len(results.cases(self.view)),
        )  # fmt: skip


_COURSE: Final = (
    "Points over depth: the part of the unique information that {first} contributes, in the %s "
    "view; depths at which the data cannot tell are shaded"
)
FIGURES: Final = {
    "prism": ProfileFigure(
        "answer",
        prism_figure,
        "Stacked bars: the information about {target}, split into redundant, unique {first}, "
        "unique {second} and synergy, one bar for each of {cases} cases",
    ),
    "prism-percent": ProfileFigure(
        "answer",
        partial(prism_figure, percent=True),
        "Stacked bars: the same in per cent of the information of each case",
    ),
    "contribution": ProfileFigure(
        "answer",
        contribution_figure,
        "Points with intervals: the part of the unique information that {first} contributes, or "
        "the word undetermined",
    ),
    "stream": ProfileFigure(
        "stream",
        partial(depth_figure, view="stream"),
        "Lines over depth: the four atoms of the information about {target} in the two streams",
    ),
    "stream-contribution": ProfileFigure(
        "stream", partial(course_figure, view="stream"), _COURSE % "stream"
    ),
    "encoding": ProfileFigure(
        "encoding",
        partial(depth_figure, view="encoding"),
        "Lines over depth: the four atoms of the information about {target} in the embeddings "
        "before fusion",
    ),
    "encoding-contribution": ProfileFigure(
        "encoding", partial(course_figure, view="encoding"), _COURSE % "encoding"
    ),
}
"""By name, the most important figure first."""


def drawable(results: Table) -> dict[str, ProfileFigure]:
    """Return the figures whose view the results have."""
    return {name: figure for name, figure in FIGURES.items() if results.cases(figure.view)}


def figure_of(results: Table, name: str | None = None) -> Figure:
    """Draw a figure of a profile for a notebook.

    Parameters
    ----------
    results : Table
    name : str, optional
        One of `FIGURES`; by default the first that the results have the view of.

    Raises
    ------
    InputError
        If the results have no such figure.
    """
    found = drawable(results)
    if name is None and not found:
        raise InputError("this profile has no view that a figure shows; it holds no atoms")
    chosen = next(iter(found)) if name is None else name
    if chosen not in found:
        raise InputError(
            f"this profile has no figure {chosen!r}; it has {', '.join(found) or 'none'}"
        )
    resolution = mpl.rcParams["figure.dpi"]  # of the caller's notebook or window
    with drawing(), mpl.rc_context({"figure.dpi": resolution}):
        figure = found[chosen].draw(results)
        cover(figure)
        return figure

"""The figures that show a whole profile, drawn from its rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from modalprism.errors import InputError
from modalprism.plotting.figures.contribution import contribution_figure
from modalprism.plotting.figures.course import course_figure
from modalprism.plotting.figures.depth import depth_figure
from modalprism.plotting.figures.prism import prism_figure
from modalprism.plotting.glyphs import cover
from modalprism.plotting.settings import drawing
from modalprism.results.table import Table

__all__ = [
    "FIGURES",
    "contribution_figure",
    "course_figure",
    "depth_figure",
    "draw",
    "figure_of",
    "prism_figure",
]

# The view that each figure shows, the most telling figure first.
FIGURES: Final = {
    "prism": "answer",
    "prism-percent": "answer",
    "contribution": "answer",
    "stream": "stream",
    "stream-contribution": "stream",
    "encoding": "encoding",
    "encoding-contribution": "encoding",
}


def figure_of(results: Table, manifest: dict[str, Any], name: str | None = None) -> Figure:
    """Draw a figure of a profile for a notebook.

    Parameters
    ----------
    results : Table
    manifest : dict
        As in `draw`.
    name : str, optional
        One of `FIGURES`; where it is None, the first that the profile has the view of.

    Raises
    ------
    InputError
        If the profile has no such figure.
    """
    drawable = [figure for figure, view in FIGURES.items() if results.cases(view)]
    if name is None and not drawable:
        raise InputError("this profile has no view that a figure shows; it holds no atoms")
    chosen = drawable[0] if name is None else name
    if chosen not in drawable:
        raise InputError(
            f"this profile has no figure {chosen!r}; it has {', '.join(drawable) or 'none'}"
        )
    resolution = mpl.rcParams["figure.dpi"]  # of the caller's notebook or window
    with drawing(), mpl.rc_context({"figure.dpi": resolution}):
        figure = draw(results, chosen, manifest)
        cover(figure)
        return figure


def draw(results: Table, name: str, manifest: dict[str, Any]) -> Figure:
    """Draw one of `FIGURES`, under the settings that are in force.

    Parameters
    ----------
    results : Table
        The results of a profile that has the figure's view.
    name : str
        Name of the figure.
    manifest : dict
        What the run recorded: its seed, and a line of text for each dataset.
    """
    seed, view = manifest.get("seed"), FIGURES[name]
    if view != "answer":
        return (depth_figure if name == view else course_figure)(results, view, seed)
    questions = {str(dataset): str(text) for dataset, text in manifest.get("datasets", {}).items()}
    of_answers: dict[str, Callable[..., Figure]] = {
        "prism": prism_figure,
        "prism-percent": partial(prism_figure, percent=True),
        "contribution": contribution_figure,
    }
    return of_answers[name](results, questions, seed)

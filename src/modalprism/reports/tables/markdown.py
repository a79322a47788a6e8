"""The numbers of a profile as Markdown."""

from __future__ import annotations

from modalprism.plotting.grid import Grid
from modalprism.plotting.readings import Readings
from modalprism.plotting.views import answer_grid, layer_grid
from modalprism.studies.profile import Profile


def answer_markdown(profile: Profile) -> str:
    """Return the answer view as a Markdown table with its title and notes.

    Parameters
    ----------
    profile : Profile
        The profile of a run.
    """
    return grid_markdown(answer_grid(Readings(profile)))


def layer_markdown(profile: Profile, view: str) -> str:
    """Return a layer view as a Markdown table with its title and notes, one row per depth.

    Parameters
    ----------
    profile : Profile
        The profile of a run.
    view : str
        ``stream`` or ``encoding``.
    """
    return grid_markdown(layer_grid(Readings(profile), view))


def grid_markdown(grid: Grid) -> str:
    """Return a grid as a Markdown table with its title and notes."""
    align = [":--"] * grid.names + ["--:"] * (len(grid.columns) - grid.names)
    lines = [[_escaped(column) for column in grid.columns], align]
    lines += [[_escaped(str(cell)) for cell in row] for row in grid.rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n\n".join([f"**{_escaped(grid.title)}**", table, *map(_escaped, grid.notes)]) + "\n"


def _escaped(text: str) -> str:
    r"""Escape what Markdown or HTML would read as structure.

    Examples
    --------
    >>> _escaped("a|b <i>")
    'a\\|b &lt;i&gt;'
    """
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for character in "\\|`*_[]":
        text = text.replace(character, "\\" + character)
    return " ".join(text.split())

"""The numbers of a profile as tables: for the terminal, for documents and for papers."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from modalprism.files import write_whole
from modalprism.plotting.grid import Grid
from modalprism.plotting.readings import Readings
from modalprism.plotting.views import VIEW_TITLES, answer_grid, layer_grid
from modalprism.reports.tables.latex import answer_latex, grid_latex, layer_latex
from modalprism.reports.tables.markdown import answer_markdown, grid_markdown, layer_markdown
from modalprism.reports.tables.terminal import answer_table, layer_table
from modalprism.studies.profile import Profile

__all__ = [
    "TABLES_FOLDER",
    "Grid",
    "answer_grid",
    "answer_latex",
    "answer_markdown",
    "answer_table",
    "layer_grid",
    "layer_latex",
    "layer_markdown",
    "layer_table",
    "write_tables",
]

TABLES_FOLDER: Final = "tables"


def write_tables(profile: Profile, folder: Path) -> None:
    """Write the table of every view that the profile has, as LaTeX and as Markdown.

    Parameters
    ----------
    profile : Profile
        The profile of a run.
    folder : pathlib.Path
        Where ``answer.tex``, ``answer.md``, ``stream.tex`` and so on are written.
    """
    readings = Readings(profile)
    seed = profile.manifest.get("seed")
    for view in VIEW_TITLES:
        if readings.cases(view):
            grid = answer_grid(readings) if view == "answer" else layer_grid(readings, view)
            write_whole(folder / f"{view}.tex", grid_latex(grid, readings, view, seed))
            write_whole(folder / f"{view}.md", grid_markdown(grid))

"""The figures of a run, each as SVG, PNG and PDF."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from modalprism.progress import Track, silent
from modalprism.reports.figures.canvas import save
from modalprism.reports.figures.contribution import contribution_figure
from modalprism.reports.figures.depth import depth_figure
from modalprism.reports.figures.prism import prism_figure
from modalprism.reports.readings import Readings
from modalprism.reports.style import drawing
from modalprism.studies.profile import Profile

__all__ = ["Drawing", "contribution_figure", "depth_figure", "prism_figure", "write_figures"]


@dataclass(frozen=True)
class Drawing:
    """A figure on disk.

    Attributes
    ----------
    name : str
        Name of its files, without the ending.
    description : str
        What it shows, for a reader who cannot see it.
    svg : str
        Its text as SVG.
    """

    name: str
    description: str
    svg: str


def write_figures(profile: Profile, folder: Path, *, track: Track = silent) -> dict[str, Drawing]:
    """Draw every figure the profile has data for.

    Parameters
    ----------
    profile : Profile
        The profile of a run.
    folder : pathlib.Path
        Where ``prism``, ``contribution``, ``stream`` and ``encoding`` are written, each as
        ``.svg``, ``.png`` and ``.pdf``. The same profile gives the same bytes.
    track : Track
        Shows progress.

    Returns
    -------
    dict of str to Drawing
        The figures by name; a view that the profile lacks has none.
    """
    readings = Readings(profile)
    seed = profile.manifest.get("seed")
    first, second = readings.modalities
    wanted: dict[str, tuple[str, Callable[[], Figure], str]] = {
        "prism": (
            "answer",
            lambda: prism_figure(readings, _questions(profile.manifest), seed),
            f"Stacked bars: the information about {readings.target('answer')}, split into "
            f"redundant, unique {first}, unique {second} and synergy, one bar for each of "
            f"{len(readings.cases('answer'))} cases",
        ),
        "contribution": (
            "answer",
            lambda: contribution_figure(readings, _questions(profile.manifest), seed),
            f"Points with intervals: the part of the unique information that {first} contributes, "
            "or the word undetermined",
        ),
        "stream": (
            "stream",
            lambda: depth_figure(readings, "stream", seed),
            f"Lines over depth: the four atoms of the information about "
            f"{readings.target('stream')} in the two streams",
        ),
        "encoding": (
            "encoding",
            lambda: depth_figure(readings, "encoding", seed),
            f"Lines over depth: the four atoms of the information about "
            f"{readings.target('encoding')} in the embeddings before fusion",
        ),
    }
    folder.mkdir(parents=True, exist_ok=True)
    drawn: dict[str, Drawing] = {}
    for name, (view, draw, description) in track(
        wanted.items(), total=len(wanted), description="drawing figures"
    ):
        if readings.cases(view):
            with drawing():
                svg = save(draw(), folder / name)
            drawn[name] = Drawing(name, f"{description}. The tables give every number.", svg)
    return drawn


def _questions(manifest: dict[str, Any]) -> dict[str, str]:
    return {str(name): str(text) for name, text in manifest.get("datasets", {}).items()}

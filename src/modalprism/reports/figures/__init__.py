"""The figures of a run, each as SVG, PNG and PDF."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib

from modalprism.look.figures import FIGURES, contribution_figure, depth_figure, draw, prism_figure
from modalprism.look.readings import Readings
from modalprism.look.settings import drawing
from modalprism.progress import Track, silent
from modalprism.reports.figures.canvas import save
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
        Where those of `FIGURES` are written, each as ``.svg``, ``.png`` and ``.pdf``.
        The same profile gives the same bytes.
    track : Track
        Shows progress.

    Returns
    -------
    dict of str to Drawing
        The figures by name; a view that the profile lacks has none.
    """
    readings = Readings(profile)
    first, second = readings.modalities
    descriptions = {
        "prism": f"Stacked bars: the information about {readings.target('answer')}, split into "
        f"redundant, unique {first}, unique {second} and synergy, one bar for each of "
        f"{len(readings.cases('answer'))} cases",
        "prism-percent": "Stacked bars: the same in per cent of the information of each case",
        "contribution": "Points with intervals: the part of the unique information that "
        f"{first} contributes, or the word undetermined",
        "stream": f"Lines over depth: the four atoms of the information about "
        f"{readings.target('stream')} in the two streams",
        "encoding": f"Lines over depth: the four atoms of the information about "
        f"{readings.target('encoding')} in the embeddings before fusion",
    }
    for view in ("stream", "encoding"):
        descriptions[f"{view}-contribution"] = (
            f"Points over depth: the part of the unique information that {first} contributes, in "
            f"the {view} view; depths at which the data cannot tell are shaded"
        )
    folder = folder.resolve()  # a process that draws may have begun in another folder
    folder.mkdir(parents=True, exist_ok=True)
    names = [name for name, view in FIGURES.items() if readings.cases(view)]
    # Drawing is what a report waits for: a figure a core, where there are several.
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        workers = min(joblib.cpu_count(), max(len(names), 1))
        drawn = joblib.Parallel(n_jobs=workers, return_as="generator")(
            joblib.delayed(_write)(readings, name, profile.manifest, folder / name)
            for name in names
        )
        texts = list(track(drawn, total=len(names), description="drawing figures"))
    return {
        name: Drawing(name, f"{descriptions[name]}. The tables give every number.", svg)
        for name, svg in zip(names, texts, strict=True)
    }


def _write(readings: Readings, name: str, manifest: dict[str, Any], stem: Path) -> str:
    with drawing():
        return save(draw(readings, name, manifest), stem)

"""The figures of a run, each as SVG, PNG and PDF."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.figure import Figure

from modalprism.cache import Cache, Entry, Key
from modalprism.engines import Job, LocalEngine
from modalprism.plotting.figures import FIGURES, draw
from modalprism.plotting.figures.beside import beside_figure
from modalprism.plotting.figures.canvas import ENDINGS, save_drawn
from modalprism.plotting.figures.examples import examples_figure, figure_names
from modalprism.plotting.scores import Scoring
from modalprism.plotting.settings import user_fonts
from modalprism.progress import Track, silent
from modalprism.results.examples import ShownExample, by_case
from modalprism.studies.profile import Profile

_DRAWN_BY: Final[dict[str, int | str]] = {"examples figure": 1, "matplotlib": mpl.__version__}
"""What draws figures of examples; raise the number when they come to look different."""


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


def write_figures(
    profile: Profile,
    folder: Path,
    examples: Sequence[ShownExample] = (),
    scored: Sequence[Scoring] = (),
    *,
    track: Track = silent,
) -> dict[str, Drawing]:
    """Draw every figure the profile has data for.

    Parameters
    ----------
    profile : Profile
        The profile of a run.
    folder : pathlib.Path
        Where those of `FIGURES` are written, each as ``.svg``, ``.png`` and ``.pdf``.
        The same profile gives the same bytes.
    examples : sequence of ShownExample
        Those that tell most of each atom: for every model and dataset that has any, a figure
        ``examples-MODEL-DATASET``, which is left alone where it stands as it would be drawn.
    scored : sequence of Scoring
        Of baselines, beside our own; a figure ``baselines`` where any shares out.
    track : Track
        Shows progress.

    Returns
    -------
    dict of str to Drawing
        Those of `FIGURES` and ``baselines`` by name; a view that the profile lacks has none.
    """
    results = profile.table
    first, second = results.modalities
    descriptions = {
        "prism": f"Stacked bars: the information about {results.target('answer')}, split into "
        f"redundant, unique {first}, unique {second} and synergy, one bar for each of "
        f"{len(results.cases('answer'))} cases",
        "prism-percent": "Stacked bars: the same in per cent of the information of each case",
        "contribution": "Points with intervals: the part of the unique information that "
        f"{first} contributes, or the word undetermined",
        "stream": f"Lines over depth: the four atoms of the information about "
        f"{results.target('stream')} in the two streams",
        "encoding": f"Lines over depth: the four atoms of the information about "
        f"{results.target('encoding')} in the embeddings before fusion",
    }
    descriptions["baselines"] = (
        f"Points with intervals: the part that each method of scoring gives {first}, ours on top"
    )
    for view in ("stream", "encoding"):
        descriptions[f"{view}-contribution"] = (
            f"Points over depth: the part of the unique information that {first} contributes, in "
            f"the {view} view; depths at which the data cannot tell are shaded"
        )
    seed = profile.manifest.get("seed")
    jobs: dict[str, Callable[[], Figure]] = {
        name: partial(draw, results, name, profile.manifest)
        for name, view in FIGURES.items()
        if results.cases(view)
    }
    if any(one.share for one in scored):
        jobs["baselines"] = partial(beside_figure, scored, results, seed)
    of_page = list(jobs)
    keys: dict[str, Key] = {}
    found = by_case(examples)
    for case, name in figure_names(results, examples).items():
        jobs[name] = partial(examples_figure, results, case, found[case], seed)
        atoms = [results.atoms(case, "answer"), results.modalities, results.unit("answer")]
        drawn = {"case": list(case), "examples": repr(found[case]), "atoms": repr(atoms)}
        keys[name] = Key(name, _DRAWN_BY, {**drawn, "seed": seed})
    folder = folder.resolve()  # a process that draws may have begun in another folder
    folder.mkdir(parents=True, exist_ok=True)
    cache = Cache(folder, one_each=True)
    cached = {name for name, key in keys.items() if cache.find(key)}
    jobs = {name: job for name, job in jobs.items() if name not in cached}
    # Figures are drawn in processes, which start without what tables and pages need: `save_drawn`
    # imports the look's room alone.
    drawing = [
        Job(name, save_drawn, (job, folder / name, user_fonts())) for name, job in jobs.items()
    ]
    texts = dict(LocalEngine().run(drawing, track=track, description="drawing figures"))
    for name in texts.keys() & keys.keys():
        files = {ending: (folder / f"{name}.{ending}").read_bytes() for ending in ENDINGS}
        cache.put(keys[name], Entry(None, files))
    return {
        name: Drawing(name, f"{descriptions[name]}. The tables give every number.", texts[name])
        for name in of_page
    }

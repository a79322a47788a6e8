"""The figures of a run, each as SVG, PNG and PDF."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure

from modalprism.cache import Cache, Entry, Key
from modalprism.engines import Job, LocalEngine
from modalprism.plotting.figures import drawable
from modalprism.plotting.figures.beside import beside_figure
from modalprism.plotting.figures.canvas import ENDINGS, save_drawn
from modalprism.plotting.figures.examples import examples_figure, figure_names
from modalprism.plotting.scores import Scoring
from modalprism.plotting.style import user_fonts
from modalprism.progress import Track, silent
from modalprism.results.examples import ShownExample, by_case
from modalprism.results.table import Table

_DRAWN_BY: Final[dict[str, int | str]] = {"examples figure": 1, "matplotlib": mpl.__version__}
"""Versions that the drawing of examples depends on; raise the first when their look changes."""


class Drawing(NamedTuple):
    """A figure of a page: its text as SVG, and what it shows for a reader who cannot see it."""

    svg: str
    description: str


def write_figures(
    results: Table,
    folder: Path,
    examples: Sequence[ShownExample] = (),
    scored: Sequence[Scoring] = (),
    *,
    track: Track = silent,
) -> dict[str, Drawing]:
    """Draw every figure that the results of a run have data for.

    The ``.svg``, ``.png`` and ``.pdf`` files go into the folder; the same results give the same
    bytes. For every model and dataset that has examples, a figure ``examples-MODEL-DATASET`` is
    drawn, unless it was drawn from the same before. Of `scored`, baselines beside our own, a figure
    ``baselines`` shows those that are shares. Return the figures of the page by name, without
    those of examples.
    """
    found = drawable(results)
    jobs: dict[str, Callable[[], Figure]] = {
        name: partial(figure.draw, results) for name, figure in found.items()
    }
    descriptions = {name: figure.describe(results) for name, figure in found.items()}
    if any(one.share for one in scored):
        jobs["baselines"] = partial(beside_figure, scored, results)
        descriptions["baselines"] = (
            "Points with intervals: the part that each method of scoring gives "
            f"{results.modalities[0]}, ours on top"
        )
    keys: dict[str, Key] = {}
    shown = by_case(examples)
    for case, name in figure_names(results, examples).items():
        jobs[name] = partial(examples_figure, results, case, shown[case])
        atoms = [results.atoms(case, "answer"), results.modalities, results.unit("answer")]
        drawn = {"case": list(case), "examples": repr(shown[case]), "atoms": repr(atoms)}
        keys[name] = Key(name, _DRAWN_BY, {**drawn, "seed": results.seed})
    folder = folder.resolve()  # a process that draws may have begun in another folder
    folder.mkdir(parents=True, exist_ok=True)
    cache = Cache(folder, one_each=True)
    cached = {name for name, key in keys.items() if cache.find(key)}
    # Processes that draw import `save_drawn` alone, and start without what tables and pages need.
    drawing = [
        Job(name, save_drawn, (job, folder / name, user_fonts()))
        for name, job in jobs.items()
        if name not in cached
    ]
    texts = dict(LocalEngine().run(drawing, track=track, description="drawing figures"))
    for name in texts.keys() & keys.keys():
        files = {ending: (folder / f"{name}.{ending}").read_bytes() for ending in ENDINGS}
        cache.put(keys[name], Entry(None, files))
    return {
        name: Drawing(texts[name], f"{description}. The tables give every number.")
        for name, description in descriptions.items()
    }

"""The comparison page: several runs, and which of their differences are sure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import pandas as pd

from modalprism.files import make_folder, write_whole
from modalprism.plotting.figures.answers import prism_figure
from modalprism.plotting.figures.before_after import before_after_figure, changes
from modalprism.plotting.figures.canvas import inline_svg, save, to_svg
from modalprism.plotting.figures.depth import depth_figure
from modalprism.plotting.figures.difference import difference_figure, difference_of, side_name
from modalprism.plotting.figures.heat import heat_figure
from modalprism.plotting.figures.scatter import accurate, scatter_figure
from modalprism.plotting.grid import Cell, Grid
from modalprism.plotting.style import drawing
from modalprism.plotting.views import view_grid
from modalprism.progress import Progress, tracking
from modalprism.reports.cautions import embedding_faults
from modalprism.reports.headlines import headlines
from modalprism.reports.shell import render_page
from modalprism.results.estimate import SIGNIFICANCE
from modalprism.results.notation import number, parts, significance
from modalprism.results.quantities import ATOMS, title
from modalprism.results.table import Table
from modalprism.studies.comparison import FinishedRun, compare
from modalprism.studies.profile import Profile
from modalprism.tables import csv_of

PAGE: Final = "comparison.html"
TABLE: Final = "differences.csv"
FIGURES: Final = "figures"
_MOST_SENTENCES: Final = 12


def read_runs(folders: Sequence[Path]) -> dict[str, FinishedRun]:
    """Read runs, and name each by its folder; by more of its path where names are the same.

    Raises
    ------
    InputError
        If there are fewer than two analyses to compare, or a folder is no finished run.
    """
    paths = list(dict.fromkeys(Path(folder).resolve() for folder in folders))
    names = [path.name for path in paths]
    if len(set(names)) < len(names):
        names = [f"{path.parent.name}/{path.name}" for path in paths]
    if len(set(names)) < len(names):
        names = [str(path) for path in paths]
    return {name: FinishedRun.read(path) for name, path in zip(names, paths, strict=True)}


def write_comparison(
    runs: Mapping[str, FinishedRun],
    differences: pd.DataFrame,
    out: Path,
    *,
    progress: Progress = False,
) -> Path:
    """Write a page, its figures and a table of differences into a folder; return the page.

    The runs are those of `read_runs`; one may hold several models and datasets. The differences are
    theirs, of `compare`. `progress` shows bars on standard error if True; a callable takes every
    `modalprism.progress.ProgressEvent`. The page is self-contained: no request to any network.
    """
    make_folder(out)
    figures = {}
    wanted = _figures(runs, differences)
    with tracking(progress) as track:
        for name, draw in track(wanted.items(), total=len(wanted), description="drawing figures"):
            with drawing():
                figures[name] = save(draw(), out / FIGURES / name)
    write_whole(out / TABLE, csv_of(differences))
    page = out / PAGE
    write_whole(page, _page(runs, differences, figures, files=True))
    return page


def render_comparison(runs: Mapping[str, FinishedRun]) -> str:
    """Return the page as text, without any file beside it.

    Raises
    ------
    InputError
        If nothing can be compared.
    """
    differences = compare(runs)
    figures = {}
    for name, draw in _figures(runs, differences).items():
        with drawing():
            figures[name] = to_svg(draw())
    return _page(runs, differences, figures, files=False)


def together(runs: Mapping[str, FinishedRun]) -> Table:
    """Put profiles together; a model that several runs have on a dataset gets the run's name."""
    frames = [run.profile.frame.assign(run=name) for name, run in runs.items()]
    frame = pd.concat(frames, ignore_index=True)
    runs_of = frame.groupby(["model", "dataset"])["run"].transform("nunique")
    frame["model"] = frame["model"].where(runs_of == 1, frame["run"] + " · " + frame["model"])
    manifests = [run.profile.manifest for run in runs.values()]
    seeds = {manifest.get("seed") for manifest in manifests}
    manifest: dict[str, Any] = {
        **manifests[0],
        "title": "Comparison of " + ", ".join(runs),
        "seed": seeds.pop() if len(seeds) == 1 else None,
        "models": {},
        "datasets": {k: v for one in manifests for k, v in one.get("datasets", {}).items()},
    }
    return Profile(frame.drop(columns="run"), manifest).table


def _figures(runs: Mapping[str, FinishedRun], differences: pd.DataFrame) -> dict[str, Any]:
    results = together(runs)
    wanted: dict[str, Any] = {}
    changed = changes(differences)
    of_each = {} if changed.empty else {n: run.profile.table for n, run in runs.items()}
    for pairs, frame in changed.groupby("pairs", sort=False):
        wanted[f"before-after-{pairs}"] = partial(before_after_figure, frame, of_each)
    if results.cases("answer"):
        wanted["map"] = partial(heat_figure, results)
        wanted["prism"] = partial(prism_figure, results)
    if accurate(results):
        wanted["accuracy"] = partial(scatter_figure, results)
    # Answers have one layer, and so few enough differences to draw.
    of_answers = _foremost(differences[differences["view"] == "answer"])
    for pairs, frame in of_answers.groupby("pairs", sort=False):
        name = f"differences-answer-{pairs}"
        wanted[name] = partial(difference_figure, frame, results.modalities)
    for view in filter(results.cases, ("stream", "encoding")):
        wanted[view] = partial(depth_figure, results, view)
    return wanted


def _foremost(differences: pd.DataFrame) -> pd.DataFrame:
    """Keep differences on the same dataset, where there are any.

    Two datasets of one model may ask different things; the table has their differences too.
    """
    same = differences[differences["dataset_1"] == differences["dataset_2"]]
    return differences if same.empty else same


def difference_sentences(differences: pd.DataFrame) -> list[str]:
    """Return a sentence for each sure difference of an answer, the largest first."""
    of_answers = differences["quantity"].isin(ATOMS) & (differences["view"] == "answer")
    atoms = _foremost(differences[of_answers])
    clear = atoms[atoms["q_value"] <= SIGNIFICANCE]
    if clear.empty:
        return ["No atom of any answer is told apart between any two."] * (not atoms.empty)
    sentences = [
        f"{len(clear)} of {len(atoms)} differences of an atom are told apart from none (q ≤ .05)."
    ]
    order = clear["difference"].abs().argsort()[::-1].to_numpy()
    for row in clear.iloc[order[:_MOST_SENTENCES]].to_dict("records"):
        difference = difference_of(row)
        more = "more" if difference.value > 0 else "less"
        sentences.append(
            f"{side_name(row, '2')} has {number(abs(difference.value))} {difference.unit} {more} "
            f"{title((row['quantity'], row['modality'] or ''))} than {side_name(row, '1')} "
            f"{parts(difference)[1]}, {row['pairs']} pairs."
        )
    return sentences


def difference_grid(differences: pd.DataFrame) -> Grid:
    """Lay out all differences, one row a quantity of two analyses; those on one dataset first."""
    rows = []
    elsewhere = differences["dataset_1"] != differences["dataset_2"]
    ordered = pd.concat([differences[~elsewhere], differences[elsewhere]])
    for row in ordered.to_dict("records"):
        layer = "" if row["layer"] < 0 else str(row["layer"])
        q_value = significance(row["q_value"]).removeprefix("p = ").removeprefix("p ")
        names = (side_name(row, "1"), side_name(row, "2"), row["view"], row["pairs"], layer)
        quantity = title((row["quantity"], row["modality"] or ""))
        values = (number(row["value_1"]), number(row["value_2"]))
        unit = row["unit"] if row["unit"] != "1" else ""
        facts = (q_value, unit, "same" if row["paired"] else "other")
        cells = map(Cell, (*names, quantity, *values))
        rows.append([*cells, Cell.of(difference_of(row)), *map(Cell, facts)])
    columns = ["one", "other", "view", "pairs", "layer", "quantity", "one's value"]
    columns += ["other's value", "difference", "q", "unit", "examples"]
    heading = "Differences, the other less the one, with 95 % intervals"
    return Grid(heading, columns, rows, 6, [])


def _page(
    runs: Mapping[str, FinishedRun],
    differences: pd.DataFrame,
    figures: Mapping[str, str],
    *,
    files: bool,
) -> str:
    results = together(runs)
    return render_page(
        "compare.html",
        title=results.manifest["title"],
        first=results.modalities[0],
        second=results.modalities[1],
        runs=list(runs),
        headlines=headlines(results),
        sentences=[*embedding_faults(results), *difference_sentences(differences)],
        answers=view_grid(results, "answer", detail=True) if results.cases("answer") else None,
        differences=difference_grid(differences),
        figures={name: {"svg": inline_svg(svg, name)} for name, svg in figures.items()},
        files=files,
        some_unpaired=not differences["paired"].all(),
        unit=results.unit(),
    )

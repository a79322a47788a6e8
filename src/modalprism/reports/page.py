"""The page: one HTML file that needs nothing else, from a finished run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from modalprism.files import write_whole
from modalprism.plotting.figures.canvas import inline_svg
from modalprism.plotting.figures.examples import figure_names
from modalprism.plotting.grid import grid_markdown
from modalprism.plotting.latex import grid_latex
from modalprism.plotting.scores import Scores, scores_of
from modalprism.plotting.style import atom_styles
from modalprism.plotting.views import view_grid
from modalprism.progress import Progress, tracking
from modalprism.reports.cautions import cautions, notices_of
from modalprism.reports.examples import example_cases
from modalprism.reports.figures import Drawing, write_figures
from modalprism.reports.headlines import headlines
from modalprism.reports.sentences import answer_sentences, stream_sentences
from modalprism.reports.shell import render_page
from modalprism.results.examples import ShownExample
from modalprism.results.notation import counts
from modalprism.results.table import VIEW_TITLES, Table
from modalprism.studies.baselines import read_baselines
from modalprism.studies.example_store import read_examples
from modalprism.studies.profile import Profile

REPORT_FILE: Final = "report.html"
FIGURES_FOLDER: Final = "figures"
TABLES_FOLDER: Final = "tables"


def write_report(run: str | Path, *, progress: Progress = False) -> Path:
    """Write ``report.html``, ``figures/`` and ``tables/`` into a run folder.

    Parameters
    ----------
    run : str or pathlib.Path
        Folder of a finished run.
    progress : bool or callable
        True shows bars on standard error; a callable takes every
        `modalprism.progress.ProgressEvent`.

    Returns
    -------
    pathlib.Path
        The page: self-contained, no request to any network; its script sorts and filters tables.

    Raises
    ------
    InputError
        If the folder is no finished run.
    """
    run = Path(run)
    results, examples = Profile.read(run).table, read_examples(run)
    baselines = results.manifest.get("baselines")
    left_out = baselines.get("left_out", []) if isinstance(baselines, dict) else []
    scores = scores_of(results, read_baselines(run), [str(one) for one in left_out])
    scored = scores.scored if scores else ()
    with tracking(progress) as track:
        figures = write_figures(results, run / FIGURES_FOLDER, examples, scored, track=track)
    text = render(results, figures, examples, scores)
    for view in filter(results.cases, VIEW_TITLES):
        grid = view_grid(results, view)
        write_whole(run / TABLES_FOLDER / f"{view}.tex", grid_latex(grid, results, view))
        write_whole(run / TABLES_FOLDER / f"{view}.md", grid_markdown(grid))
    if scores and scores.scored:
        write_whole(run / TABLES_FOLDER / "baselines.md", grid_markdown(scores.full))
    page = run / REPORT_FILE
    write_whole(page, text)
    return page


def render(
    results: Table,
    figures: Mapping[str, Drawing],
    examples: Sequence[ShownExample] = (),
    scores: Scores | None = None,
) -> str:
    """Return the page as text; without examples or scores, it has no such section."""
    manifest = results.manifest
    views = list(filter(results.cases, VIEW_TITLES))
    return render_page(
        "template.html",
        title=str(manifest.get("title") or "Modalprism report"),
        first=results.modalities[0],
        second=results.modalities[1],
        unit=results.unit(),
        sizes=counts(*results.sizes()),
        seed=results.seed,
        styles=atom_styles(results.modalities),
        headlines=headlines(results),
        redrawn="redrawn" in results.pairs("answer"),
        answers=answer_sentences(results),
        streams=stream_sentences(results),
        warnings=cautions(results),
        notes=[str(note) for note in manifest.get("notes", [])],
        descriptions={
            kind: {str(name): str(text) for name, text in manifest.get(key, {}).items() if text}
            for kind, key in (("model", "models"), ("dataset", "datasets"))
        },
        prompts={
            case: notices.prompt for case, notices in notices_of(results).items() if notices.prompt
        },
        views=views,
        targets={view: results.target(view) for view in views},
        tables={view: view_grid(results, view, detail=True) for view in views},
        figures={name: d._replace(svg=inline_svg(d.svg, name)) for name, d in figures.items()},
        files=True,
        examples=example_cases(results, examples, figure_names(results, examples)),
        scores=scores,
        manifest=manifest,
    )

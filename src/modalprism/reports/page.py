"""The page: one HTML file that needs nothing else, from a finished run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from modalprism.files import write_whole
from modalprism.plotting.atoms import atom_styles
from modalprism.plotting.figures.canvas import inline_svg
from modalprism.plotting.figures.examples import figure_names
from modalprism.plotting.grid import grid_markdown
from modalprism.plotting.latex import grid_latex
from modalprism.plotting.scores import Scores, scores_of
from modalprism.plotting.views import view_grid
from modalprism.progress import Progress, tracking
from modalprism.reports.cautions import cautions, notices_of
from modalprism.reports.examples import example_cases
from modalprism.reports.figures import write_figures
from modalprism.reports.headlines import headlines
from modalprism.reports.sentences import answer_sentences, stream_sentences
from modalprism.reports.shell import render_page
from modalprism.results.examples import ShownExample
from modalprism.results.notation import counts
from modalprism.results.table import VIEW_TITLES
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
    profile = Profile.read(run)
    results, examples = profile.table, read_examples(run)
    asked = profile.manifest.get("baselines")
    left_out = asked.get("left_out", []) if isinstance(asked, dict) else []
    scores = scores_of(results, read_baselines(run), [str(one) for one in left_out])
    scored = scores.scored if scores else ()
    with tracking(progress) as track:
        drawings = write_figures(profile, run / FIGURES_FOLDER, examples, scored, track=track)
    figures = {name: (d.svg, d.description) for name, d in drawings.items()}
    text = render(profile, figures, examples, scores)
    write_tables(profile, run / TABLES_FOLDER)
    if scores and scores.scored:
        write_whole(run / TABLES_FOLDER / "baselines.md", grid_markdown(scores.full))
    page = run / REPORT_FILE
    write_whole(page, text)
    return page


def write_tables(profile: Profile, folder: Path) -> None:
    """Write the table of every view of a profile, as LaTeX and as Markdown.

    Parameters
    ----------
    profile : Profile
    folder : pathlib.Path
        For ``answer.tex``, ``answer.md``, ``stream.tex`` and so on.
    """
    results, seed = profile.table, profile.manifest.get("seed")
    for view in filter(results.cases, VIEW_TITLES):
        grid = view_grid(results, view)
        write_whole(folder / f"{view}.tex", grid_latex(grid, results, view, seed))
        write_whole(folder / f"{view}.md", grid_markdown(grid))


def render(
    profile: Profile,
    figures: dict[str, tuple[str, str]],
    examples: Sequence[ShownExample] = (),
    scores: Scores | None = None,
) -> str:
    """Return the page as text.

    Parameters
    ----------
    profile : Profile
        The profile of a run.
    figures : dict of str to (str, str)
        SVG text and description of each figure, by its name.
    examples : sequence of ShownExample
        Those that tell most of each atom; without any, the page has no such section.
    scores : Scores, optional
        Of baselines; without, the page has no such section.
    """
    results = profile.table
    manifest = profile.manifest
    views = list(filter(results.cases, VIEW_TITLES))
    return render_page(
        "template.html",
        title=str(manifest.get("title") or "Modalprism report"),
        first=results.modalities[0],
        second=results.modalities[1],
        unit=results.unit(),
        sizes=counts(*results.sizes()),
        seed=manifest.get("seed"),
        styles=atom_styles(results.modalities),
        headlines=headlines(results),
        redrawn="redrawn" in results.pairs("answer"),
        answers=answer_sentences(results),
        streams=stream_sentences(results),
        warnings=cautions(profile),
        notes=[str(note) for note in manifest.get("notes", [])],
        descriptions={
            kind: {str(name): str(text) for name, text in manifest.get(key, {}).items() if text}
            for kind, key in (("model", "models"), ("dataset", "datasets"))
        },
        prompts={
            case: notices.prompt for case, notices in notices_of(profile).items() if notices.prompt
        },
        views=views,
        targets={view: results.target(view) for view in views},
        tables={view: view_grid(results, view, detail=True) for view in views},
        figures={
            name: {"svg": inline_svg(svg, name), "description": description}
            for name, (svg, description) in figures.items()
        },
        files=True,
        examples=example_cases(results, examples, figure_names(results, examples)),
        scores=scores,
        manifest=manifest,
    )

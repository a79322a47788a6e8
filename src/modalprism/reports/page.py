"""The page: one HTML file that needs nothing else, from a finished run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from modalprism.files import write_whole
from modalprism.plotting.atoms import atom_styles
from modalprism.plotting.examples import ShownExample
from modalprism.plotting.figures.canvas import inline_svg
from modalprism.plotting.figures.examples import figure_names
from modalprism.plotting.notation import counts
from modalprism.plotting.readings import Readings
from modalprism.progress import Progress, tracking
from modalprism.reports.cautions import cautions, notices_of
from modalprism.reports.examples import shown_cases
from modalprism.reports.figures import write_figures
from modalprism.reports.headlines import headlines
from modalprism.reports.scores import Scores, scores_of
from modalprism.reports.shell import render_page
from modalprism.reports.tables import (
    TABLES_FOLDER,
    Grid,
    answer_grid,
    layer_grid,
    write_tables,
)
from modalprism.reports.tables.markdown import grid_markdown
from modalprism.reports.words import answer_sentences, stream_sentences
from modalprism.studies.baselines import read_baselines
from modalprism.studies.example_store import read_examples
from modalprism.studies.profile import Profile

REPORT_FILE: Final = "report.html"
FIGURES_FOLDER: Final = "figures"
_LAYER_VIEWS: Final = ("stream", "encoding")


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
    examples = read_examples(run)
    scores = scores_of(profile, read_baselines(run))
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
    readings = Readings(profile)
    manifest = profile.manifest
    views = [view for view in ("answer", *_LAYER_VIEWS) if readings.cases(view)]
    tables: dict[str, Grid] = {
        view: answer_grid(readings, detail=True) if view == "answer" else layer_grid(readings, view)
        for view in views
    }
    return render_page(
        "template.html",
        title=str(manifest.get("title") or "Modalprism report"),
        first=readings.modalities[0],
        second=readings.modalities[1],
        unit=readings.unit(),
        sizes=counts(*readings.sizes()),
        seed=manifest.get("seed"),
        styles=atom_styles(readings.modalities),
        headlines=headlines(readings),
        redrawn="redrawn" in readings.pairs("answer"),
        answers=answer_sentences(profile),
        streams=stream_sentences(profile),
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
        targets={view: readings.target(view) for view in views},
        tables=tables,
        figures={
            name: {"svg": inline_svg(svg, name), "description": description}
            for name, (svg, description) in figures.items()
        },
        files=True,
        examples=shown_cases(readings, examples, figure_names(readings, examples)),
        scores=scores,
        manifest=manifest,
    )

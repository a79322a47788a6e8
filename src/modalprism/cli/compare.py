"""``modalprism compare``: several runs on one page, with the intervals of what differs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from modalprism.cli.console import ERR, Json, print_json, print_text, show_progress


def compare(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of finished runs; one may hold several models.")
    ],
    out: Annotated[Path, typer.Option(help="Where the page, its figures and the table go.")] = Path(
        "runs/comparison"
    ),
    as_json: Json = False,
) -> None:
    """Compare models, datasets, checkpoints, or a run before and after: what differs, how surely.

    Analyses of the same examples with the same seed are compared pair by pair, others as
    independent ones. All models of a dataset are compared, and all datasets of a model.
    Of runs with the same model and dataset, the one named first is before.

    Example: modalprism compare runs/before runs/after
    """
    with show_progress(as_json) as bars:
        from modalprism.reports import embedding_faults, headlines
        from modalprism.reports.compare import (
            difference_sentences,
            read_runs,
            together,
            write_comparison,
        )
        from modalprism.studies.comparison import compare as differences_of

        found = read_runs(runs)
        differences = differences_of(found)
        page = write_comparison(found, differences, out, progress=bars.show)
    if as_json:
        print_json({"page": str(page), "differences": differences.to_dict("records")})
        return
    results = together(found)
    for sentence in (*headlines(results), *difference_sentences(differences)):
        print_text(sentence)
    for sentence in embedding_faults(results):
        print_text(f"warning: {sentence}", ERR)
    print_text(f"\nThe page: {page}")

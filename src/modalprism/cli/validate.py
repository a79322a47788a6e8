"""``modalprism validate``: relations that must hold of a study's own models and stores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from modalprism.cli.console import (
    OUT,
    AllowCode,
    Json,
    announce_to,
    print_json,
    print_text,
    show_progress,
)


def validate(
    study: Annotated[Path, typer.Argument(help="A study in YAML; docs/studies.md shows one.")],
    examples: Annotated[
        int,
        typer.Option(help="Rows of each store to analyse, drawn at random."),
    ] = 500,
    runs: Annotated[
        int,
        typer.Option(
            help="How many of them the model runs with other inputs and under noise, in 21 passes "
            "each."
        ),
    ] = 128,
    allow_code: AllowCode = None,
    as_json: Json = False,
) -> None:
    """Check relations that must hold for a study's models, stores and estimator.

    Embeddings: a modality's rows shuffled, a modality given twice, the order
    swapped, the labels shuffled, the same run twice.

    The model, where the study has one: it gives the same rows again; each
    input moves the state of its own modality, and no other; the answer
    moves with an input if and only if the decomposition finds information
    there, and moves less under more noise; with attention cut, information
    unique to a modality stays in its span.

    A table shows what was expected, what was seen, the verdict, and the
    interval behind it; validation.json and validation.parquet in the run's
    folder hold the same. A check that does not apply is not run, with the
    reason. A surprise is tested again with other draws, and fails when it
    comes back in all three.

    Exit code 0 where nothing fails, 1 where a check fails, 2 where the
    study cannot be used. docs/validation.md explains failures.

    Example: modalprism validate study.yaml --examples 300
    """
    with show_progress(as_json) as bars:
        from modalprism.reports.validation import ValidationTable, validation_sentences
        from modalprism.studies.study import Study
        from modalprism.validation import VALIDATION_FILE
        from modalprism.validation import validate as check

        chosen = Study.from_yaml(study)
        found = check(
            chosen,
            examples=examples,
            runs=runs,
            progress=bars.show,
            announce=announce_to(as_json),
            allow_code=allow_code or (),
        )
    if as_json:
        print_json(found.record())
    else:
        OUT.print(ValidationTable(found))
        for sentence in validation_sentences(found):
            print_text(sentence)
        print_text(f"\nThe table: {chosen.out / VALIDATION_FILE}")
    if not found.passed:
        raise typer.Exit(1)

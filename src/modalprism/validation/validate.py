"""Run all checks of a study, and write the findings into the run's folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from modalprism.errors import InputError
from modalprism.progress import Announce, Progress, Track, silent, tracking, unheard
from modalprism.studies.study import Study
from modalprism.studies.study_store import StudyStore
from modalprism.studies.views import Settings
from modalprism.validation.case import StoreUnderTest
from modalprism.validation.check import Check
from modalprism.validation.embedding_checks import embedding_checks
from modalprism.validation.finding import Finding, Validation
from modalprism.validation.knockout_check import knock_out
from modalprism.validation.pairing_checks import names_fit, rows_belong
from modalprism.validation.rounds import findings_of
from modalprism.validation.sensitivity_checks import answer_moves, noise

EXAMPLES: Final = 500
RUNS: Final = 128
REPLICATES: Final = 200
PERMUTATIONS: Final = 199


def checks_of(modalities: tuple[str, str]) -> list[Check]:
    """Return every check of a store: of its embeddings, then of its model."""
    first, second = modalities
    return [
        *embedding_checks(modalities),
        rows_belong(),
        names_fit(modalities),
        answer_moves(first),
        answer_moves(second),
        noise(first),
        noise(second),
        knock_out(first, second),
    ]


def validate(
    study: Study,
    *,
    examples: int = EXAMPLES,
    runs: int = RUNS,
    progress: Progress = False,
    announce: Announce = unheard,
    allow_code: Sequence[str] = (),
) -> Validation:
    """Check a study's models, stores and estimator against relations that must hold.

    Parameters
    ----------
    study : Study
        Its inputs are captured where they are not yet.
    examples : int
        Rows of each store that are analysed, drawn with the study's seed.
    runs : int
        How many of them the model runs with other inputs and under noise.
    progress : bool or callable
        True shows bars on standard error; a callable takes every
        `modalprism.progress.ProgressEvent`.
    announce : Announce
        Called with the cost, before it begins.
    allow_code : sequence of str
        Names of code that may run; see `Study.run`.

    Returns
    -------
    Validation
        Written into the run's folder, too.

    Raises
    ------
    InputError
        If an input cannot be used, or nothing could be checked at all.
    CodeRefusedError
        If the study would run code that is not allowed.
    """
    for name, number in (("examples", examples), ("runs", runs)):
        if number < 2:
            raise InputError(f"{name} is {number}: checks need 2 or more", parameter=name)
    begin = time.perf_counter()
    own = study.settings()
    settings = replace(  # fewer draws suffice to separate zero from more
        own,
        replicates=min(own.replicates, REPLICATES),
        permutations=min(own.permutations, PERMUTATIONS),
    )
    with tracking(progress) as track:
        validation = validate_stores(
            study.stores(track=track, allow_code=allow_code),
            settings,
            examples=examples,
            runs=runs,
            workers=study.workers,
            track=track,
            announce=announce,
        )
    validation = replace(validation, seconds=time.perf_counter() - begin)
    validation.write(study.out)
    return validation


def validate_stores(
    stores: Sequence[StudyStore],
    settings: Settings,
    *,
    examples: int = EXAMPLES,
    runs: int = RUNS,
    workers: int = 0,
    checks: Sequence[Check] | None = None,
    track: Track = silent,
    announce: Announce = unheard,
) -> Validation:
    """Check stores that are open; see `validate`. By default by all `checks_of` them."""
    begin = time.perf_counter()
    cases = [
        StoreUnderTest(one, settings, examples=examples, runs=runs, track=track) for one in stores
    ]
    checks = checks_of(settings.modalities) if checks is None else checks
    announce(_cost(cases, checks))
    findings: list[Finding] = []
    passes = 0
    while cases:
        case = cases.pop(0)  # a model is let go once its store is done
        findings += findings_of(case, checks, workers)
        passes += case.passes
    if findings and all(finding.verdict == "not run" for finding in findings):
        raise InputError(f"nothing could be checked: {findings[0].seen}")
    return Validation(tuple(findings), passes, time.perf_counter() - begin)


def _cost(cases: Sequence[StoreUnderTest], checks: Sequence[Check]) -> str:
    """Return the cost of all checks, if every one applies and none surprises."""
    passes = sum(
        check.passes(case) for case in cases if case.study_store.origin for check in checks
    )
    analyses = len(cases) * (1 + sum(check.analyses for check in checks))  # 1: each as it is
    stores = "a store" if len(cases) == 1 else f"{len(cases)} stores"
    return (
        f"{len(checks)} checks of {stores}: at most {passes:,} forward passes of one example and "
        f"{analyses:,} analyses; what surprises is looked at again, up to twice"
    )

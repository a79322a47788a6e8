"""Run all checks of a study, in rounds: a surprise is tested again, with another draw."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Final

from modalprism.engines import Job, LocalEngine
from modalprism.errors import InputError
from modalprism.estimation.analysis import Analysis
from modalprism.progress import Announce, Progress, Track, silent, tracking, unheard
from modalprism.studies.study import Study
from modalprism.studies.study_store import StudyStore
from modalprism.studies.views import Settings
from modalprism.validation.case import AnalysisRequest, StoreUnderTest
from modalprism.validation.check import Check
from modalprism.validation.embedding_checks import embedding_checks
from modalprism.validation.finding import Finding, NotRunError, Seen, Validation, Verdict
from modalprism.validation.model_checks import (
    answer_moves,
    knock_out,
    names_fit,
    noise,
    rows_belong,
)

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


def findings_of(case: StoreUnderTest, checks: Sequence[Check], workers: int) -> list[Finding]:
    """Run all checks of a store, in rounds; analyses run in local processes of one thread."""
    where = f"{case.study_store.model} on {case.study_store.dataset}"
    if any(check.analyses for check in checks):
        (case.base,) = _answers([case.request(0)], f"{where}, as it is", case, workers)
    trials = [_Trial(case, check) for check in checks]
    draw = 0
    while open_trials := [trial for trial in trials if trial.finding is None]:
        requests = [trial.requests(draw) for trial in open_trials]
        answers = iter(_answers(list(chain(*requests)), f"{where}, draw {draw + 1}", case, workers))
        for trial, own in zip(open_trials, requests, strict=True):
            trial.judge(draw, list(islice(answers, len(own))))
        draw += 1
    return [trial.finding for trial in trials if trial.finding is not None]


def _answers(
    requests: Sequence[AnalysisRequest], words: str, case: StoreUnderTest, workers: int
) -> list[Analysis | str]:
    """Return the analyses, in order; the reason where one is refused."""
    if not requests:
        return []
    jobs = [
        Job(f"{words}, analysis {number}", request.answer)
        for number, request in enumerate(requests, 1)
    ]
    answers = dict(LocalEngine(workers).run(jobs, track=case.track, description=words))
    return [answers[job.key] for job in jobs]


@dataclass(eq=False)
class _Trial:
    """A check of a case, draw by draw, until there is a finding."""

    case: StoreUnderTest
    check: Check
    surprises: frozenset[str] | None = None  # that came back in every draw
    seen: Seen | None = None
    draws: int = 0
    finding: Finding | None = None

    def requests(self, draw: int) -> Sequence[AnalysisRequest]:
        try:
            return self.check.requests(self.case, draw)
        except (NotRunError, InputError) as error:
            self._stop(str(error))
            return ()

    def judge(self, draw: int, answers: Sequence[Analysis | str]) -> None:
        """Read the answers; leave the finding open where another draw is needed."""
        if self.finding is not None:  # its requests were refused
            return
        try:
            for answer in answers:
                if isinstance(answer, str):
                    raise NotRunError(answer)
            analyses = [answer for answer in answers if not isinstance(answer, str)]
            self.seen = self.check.evaluate(self.case, draw, analyses)
        except (NotRunError, InputError) as error:
            self._stop(str(error))
            return
        self.draws += 1
        before = self.surprises
        self.surprises = self.seen.surprises if before is None else before & self.seen.surprises
        if not self.surprises:
            self._end("pass", self.seen.words)
        elif self.draws == self.check.draws:
            self._end("fail", f"{', '.join(sorted(self.surprises))}: {self.seen.words}")

    def _stop(self, why: str) -> None:
        """End a check that does not apply; surprises up to now still fail it."""
        if not self.surprises or self.seen is None:
            self._end("not run", why)
            return
        names = ", ".join(sorted(self.surprises))
        self._end("fail", f"{names}: {self.seen.words}; it could not be looked at again: {why}")

    def _end(self, verdict: Verdict, words: str) -> None:
        store, check = self.case.study_store, self.check
        rest = None if self.seen is None else self.seen.rest
        self.finding = Finding(
            *(store.model, store.dataset, check.name, check.expected, words, verdict),
            rest=rest,
            draws=self.draws,
        )

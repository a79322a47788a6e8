"""The checks of one store, in rounds: a surprise is tested again, with another draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice

from modalprism.engines import Job, LocalEngine
from modalprism.errors import InputError
from modalprism.estimation.analysis import Analysis
from modalprism.validation.case import AnalysisRequest, StoreUnderTest
from modalprism.validation.check import Check
from modalprism.validation.finding import Finding, NotRunError, Seen, Verdict


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

"""The checks of one store, in rounds: a surprise is tested again, with another draw."""

from __future__ import annotations

from collections.abc import Sequence

from modalprism.engines import Job, LocalEngine
from modalprism.errors import InputError
from modalprism.estimation.analysis import Analysis
from modalprism.progress import Track
from modalprism.studies.validation.case import Case, Question
from modalprism.studies.validation.check import Check
from modalprism.studies.validation.finding import Finding, NotRunError, Seen, Verdict


class Asking:
    """Runs analyses in local processes of one thread."""

    def __init__(self, workers: int, track: Track) -> None:
        self.workers, self.track = workers, track

    def ask(self, questions: Sequence[Question], words: str) -> list[Analysis | str]:
        """Return the answers, in order; the reason where an analysis is refused."""
        if not questions:
            return []
        jobs = [
            Job(f"{words}, question {number}", question.answer)
            for number, question in enumerate(questions, 1)
        ]
        engine = LocalEngine(self.workers)
        answers = dict(engine.run(jobs, track=self.track, description=words))
        return [answers[job.key] for job in jobs]


def findings_of(case: Case, checks: Sequence[Check], asking: Asking) -> list[Finding]:
    """Run all checks of a store, in rounds."""
    where = f"{case.study_store.model} on {case.study_store.dataset}"
    if any(check.asks for check in checks):
        (case.base,) = asking.ask([case.question(0)], f"{where}, as it is")
    found: dict[Check, Finding] = {}
    open_checks = {check: _History() for check in checks}
    draw = 0
    while open_checks:
        asked: dict[tuple[Check, str], Question] = {}
        for check in list(open_checks):
            try:
                for name, question in check.questions(case, draw).items():
                    asked[check, name] = question
            except (NotRunError, InputError) as error:
                found[check] = _stopped(case, check, open_checks.pop(check), str(error))
        answers = dict(
            zip(asked, asking.ask(list(asked.values()), f"{where}, draw {draw + 1}"), strict=True)
        )
        for check, history in list(open_checks.items()):
            finding = _judge(case, check, draw, history, answers)
            if finding is not None:
                found[check] = finding
                del open_checks[check]
        draw += 1
    return [found[check] for check in checks]


class _History:
    """Surprises that came back in every draw up to now."""

    def __init__(self) -> None:
        self.surprises: frozenset[str] | None = None
        self.draws = 0
        self.last: Seen | None = None

    def note(self, seen: Seen) -> frozenset[str]:
        """Keep the surprises that came back."""
        before = self.surprises
        self.surprises = seen.surprises if before is None else before & seen.surprises
        self.draws, self.last = self.draws + 1, seen
        return self.surprises


def _judge(
    case: Case,
    check: Check,
    draw: int,
    history: _History,
    answers: dict[tuple[Check, str], Analysis | str],
) -> Finding | None:
    """Return the verdict; None where another draw is needed."""
    own = {name: answer for (asked, name), answer in answers.items() if asked is check}
    if refused := [answer for answer in own.values() if isinstance(answer, str)]:
        return _stopped(case, check, history, refused[0])
    read = {name: answer for name, answer in own.items() if not isinstance(answer, str)}
    try:
        seen = check.look(case, draw, read)
    except (NotRunError, InputError) as error:
        return _stopped(case, check, history, str(error))
    again = history.note(seen)
    if not again:
        return _finding(case, check, "pass", seen.words, seen, draw + 1)
    if draw + 1 < check.draws:
        return None
    words = f"{', '.join(sorted(again))}: {seen.words}"
    return _finding(case, check, "fail", words, seen, draw + 1)


def _stopped(case: Case, check: Check, history: _History, why: str) -> Finding:
    """Return why a check does not apply; surprises up to now still fail it."""
    if not history.surprises or history.last is None:
        return _finding(case, check, "not run", why)
    names = ", ".join(sorted(history.surprises))
    words = f"{names}: {history.last.words}; it could not be looked at again: {why}"
    return _finding(case, check, "fail", words, history.last, history.draws)


def _finding(
    case: Case, check: Check, verdict: Verdict, words: str, seen: Seen | None = None, draws: int = 0
) -> Finding:
    return Finding(
        case.study_store.model,
        case.study_store.dataset,
        check.name,
        check.expected,
        words,
        verdict,
        None if seen is None else seen.rest,
        draws,
    )

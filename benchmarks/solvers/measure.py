"""Time peers side by side: each in a process of its own, all on one problem, round by round.

Every process is prepared and warmed up first. Then, in rounds, one peer solves after the other, so
that whatever else the machine does meets all of them alike; the best of a peer's rounds counts. A
peer leaves the rounds when it has spent its seconds; one over its budget or its memory is ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from answer import Answer

_WORKER = Path(__file__).with_name("worker.py")
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
_POLL = 0.25  # seconds between looks at a worker's memory
_PREPARE = 60.0  # seconds that a worker may take to import and prepare in any case


@dataclass(frozen=True)
class Limits:
    """Limits of a peer on one problem.

    Parameters
    ----------
    budget : float
        Seconds for each solve; and for its preparation, if that is no less than a minute.
    memory : float
        GiB resident.
    spend : float
        Seconds of repeats, after which it leaves the rounds.
    rounds : int
        Repeats at most.
    threads : int or None
        Threads that every library may use; None leaves it to them.
    """

    budget: float = 120.0
    memory: float = 12.0
    spend: float = 3.0
    rounds: int = 20
    threads: int | None = None


@dataclass
class Outcome:
    """Result of one peer on one problem or several.

    Parameters
    ----------
    peer : str
        Its name.
    seconds : float or None
        Best time for all problems; None where it did not finish.
    rounds : int
        Times it was run.
    answers : list of Answer
        One a problem, of the first round.
    peak : int or None
        Bytes of memory above the baseline in the first round; None where unknown.
    note : str
        Why it did not finish, or did not run.
    skipped : bool
        Whether it cannot run here at all or refused, rather than failed.
    over : float or None
        Seconds after which it was ended.
    """

    peer: str
    seconds: float | None = None
    rounds: int = 0
    answers: list[Answer] = field(default_factory=list)
    peak: int | None = None
    note: str = ""
    skipped: bool = False
    over: float | None = None


class EndedError(Exception):
    """A worker is gone: over a limit, or dead; the message says which.

    Parameters
    ----------
    text : str
        What happened.
    over : float or None
        Seconds after which it was ended, if that was why.
    """

    def __init__(self, text: str, over: float | None = None) -> None:
        super().__init__(text)
        self.over = over


class Worker:
    """A process that solves when told to.

    Parameters
    ----------
    job : dict
        What `worker.serve` takes.
    limits : Limits
        What it may spend.
    """

    def __init__(self, job: dict[str, Any], limits: Limits) -> None:
        environment = dict(os.environ)
        if limits.threads is not None:
            environment |= dict.fromkeys(_THREADS, str(limits.threads))
        self.limits = limits
        self._process = subprocess.Popen(  # noqa: S603 - our own worker, with our own job
            [sys.executable, str(_WORKER), json.dumps(job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            text=True,
        )

    def solve(self) -> dict[str, Any]:
        """Have it solve once and return its reply."""
        try:
            self._process.stdin.write("solve\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise EndedError("died") from error
        return self._listen(self.limits.budget)

    def ready(self) -> dict[str, Any]:
        """Wait until it has prepared."""
        return self._listen(max(self.limits.budget, _PREPARE))

    def _listen(self, budget: float) -> dict[str, Any]:
        """Wait for a reply, for so many seconds.

        Raises
        ------
        EndedError
            If there is none.
        """
        deadline = time.monotonic() + budget
        stream = self._process.stdout
        while not select.select([stream], [], [], _POLL)[0]:
            if time.monotonic() > deadline:
                self.close()
                raise EndedError(f"> {budget:g} s", budget)
            if self._resident() > self.limits.memory * 2**30:
                self.close()
                raise EndedError(f"> {self.limits.memory:g} GiB")
        line = stream.readline()
        if not line:
            raise EndedError(f"died (exit {self._process.wait()})")
        return json.loads(line)

    def close(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()

    def _resident(self) -> int:
        """Bytes resident, 0 where unknown."""
        try:
            lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        except OSError:
            return 0
        sizes = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:")]
        return sizes[0] if sizes else 0


def measure(
    peers: Sequence[str],
    problems: Callable[[str], list[str]],
    limits: Limits,
    *,
    checkouts: dict[str, str],
    tol: float | None = None,
    progress: Callable[[str], None] = lambda _text: None,
) -> list[Outcome]:
    """Run peers on a problem, interleaved.

    Parameters
    ----------
    peers : sequence of str
        Their names, in the order of the rounds.
    problems : callable
        From a peer's name to the names of the problems it solves, all in one go.
    limits : Limits
        What each may spend.
    checkouts : dict
        Paths of the peers that are not packages.
    tol : float, optional
        Accuracy in bits, instead of the problems' own.
    progress : callable
        Told what happens.

    Returns
    -------
    list of Outcome
        In the order of `peers`.
    """
    outcomes = {name: Outcome(name) for name in peers}
    running: dict[str, Worker] = {}

    def leave(name: str, note: str = "") -> None:
        outcomes[name].note = note
        if name in running:
            running.pop(name).close()
        if note:
            progress(f"  {name}: {note}")

    def take(name: str, reply: dict[str, Any]) -> bool:
        """Whether a reply is good news; otherwise the peer leaves."""
        if "skip" in reply:
            outcomes[name].skipped = True
        bad = reply.get("skip") or reply.get("failed")
        if bad:
            leave(name, bad)
        return not bad

    try:
        for name in peers:
            job = {"peer": name, "problems": problems(name), "tol": tol, "checkouts": checkouts}
            running[name] = Worker(job, limits)
            try:
                take(name, running[name].ready())
            except EndedError as ended:
                leave(name, f"{ended} to prepare")
        while running:
            for name in list(running):
                try:
                    reply = running[name].solve()
                except EndedError as ended:
                    # A later round may be slower than the budget: what was measured stands.
                    outcomes[name].over = ended.over
                    leave(name, "" if outcomes[name].rounds else str(ended))
                    continue
                if take(name, reply):
                    _add(outcomes[name], reply)
                    if _done(outcomes[name], reply["seconds"], limits):
                        leave(name)
                        progress(f"  {name}: {outcomes[name].seconds:.3g} s")
    finally:
        for worker in running.values():
            worker.close()
    return list(outcomes.values())


def _add(outcome: Outcome, reply: dict[str, Any]) -> None:
    """Add a round to an outcome."""
    if outcome.seconds is None:
        outcome.seconds = reply["seconds"]
        outcome.peak = reply["peak"]
        outcome.answers = [Answer(**_tuples(fields)) for fields in reply["answers"]]
    outcome.seconds = min(outcome.seconds, reply["seconds"])
    outcome.rounds += 1


def _done(outcome: Outcome, last: float, limits: Limits) -> bool:
    """Whether a peer has had its repeats."""
    return outcome.rounds >= limits.rounds or last * (outcome.rounds + 1) > limits.spend


def _tuples(fields: dict[str, Any]) -> dict[str, Any]:
    """JSON's lists as the tuples they were."""
    return {
        key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()
    }

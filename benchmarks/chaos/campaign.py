"""Trials by seed, run in child processes that may hang or die, and counted.

A trial is a function of a seed. It returns where the program did its work right, raises
`InputError` where the program refused in a sentence, and raises anything else where it failed.
"""

from __future__ import annotations

import os
import select
import signal
import struct
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from modalprism.engines.local import end_with
from modalprism.errors import InputError, escaped

Trial = Callable[[int], None]
LONGEST_SENTENCE: Final = 1_499
"""An `InputError` cuts what is longer, and then nobody has thought about its length."""
_HEADER: Final = struct.Struct("<cI")
_OUTCOMES: Final = {b"o": "fine", b"r": "refused", b"x": "failed"}


@dataclass(frozen=True)
class Campaign:
    """Trials of one kind.

    Attributes
    ----------
    name : str
    trial : callable
    count : int
        Trials of a whole campaign.
    few : int
        Trials of the one-minute share.
    weight : float
        The part of the time, beside those of the other campaigns.
    patience : float
        Seconds after which a trial hangs.
    at_once : int
        Child processes that run trials.
    prepare : callable, optional
        Called once, before any child is started; what it imports, children need not.
    """

    name: str
    trial: Trial
    count: int
    few: int
    weight: float = 1.0
    patience: float = 60.0
    at_once: int = 2
    prepare: Callable[[], None] | None = None


@dataclass
class Result:
    """Results of a campaign.

    Attributes
    ----------
    name : str
    wanted : int
        Trials that were to be made; time may not have sufficed for all.
    fine, refused : int
    failures : list of (int, str)
        The seed of every trial that failed, and how.
    slowest : float
        Seconds of the longest trial.
    seconds : float
        Of all.
    """

    name: str
    wanted: int
    fine: int = 0
    refused: int = 0
    failures: list[tuple[int, str]] = field(default_factory=list)
    slowest: float = 0.0
    seconds: float = 0.0

    @property
    def tried(self) -> int:
        """Trials that were made."""
        return self.fine + self.refused + len(self.failures)


def run(campaign: Campaign, seeds: Sequence[int], seconds: float) -> Result:
    """Run trials until all are done or the time is over, and one in any case."""
    result = Result(campaign.name, len(seeds))
    begin = time.monotonic()
    if campaign.prepare is not None:
        campaign.prepare()
    lanes = [_Lane(campaign, seeds[k :: campaign.at_once]) for k in range(campaign.at_once)]
    try:
        while busy := [lane for lane in lanes if lane.seeds]:
            if result.tried and time.monotonic() > begin + seconds:
                break
            ready, _, _ = select.select([lane.pipe for lane in busy], [], [], 0.2)
            for lane in busy:
                took = time.monotonic() - lane.begun
                if lane.pipe in ready:
                    _count(result, *lane.answer(), took)
                elif took > campaign.patience:
                    _count(result, *lane.given_up(), took)
    finally:
        for lane in lanes:
            lane.stop()
    result.seconds = time.monotonic() - begin
    return result


def _count(result: Result, seed: int, outcome: str, words: str, took: float) -> None:
    result.slowest = max(result.slowest, took)
    if outcome == "failed":
        result.failures.append((seed, words))
        print(f"\n{result.name}, seed {seed}: {words}", file=sys.stderr)
    elif outcome == "refused":
        result.refused += 1
    else:
        result.fine += 1


class _Lane:
    """A child process that runs trials one after another; another takes its place if it dies."""

    def __init__(self, campaign: Campaign, seeds: Sequence[int]) -> None:
        self.campaign, self.seeds = campaign, list(seeds)
        self._start()

    def _start(self) -> None:
        self.pipe, write = os.pipe()
        sys.stdout.flush()
        self.child = os.fork()
        if self.child == 0:
            os.close(self.pipe)
            os.setpgid(0, 0)
            end_with(os.getppid())
            for seed in self.seeds:
                letter, words = _outcome(self.campaign.trial, seed)
                content = words.encode("utf-8", "replace")[:50_000]
                os.write(write, _HEADER.pack(letter, len(content)) + content)
            os._exit(0)
        os.close(write)
        self.begun = time.monotonic()

    def answer(self) -> tuple[int, str, str]:
        """Read the outcome of the trial that is running, or of the death of its process."""
        header = os.read(self.pipe, _HEADER.size)
        if len(header) < _HEADER.size:
            status = os.waitpid(self.child, 0)[1]
            self.child = 0
            return self._next("failed", f"the process ended with status {status}", dead=True)
        letter, size = _HEADER.unpack(header)
        words = b""
        while len(words) < size and (more := os.read(self.pipe, size - len(words))):
            words += more
        return self._next(_OUTCOMES[letter], words.decode("utf-8", "replace"))

    def given_up(self) -> tuple[int, str, str]:
        """Kill a process whose trial hangs."""
        self._kill()
        return self._next("failed", f"no end after {self.campaign.patience:.0f} s", dead=True)

    def _next(self, outcome: str, words: str, *, dead: bool = False) -> tuple[int, str, str]:
        seed = self.seeds.pop(0)
        self.begun = time.monotonic()
        if dead:
            os.close(self.pipe)
            if self.seeds:
                self._start()
        return seed, outcome, words

    def stop(self) -> None:
        """End the child; nothing happens where it has ended."""
        self._kill()

    def _kill(self) -> None:
        if not self.child:  # another process may have its number by now
            return
        try:
            os.killpg(self.child, signal.SIGKILL)
            os.waitpid(self.child, 0)
        except (ProcessLookupError, ChildProcessError, PermissionError):
            pass
        self.child = 0


def _outcome(trial: Trial, seed: int) -> tuple[bytes, str]:
    """Run a trial, and return a letter of `_OUTCOMES` with what there is to say."""
    try:
        trial(seed)
    except InputError as error:
        words = str(error)
        if not words or len(words) > LONGEST_SENTENCE or escaped(words) != words:
            return b"x", f"refused, but not in one printable sentence: {words[:500]!r}"
        return b"r", words
    except BaseException:  # noqa: BLE001  # whatever it is, it is a finding
        return b"x", traceback.format_exc(limit=-6)
    return b"o", ""


def table(results: Sequence[Result]) -> Iterator[str]:
    """Yield the lines of a table in Markdown."""
    yield "| campaign | tried | of | fine | refused in a sentence | FAILED | slowest | time |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for one in results:
        yield (
            f"| {one.name} | {one.tried:,} | {one.wanted:,} | {one.fine:,} | {one.refused:,} | "
            f"{len(one.failures):,} | {one.slowest:.1f} s | {one.seconds:.0f} s |"
        )

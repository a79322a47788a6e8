"""Tell how a run goes, beside its tables."""

from __future__ import annotations

import math
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from measure import Task

_EVERY = 5.0  # seconds between words on how it goes


def say(text: str) -> None:
    """Tell something now."""
    print(text, file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Write a time in words.

    Examples
    --------
    >>> duration(42.4), duration(330), duration(9000)
    ('42 s', '6 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Progress:
    """Say now and then what is being made and how much is left, and every failure at once.

    Parameters
    ----------
    tasks : iterable of Task
        Those that are still to be made.
    jobs : int
        Processes.
    """

    def __init__(self, tasks: Iterable[Task], jobs: int) -> None:
        self._left = Counter((task.estimator, task.n) for task in tasks)
        self._took: dict[tuple[str, int], list[float]] = defaultdict(list)
        self._known: set[str] = set()
        self._slow: set[str] = set()
        self._jobs = jobs
        self._last = -math.inf

    def begun(self, task: Task) -> None:
        """Tell of a draw that begins: of a slow estimator, the first of any, and now and then."""
        new = task.estimator not in self._known
        self._known.add(task.estimator)
        if new or task.estimator in self._slow or self._due():
            self._say(f"now {_where(task.key())}")

    def made(self, left: int, made: dict[str, Any]) -> None:
        """Tell of a draw that is there."""
        cell = made["estimator"], made["n"]
        self._left[cell] -= 1
        if "failed" in made:
            say(f"failed: {_where(made)}: {made['failed']}")
        else:
            seconds = made["answer"]["seconds"]
            self._took[cell].append(seconds)
            if seconds > _EVERY:
                self._slow.add(made["estimator"])
        if self._due():
            self._say(f"made {_where(made)}; draws left: {left:,}{self._time_left()}")

    def _time_left(self) -> str:
        """Return about how long it will take; nothing before every estimator was tried."""
        seconds = 0.0
        for (estimator, n), count in self._left.items():
            took = {rows: times for (name, rows), times in self._took.items() if name == estimator}
            if count and not took:
                return ""
            if count:
                # Of the number of rows that is nearest, where this one was not tried yet.
                near = took[min(took, key=lambda rows, n=n: abs(math.log(rows / n)))]
                seconds += count * sum(near) / len(near)
        return f", about {duration(seconds / self._jobs)}"

    def _due(self) -> bool:
        return time.monotonic() - self._last > _EVERY

    def _say(self, text: str) -> None:
        self._last = time.monotonic()
        say(text)


def _where(made: dict[str, Any]) -> str:
    """Name a draw."""
    again = f", seed {made['again']} of the analysis" if made["again"] else ""
    return f"{made['problem']} n={made['n']} {made['estimator']} draw {made['draw']}{again}"

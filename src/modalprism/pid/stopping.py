"""Stopping conditions and stopping reasons of a solver.

A solver queries its `Watch` in every iteration. While a watch is open, the first Ctrl-C requests a
stop, so that the solver returns proven bounds; a second one interrupts at once, as usual.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from types import FrameType, TracebackType
from typing import Any, Self


class Reason(StrEnum):
    """Reason why a solver stopped; its bounds hold for every reason."""

    CONVERGED = "converged"
    ITERATIONS = "max_iter reached"
    TIME = "time limit reached"
    INTERRUPT = "interrupted"
    ACCURACY = "accuracy floor reached"


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a solve, raised after the current bounds were computed.

    Parameters
    ----------
    results : tuple
        One result for each problem, of the interrupted function's return type.
    """

    def __init__(self, results: tuple[Any, ...]) -> None:
        super().__init__("interrupted; .results has the certified bounds reached so far")
        self.results = results


class Watch:
    """Stopping conditions of a solver, opened with ``with``.

    Parameters
    ----------
    tol : float
        Gap to stop at, in nats.
    max_iter : int
        Largest number of iterations.
    time_limit : float, optional
        Largest number of seconds, from now on.

    Examples
    --------
    >>> with Watch(tol=1e-6, max_iter=3) as watch:
    ...     [watch.reason(iteration) for iteration in (1, 2, 3)]
    [None, None, <Reason.ITERATIONS: 'max_iter reached'>]
    """

    def __init__(self, tol: float, max_iter: int, time_limit: float | None = None) -> None:
        self.tol, self.max_iter = tol, max_iter
        self._deadline = None if time_limit is None else time.monotonic() + time_limit
        self._interrupted = False
        self._spent = 0
        self._mine = False

    def __enter__(self) -> Self:
        # Replace only Python's own handler, never one set by the program.
        self._mine = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if self._mine:
            signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._mine:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C was pressed, also where the solver ended before it saw it."""
        return self._interrupted

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        """Request a stop; interrupt at once if one was requested before."""
        if self._interrupted:
            signal.default_int_handler(number, frame)
        self._interrupted = True

    @contextmanager
    def spent(self, iterations: int) -> Iterator[None]:
        """Count iterations of an earlier solver that another continues inside the block."""
        self._spent += iterations
        try:
            yield
        finally:
            self._spent -= iterations

    def reason(self, iteration: int) -> Reason | None:
        """Return the reason to stop after `iteration` iterations, or None to continue."""
        if self._interrupted:
            return Reason.INTERRUPT
        if self._deadline is not None and time.monotonic() >= self._deadline:
            return Reason.TIME
        if self._spent + iteration >= self.max_iter:
            return Reason.ITERATIONS
        return None

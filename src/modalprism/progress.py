"""Progress of long work.

Public functions take ``progress``, which `tracking` turns into a `Track` for the code inside.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Protocol, TypeAlias, TypeVar

from modalprism.errors import InputError

T = TypeVar("T")


@dataclass(frozen=True)
class ProgressEvent:
    """Progress of a stage of work.

    A stage begins with ``done=0``. The next event of the same description with ``done=0`` begins
    another stage.

    Attributes
    ----------
    description : str
        The stage, such as ``"analysing"``.
    done : int
        Items that are finished.
    total : int
        Items of the stage; 0 where the number is unknown.
    """

    description: str
    done: int
    total: int


Progress: TypeAlias = bool | Callable[[ProgressEvent], object]
"""True for a bar on standard error, False for nothing, or a function that takes each event."""


class Track(Protocol):
    """Yield the items of an iterable, and report how many are finished."""

    def __call__(self, sequence: Iterable[T], *, total: int, description: str) -> Iterable[T]:
        """Yield from `sequence`, which has `total` items, under the words `description`."""


Announce: TypeAlias = Callable[[str], None]
"""Show a line about what is about to happen."""


@contextmanager
def tracking(progress: Progress) -> Iterator[Track]:
    """Yield what reports progress as ``progress`` of a public function asks for it (`Progress`).

    Raises InputError if it is neither a truth value nor callable.

    Examples
    --------
    >>> with tracking(print) as track:
    ...     list(track("ab", total=2, description="letters"))
    ProgressEvent(description='letters', done=0, total=2)
    ProgressEvent(description='letters', done=1, total=2)
    ProgressEvent(description='letters', done=2, total=2)
    ['a', 'b']
    """
    if progress is False:
        yield silent
    elif progress is True:
        from modalprism.bars import Bars

        with Bars() as bars:
            yield _reporting_to(bars.show)
    elif callable(progress):
        yield _reporting_to(progress)
    else:
        raise InputError(
            f"progress is {progress!r:.60}: pass True for a bar, False, or a function that takes "
            "a ProgressEvent",
            parameter="progress",
        )


def _reporting_to(report: Callable[[ProgressEvent], object]) -> Track:
    def track(sequence: Iterable[T], *, total: int, description: str) -> Iterator[T]:
        report(ProgressEvent(description, 0, total))
        for done, item in enumerate(sequence, 1):
            yield item
            report(ProgressEvent(description, done, total))

    return track


def forwarding(track: Track) -> Callable[[ProgressEvent], None]:
    """Return what passes the events of a public function, called inside, on to a `Track`."""
    stages: dict[str, Iterator[int]] = {}

    def report(event: ProgressEvent) -> None:
        words, total = event.description, event.total
        if event.done == 0:
            items = range(total) if total else count()
            stages[words] = iter(track(items, total=total, description=words))
        next(stages[words], None)

    return report


Step: TypeAlias = Callable[[], None]
"""Report that one more step is finished; threads may."""


def no_step() -> None:
    """Report nothing."""


@contextmanager
def counted_steps(track: Track, total: int, description: str) -> Iterator[Step]:
    """Report steps of work that is no loop."""
    lock = threading.Lock()
    steps = iter(track(range(total), total=total, description=description))

    def step() -> None:
        with lock:  # two threads must not resume one generator
            next(steps, None)

    step()
    yield step


def unheard(words: str) -> None:
    """Show no line."""


def silent(sequence: Iterable[T], *, total: int, description: str) -> Iterable[T]:  # noqa: ARG001
    """Show nothing."""
    return sequence

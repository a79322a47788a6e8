"""Progress of long work: the `Track` protocol, and the estimate of its cost beforehand.

Whatever may take more than two seconds walks its iterable through a `Track`. The library is silent
unless its caller passes one; the command line passes `rich.progress.Progress.track`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Track(Protocol):
    """Yield the items of an iterable, and show how far it has come."""

    def __call__(self, sequence: Iterable[T], *, total: int, description: str) -> Iterable[T]:
        """Yield from `sequence`, which has `total` items, under the words `description`."""


class Announce(Protocol):
    """Tell people what is about to happen."""

    def __call__(self, words: str) -> None:
        """Show a line."""


def unheard(words: str) -> None:
    """Show no line.

    Examples
    --------
    >>> unheard("two hours of work begin")
    """


def silent(sequence: Iterable[T], *, total: int, description: str) -> Iterable[T]:  # noqa: ARG001
    """Show nothing.

    Examples
    --------
    >>> list(silent("ab", total=2, description="letters"))
    ['a', 'b']
    """
    return sequence

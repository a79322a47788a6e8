"""How often a stretch of examples was begun: Ray by itself would begin it for ever."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any


class Tally:
    """Counts beginnings; an actor, since workers die and this must not.

    Examples
    --------
    >>> tally = Tally()
    >>> tally.begun(512), tally.begun(0), tally.begun(512)
    (1, 1, 2)
    """

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()

    def begun(self, begin: int) -> int:
        """Count one more beginning, and return how many there were."""
        self._begun[begin] += 1
        return self._begun[begin]


@dataclass(frozen=True)
class SharedTally:
    """A tally that all workers ask.

    Attributes
    ----------
    actor : handle of an actor
        Of a `Tally`.
    """

    actor: Any

    def __call__(self, begin: int) -> int:
        """Count one more beginning, and return how many there were."""
        import ray

        count: int = ray.get(self.actor.begun.remote(begin))
        return count

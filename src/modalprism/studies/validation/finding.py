"""What a check says in the end: what was expected, what was seen, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from modalprism.results.estimate import Estimate

Verdict = Literal["pass", "fail", "not run"]

COLUMNS: Final = (
    "model", "dataset", "check", "expected", "seen", "verdict", "quantity", "value", "low", "high",
    "unit", "draws",
)  # fmt: skip


class NotRunError(Exception):
    """A check does not apply here: the message says why."""


@dataclass(frozen=True)
class Rest:
    """The estimate that a verdict rests on, and its name."""

    quantity: str
    estimate: Estimate

    def __str__(self) -> str:
        unit = "" if self.estimate.unit == "1" else f" {self.estimate.unit}"
        return f"{self.quantity} {self.estimate}{unit}"


@dataclass(frozen=True)
class Seen:
    """What one draw of a check showed.

    Attributes
    ----------
    surprises : frozenset of str
        Which of the expected things was not so; none where all was as expected.
    words : str
    rest : Rest
    """

    surprises: frozenset[str]
    words: str
    rest: Rest


@dataclass(frozen=True)
class Finding:
    """A row of the table.

    Attributes
    ----------
    model, dataset, check : str
    expected, seen : str
        In words.
    verdict : {"pass", "fail", "not run"}
    rest : Rest, optional
        None where it was not run.
    draws : int
        How often the check looked: once, and again after a surprise.
    """

    model: str
    dataset: str
    check: str
    expected: str
    seen: str
    verdict: Verdict
    rest: Rest | None = None
    draws: int = 0

    def record(self) -> dict[str, Any]:
        """Return the row as in `COLUMNS`."""
        rests = {} if self.rest is None else {**vars(self.rest), **vars(self.rest.estimate)}
        found = {**rests, **vars(self)}
        return {name: found.get(name) for name in COLUMNS}

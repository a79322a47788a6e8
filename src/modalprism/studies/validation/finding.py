"""What a check says in the end: what was expected, what was seen, and the verdict."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

Verdict = Literal["pass", "fail", "not run"]

COLUMNS: Final = (
    "model", "dataset", "check", "expected", "seen", "verdict", "quantity", "value", "low", "high",
    "unit", "draws",
)  # fmt: skip


class NotRunError(Exception):
    """A check does not apply here: the message says why."""


@dataclass(frozen=True)
class Rest:
    """The number and 95 % interval that a verdict rests on.

    Attributes
    ----------
    quantity : str
    value, low, high : float
    unit : str
        ``1`` for a number without one.
    """

    quantity: str
    value: float
    low: float
    high: float
    unit: str

    def __str__(self) -> str:
        unit = "" if self.unit == "1" else f" {self.unit}"
        return f"{self.quantity} {self.value:z.3f} [{self.low:z.3f}, {self.high:z.3f}]{unit}"


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
        nothing = {"quantity": None, "value": None, "low": None, "high": None, "unit": None}
        flat = {key: value for key, value in vars(self).items() if key != "rest"}
        found = {**flat, **(nothing if self.rest is None else asdict(self.rest))}
        return {name: found[name] for name in COLUMNS}

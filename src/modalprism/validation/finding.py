"""Findings of checks: what was expected, what was seen, the verdict; and the table of them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Literal

import pandas as pd
import pyarrow as pa

from modalprism.files import write_whole
from modalprism.results.estimate import Estimate
from modalprism.strict_json import dumps
from modalprism.tables import parquet_bytes

Verdict = Literal["pass", "fail", "not run"]

COLUMNS: Final = (
    "model", "dataset", "check", "expected", "seen", "verdict", "quantity", "value", "low", "high",
    "unit", "draws",
)  # fmt: skip


VALIDATION_FILE: Final = "validation.json"
VALIDATION_TABLE: Final = "validation.parquet"


class NotRunError(Exception):
    """A check does not apply; the message is the reason."""


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
    """One draw of a check: expectations that did not hold, a sentence, and its number."""

    surprises: frozenset[str]
    words: str
    rest: Rest


@dataclass(frozen=True)
class Finding:
    """A row of the table; `expected` and `seen` are in words.

    `rest` is None where the check was not run, and `draws` is how often it ran: once, and again
    after a surprise.
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


@dataclass(frozen=True)
class Validation:
    """Findings of all checks of a study.

    Attributes
    ----------
    findings : tuple of Finding
        Store by store, in the order of the checks.
    passes : int
        How often models were run, on one example each.
    seconds : float
    """

    findings: tuple[Finding, ...]
    passes: int
    seconds: float

    @property
    def failed(self) -> tuple[Finding, ...]:
        """Findings that failed."""
        return tuple(finding for finding in self.findings if finding.verdict == "fail")

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not self.failed

    def frame(self) -> pd.DataFrame:
        """Return the table, a row a check of a store."""
        records = [finding.record() for finding in self.findings]
        return pd.DataFrame(records, columns=list(COLUMNS))

    def write(self, folder: Path) -> Path:
        """Write the table as JSON and as parquet; return the path of the JSON file."""
        table = pa.Table.from_pandas(self.frame(), preserve_index=False)
        write_whole(folder / VALIDATION_TABLE, parquet_bytes(table))
        words = dumps(self.record(), indent=2, ensure_ascii=False)
        write_whole(folder / VALIDATION_FILE, words + "\n")
        return folder / VALIDATION_FILE

    def record(self) -> dict[str, Any]:
        """Return all findings, for machines."""
        return {
            "passed": self.passed,
            "version": metadata.version("modalprism"),
            "forward_passes": self.passes,
            "seconds": round(self.seconds, 1),
            "checks": [finding.record() for finding in self.findings],
        }

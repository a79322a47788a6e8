"""What all checks of a study found, and how it is written down."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from modalprism.files import write_whole
from modalprism.parquet import parquet_bytes
from modalprism.strict_json import dumps
from modalprism.studies.validation.finding import COLUMNS, Finding

VALIDATION_FILE: Final = "validation.json"
VALIDATION_TABLE: Final = "validation.parquet"


@dataclass(frozen=True)
class Validation:
    """What the checks of a study found.

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
        """What did not hold."""
        return tuple(finding for finding in self.findings if finding.verdict == "fail")

    @property
    def passed(self) -> bool:
        """Whether everything that could be checked holds."""
        return not self.failed

    def frame(self) -> pd.DataFrame:
        """Return the table, a row a check of a store."""
        records = [finding.record() for finding in self.findings]
        return pd.DataFrame(records, columns=list(COLUMNS))

    def write(self, folder: Path) -> Path:
        """Write the table, for people's tools and for others; return the former's path."""
        table = pa.Table.from_pandas(self.frame(), preserve_index=False)
        write_whole(folder / VALIDATION_TABLE, parquet_bytes(table))
        words = dumps(self.record(), indent=2, ensure_ascii=False)
        write_whole(folder / VALIDATION_FILE, words + "\n")
        return folder / VALIDATION_FILE

    def record(self) -> dict[str, Any]:
        """Return all that was found, for machines."""
        return {
            "passed": self.passed,
            "version": metadata.version("modalprism"),
            "forward_passes": self.passes,
            "seconds": round(self.seconds, 1),
            "checks": [finding.record() for finding in self.findings],
        }

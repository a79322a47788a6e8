"""Runs side by side, on the page that `modalprism compare` writes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from modalprism.reports.compare import render_comparison
from modalprism.serve.folder import Run
from modalprism.serve.summaries import files_of_profile
from modalprism.studies import comparison
from modalprism.studies.evidence_store import EVIDENCE_FILE

_DRAWING: Final = threading.Lock()


def files_compared(runs: Sequence[Run]) -> list[Path]:
    """List the files that a comparison is made from."""
    return [file for run in runs for file in (*files_of_profile(run), run.path / EVIDENCE_FILE)]


def comparison_page(runs: Sequence[Run]) -> str:
    """Return a page that compares runs by the names of their folders.

    Raises
    ------
    InputError
        If the runs cannot be compared.
    """
    short = [run.path.name for run in runs]
    names = short if len(set(short)) == len(short) else [run.name for run in runs]
    found = {
        name: comparison.FinishedRun.read(run.path) for name, run in zip(names, runs, strict=True)
    }
    # Figures are drawn under settings that belong to the whole process.
    with _DRAWING:
        return render_comparison(found)

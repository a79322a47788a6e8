"""Runs side by side, as the reports compare them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

from modalprism.reports.compare import render_comparison
from modalprism.serve.folder import Run
from modalprism.studies import comparison

_DRAWING: Final = threading.Lock()


def comparison_page(runs: Sequence[Run]) -> str:
    """Return a page that compares runs by the names of their folders.

    Raises
    ------
    InputError
        If the runs cannot be compared.
    """
    short = [run.path.name for run in runs]
    names = short if len(set(short)) == len(short) else [run.name for run in runs]
    found = {name: comparison.Run.read(run.path) for name, run in zip(names, runs, strict=True)}
    # Figures are drawn under settings that belong to the whole process.
    with _DRAWING:
        return render_comparison(found)

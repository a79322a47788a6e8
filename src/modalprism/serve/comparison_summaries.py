"""Summaries of the comparisons that `modalprism compare` wrote."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

import pandas as pd

from modalprism.reports.compare import PAGE, TABLE
from modalprism.serve.files import content, offered
from modalprism.serve.folder import Comparison
from modalprism.serve.summaries import Summary

_SIDES: Final = ("1", "2")
_COLUMNS: Final = [f"{part}_{side}" for side in _SIDES for part in ("run", "model", "dataset")]


def files_of_comparison(comparison: Comparison) -> tuple[Path, ...]:
    """List the files that `summary_of` reads."""
    return comparison.path / PAGE, comparison.path / TABLE


def summary_of(comparison: Comparison) -> Summary:
    """Summarise a comparison from its table of differences; `problem` says what cannot be used."""
    files = offered(comparison)
    again = "run modalprism compare again"
    problem = ""
    if PAGE not in files:
        problem = (
            f"the comparison {comparison.path} has no page: it is being written now, or was "
            f"stopped; if so, {again}"
        )
    table, unread = pd.DataFrame(columns=[*_COLUMNS, "view"]), ""
    try:
        if PAGE in files and not content(files[PAGE]).rstrip().endswith(b"</html>"):
            problem = f"the page of the comparison {comparison.path} is cut off; {again}"
        if TABLE in files:
            table = _read(content(files[TABLE]))
        else:
            unread = f"the comparison {comparison.path} has no {TABLE}; {again}"
    except (OSError, ValueError) as error:
        words = " ".join(str(error).split())
        unread = f"the comparison {comparison.path} is damaged ({words}); {again}"
    runs = _distinct(table, "run")
    return Summary(
        title=f"Comparison of {', '.join(runs)}" if runs else comparison.path.name,
        models=_distinct(table, "model"),
        datasets=_distinct(table, "dataset"),
        views=tuple(table["view"].unique()),
        problem=problem or unread,
    )


def _read(table: bytes) -> pd.DataFrame:
    """Read names from a table of differences; a model may be named "NA"."""
    frame = pd.read_csv(
        io.BytesIO(table), usecols=[*_COLUMNS, "view"], dtype=str, keep_default_na=False
    )
    if frame.empty:
        raise ValueError(f"{TABLE} has no rows")
    return frame


def _distinct(table: pd.DataFrame, part: str) -> tuple[str, ...]:
    """Return the distinct names of both sides, in order."""
    return tuple(dict.fromkeys(name for side in _SIDES for name in table[f"{part}_{side}"]))

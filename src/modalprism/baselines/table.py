"""Results of baselines → one tidy table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pandas as pd

from modalprism.baselines.interface import Result

COLUMNS: Final = (
    *("model", "dataset", "baseline", "quantity", "modality", "value", "low", "high", "unit"),
    *("n", "forward_passes", "backward_passes", "seconds", "seed"),
)


def frame_of(results: Iterable[Result]) -> pd.DataFrame:
    """Put every score of every result into a row.

    Parameters
    ----------
    results : iterable of Result

    Returns
    -------
    DataFrame
        Its columns are `COLUMNS`; the modality is empty where a score is of both.
    """
    rows = [
        (
            *(result.model, result.dataset, result.baseline),
            *(score.quantity, score.modality or "", score.value, score.low, score.high, score.unit),
            *(result.n, result.cost.forward, result.cost.backward, result.seconds, result.seed),
        )
        for result in results
        for score in result.scores
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))

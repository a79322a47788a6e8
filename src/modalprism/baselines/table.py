"""The tidy table of baselines' results."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pandas as pd

from modalprism.baselines import BASELINES
from modalprism.baselines.interface import Result

COLUMNS: Final = (
    *("model", "dataset", "baseline", "title", "quantity", "modality", "headline", "share"),
    *("value", "low", "high", "unit", "n", "forward_passes", "backward_passes", "seconds", "seed"),
)


def frame_of(results: Iterable[Result]) -> pd.DataFrame:
    """Put every score of every result into a row.

    Parameters
    ----------
    results : iterable of Result

    Returns
    -------
    DataFrame
        Its columns are `COLUMNS`; the modality is empty where a score is of both. `headline` and
        `share` say which quantities stand for their baseline in short tables and in figures.
    """
    rows = []
    for result in results:
        of = BASELINES[result.baseline]
        rows += [
            (
                *(result.model, result.dataset, result.baseline, of.title),
                *(score.quantity, score.modality or ""),
                *(score.quantity in of.headlines, score.quantity in of.shares),
                *(vars(score.estimate)[name] for name in ("value", "low", "high", "unit")),
                *(result.n, result.cost.forward, result.cost.backward),
                *(result.seconds, result.seed),
            )
            for score in result.scores
        ]
    return pd.DataFrame(rows, columns=list(COLUMNS))

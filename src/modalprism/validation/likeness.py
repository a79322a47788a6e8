"""Equality of states and answers, up to what storing, batching and padding change."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from modalprism.results.estimate import Estimate
from modalprism.validation.finding import Rest

Bools = NDArray[np.bool_]

OF_SPREAD: Final = 0.05
"""Part of the distance between rows that half precision and other batches may make."""
OF_SIZE: Final = 2.0**-8
"""Part of a state's own size: the step of bfloat16."""
OF_ANSWER: Final = 0.02
"""Probability by which an answer may move for the same reasons."""
NEARLY_ALL: Final = 0.98
"""Part of the rows for which a relation must hold."""


def same_states(found: NDArray[np.float64], stored: NDArray[np.float64]) -> Bools:
    """Return which rows of two arrays, (n, d), are the same state; none if the widths differ.

    Examples
    --------
    >>> stored = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> same_states(stored + 1e-4, stored).tolist(), same_states(stored[::-1], stored).tolist()
    ([True, True], [False, False])
    """
    if found.shape != stored.shape:
        return np.zeros(len(found), dtype=np.bool_)
    spread = np.sqrt(((stored - stored.mean(0)) ** 2).sum(1).mean())
    allowed = OF_SPREAD * spread + OF_SIZE * np.linalg.norm(stored, axis=1)
    same: Bools = np.linalg.norm(found - stored, axis=1) <= allowed
    return same


def same_answers(found: NDArray[np.float64], stored: NDArray[np.float64]) -> Bools:
    """Return which rows, (n, C), are the same answer."""
    if found.shape != stored.shape:
        return np.zeros(len(found), dtype=np.bool_)
    same: Bools = np.abs(found - stored).max(1) <= OF_ANSWER
    return same


def part_of_rows(what: str, holds: Bools) -> Rest:
    """Return the part of the rows for which something holds, with its exact interval.

    Examples
    --------
    >>> str(part_of_rows("rows that do", np.array([True] * 36)))
    'rows that do 1.000 [0.903, 1.000]'
    """
    count, n = int(holds.sum()), len(holds)
    held = binomtest(count, n).proportion_ci(method="exact")
    return Rest(what, Estimate(count / n, float(held.low), float(held.high)))

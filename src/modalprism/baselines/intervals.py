"""Compute scores with intervals from values of single examples, by the bootstrap over groups.

A statistic is one array: its value, then its value in every replicate. What is computed from
statistics (a drop, a share) is computed entry by entry, and thereby has an interval too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modalprism.baselines.interface import Score
from modalprism.errors import InputError
from modalprism.estimation.bootstrap import pigeonhole_weights
from modalprism.results.estimate import Estimate, percentile_interval

Array = NDArray[np.float64]


def sample_weights(groups: Mapping[int, Mapping[str, str]], replicates: int, seed: int) -> Array:
    """Return weights of the examples, (1 + replicates, n): equal, then those of each replicate.

    `groups` has the group of every example, by its place, in each column; see
    `modalprism.estimation.bootstrap.pigeonhole_weights`.

    Examples
    --------
    >>> sample_weights({0: {}, 1: {}}, replicates=3, seed=0).sum(1).tolist()
    [2.0, 2.0, 2.0, 2.0]
    """
    if replicates < 1:
        raise InputError(f"there are {replicates} replicates; intervals need one or more")
    n = len(groups)
    columns = sorted({column for of_one in groups.values() for column in of_one})
    table = {
        column: np.array([str(groups[place].get(column)) for place in range(n)])
        for column in columns
    }
    return np.concatenate([np.ones((1, n)), pigeonhole_weights(table, n, replicates, seed)])


def average(weights: Array, values: NDArray[Any]) -> Array:
    """Average values, (n,), by weights, (1 + replicates, n), without those that are nan.

    The statistic, (1 + replicates,), is nan where no example counts.

    Examples
    --------
    >>> average(np.array([[1.0, 1.0], [2.0, 0.0]]), np.array([3.0, 5.0])).tolist()
    [4.0, 3.0]
    """
    counts = np.isfinite(values)
    whole = weights @ counts.astype(np.float64)
    summed = weights @ np.where(counts, values, 0.0)
    return ratio(summed, whole)


def ratio(above: Array, below: Array) -> Array:
    """Divide arrays that broadcast; nan where the divisor is 0.

    Examples
    --------
    >>> ratio(np.array([1.0, 1.0]), np.array([2.0, 0.0])).tolist()
    [0.5, nan]
    """
    quotient: Array = np.full(np.broadcast_shapes(above.shape, below.shape), math.nan)
    return np.divide(above, below, out=quotient, where=below != 0)


def parts(first: Array, second: Array) -> tuple[Array, Array]:
    """Divide two statistics by their sum; all nan where the interval of the sum holds 0.

    Examples
    --------
    >>> [part.tolist() for part in parts(np.array([1.0, 1.0]), np.array([3.0, 3.0]))]
    [[0.25, 0.25], [0.75, 0.75]]
    >>> [part.tolist() for part in parts(np.array([1.0, 1.0]), np.array([0.0, -2.0]))]
    [[nan, nan], [nan, nan]]
    """
    whole = first + second
    finite = whole[np.isfinite(whole)]
    low, high = percentile_interval(finite) if len(finite) else (-math.inf, math.inf)
    if not math.isfinite(whole[0]) or min(low, whole[0]) <= 0 <= max(high, whole[0]):
        nothing = np.full(len(whole), math.nan)
        return nothing, nothing
    return ratio(first, whole), ratio(second, whole)


def scored(quantity: str, modality: str | None, drawn: Array, unit: str = "1") -> Score:
    """Return a statistic as a score, with the central 95 % of its replicates.

    Examples
    --------
    >>> print(scored("accuracy", None, np.array([0.5, 0.5, 0.5])).estimate)
    0.500 [0.500, 0.500]
    """
    value, replicates = float(drawn[0]), drawn[1:][np.isfinite(drawn[1:])]
    if not (math.isfinite(value) and len(replicates)):
        return Score(quantity, modality, Estimate(value, unit=unit))
    ends = percentile_interval(replicates)
    return Score(quantity, modality, Estimate(value, *ends, unit=unit))

"""Bootstrap weights over groups.

Groups may cross (every picture with several names, every name with several pictures). Each group
column is then resampled separately, and the weight of a row is the product of its groups' counts:
the pigeonhole bootstrap (Owen 2007, doi:10.1214/07-AOAS122), which is conservative.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

BATCH_WEIGHTS: Final = 1 << 23
"""Number of weights drawn at a time: 64 MiB."""


def _first_seen(code: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return, for every row, the first row of its group."""
    return np.unique(code, return_index=True)[1][code]


def weights_in_batches(
    groups: Mapping[str, NDArray[Any]], n: int, replicates: int, seed: int
) -> Iterator[NDArray[np.float64]]:
    """Draw the weights of `pigeonhole_weights`, a few replicates at a time.

    Yields
    ------
    ndarray of float64, shape (some replicates, n)

    Examples
    --------
    >>> [batch.shape for batch in weights_in_batches({}, 5_000_000, replicates=2, seed=0)]
    [(1, 5000000), (1, 5000000)]
    """
    generator = np.random.default_rng(seed)
    codes = _different(groups, n)
    few = max(1, BATCH_WEIGHTS // n)
    for start in range(0, replicates, few):
        yield _drawn(codes, n, min(few, replicates - start), generator)


def pigeonhole_weights(
    groups: Mapping[str, NDArray[Any]], n: int, replicates: int, seed: int
) -> NDArray[np.float64]:
    """Draw bootstrap weights.

    Parameters
    ----------
    groups : mapping of column name to ndarray, shape (n,)
        Without columns the rows are resampled.
    n : int
        Number of rows.
    replicates : int
    seed : int

    Returns
    -------
    ndarray of float64, shape (replicates, n)
        Whole numbers; every replicate has a positive sum.

    Examples
    --------
    >>> weights = pigeonhole_weights({}, 5, replicates=3, seed=0)
    >>> weights.sum(1).tolist()
    [5.0, 5.0, 5.0]
    """
    return _drawn(_different(groups, n), n, replicates, np.random.default_rng(seed))


def _different(groups: Mapping[str, NDArray[Any]], n: int) -> list[NDArray[np.intp]]:
    """Number the groups of every column, and drop columns with equal partitions of the rows.

    Resampling the same partition twice would inflate the variance.
    """
    if not groups:
        return [np.arange(n)]
    codes = {
        _first_seen(code).tobytes(): code
        for code in (np.unique(column, return_inverse=True)[1] for column in groups.values())
    }
    return list(codes.values())


def _drawn(
    codes: list[NDArray[np.intp]], n: int, replicates: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    weights = np.ones((replicates, n))
    for code in codes:
        count = int(code.max()) + 1
        # Cell (r, g) of a flat table counts the draws of group g in replicate r.
        drawn = generator.integers(count, size=(replicates, count))
        drawn += count * np.arange(replicates)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=replicates * count)
        weights *= counts.reshape(replicates, count)[:, code]
    weights[weights.sum(1) == 0] = 1.0  # no group of any row was drawn: use the sample unchanged
    return weights

"""Bootstrap weights over groups.

Groups may cross (every picture with several names, every name with several pictures). Each group
column is then resampled by itself, and a row weighs the product of its groups' counts: the
pigeonhole bootstrap (Owen 2007, doi:10.1214/07-AOAS122), which errs on the wide side.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def _first_seen(code: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return, for every row, the first row of its group."""
    return np.unique(code, return_index=True)[1][code]


def pigeonhole_weights(
    groups: Mapping[str, NDArray[Any]], n: int, replicates: int, seed: int
) -> NDArray[np.float64]:
    """Draw bootstrap weights.

    Parameters
    ----------
    groups : mapping of column name to ndarray, shape (n,)
        No column means that the rows themselves are resampled.
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
    generator = np.random.default_rng(seed)
    weights = np.ones((replicates, n))
    codes = {
        # Columns that part the rows alike are one column: resampling it twice would be too much.
        _first_seen(code).tobytes(): code
        for code in (
            np.unique(column, return_inverse=True)[1]
            for column in (groups.values() if groups else (np.arange(n),))
        )
    }
    for code in codes.values():
        count = int(code.max()) + 1
        # Cell (r, g) of a flat table counts how often replicate r drew group g.
        drawn = generator.integers(count, size=(replicates, count))
        drawn += count * np.arange(replicates)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=replicates * count)
        weights *= counts.reshape(replicates, count)[:, code]
    weights[weights.sum(1) == 0] = 1.0  # so few groups that none was drawn: the sample as it is
    return weights

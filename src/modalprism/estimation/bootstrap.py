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
    for column in groups.values() if groups else (np.arange(n),):
        values, code = np.unique(column, return_inverse=True)
        counts = generator.multinomial(len(values), np.full(len(values), 1 / len(values)), replicates)
        weights *= counts[:, code]
    weights[weights.sum(1) == 0] = 1.0  # so few groups that none was drawn: the sample as it is
    return weights

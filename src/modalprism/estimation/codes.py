"""Coding a representation, so that it can be a target.

k-means on principal components. The number of codes grows with n and is stated: one for every 150
rows, from 2 to 12. A code with too few rows to cross-fit joins the nearest large one.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import pairwise_distances_argmin

from modalprism.errors import InputError

ROWS_A_CODE: Final = 150
MOST_CODES: Final = 12
FEWEST_ROWS: Final = 20
COMPONENTS: Final = 32


def code_states(states: ArrayLike, *, seed: int = 0) -> NDArray[np.int64]:
    """Code the rows of a representation.

    Parameters
    ----------
    states : array_like, shape (n, d)
        One state a row.
    seed : int

    Returns
    -------
    ndarray of int64, shape (n,)
        Codes 0 … k−1, each of at least 20 rows.

    Raises
    ------
    InputError
        If the states are not finite rows, or do not vary.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> codes = code_states(rng.normal(size=(450, 4)) + 9 * rng.integers(2, size=(450, 1)))
    >>> int(codes.max()) + 1
    3
    """
    array = np.asarray(states)
    if array.dtype.kind not in "fiub":
        raise InputError(f"the fused states hold {array.dtype}, not numbers")
    array = array.astype(np.float64)
    if array.ndim != 2 or array.size == 0 or not np.isfinite(array).all():
        raise InputError(
            f"fused states must be finite rows (n, d), not {array.shape}; pool the tokens, and "
            "capture in float32 if float16 overflowed"
        )
    if not np.ptp(array, axis=0).any():
        raise InputError("the fused states are the same in every row: nothing to code")
    n = len(array)
    count = min(MOST_CODES, max(2, n // ROWS_A_CODE))
    components = PCA(min(COMPONENTS, *array.shape), random_state=seed).fit_transform(array)
    fit = KMeans(count, n_init=4, random_state=seed).fit(components)
    codes = fit.labels_
    large = np.flatnonzero(np.bincount(codes, minlength=count) >= FEWEST_ROWS)
    if len(large) < 2:
        raise InputError(f"the fused states of {n} rows do not fall into codes; give more rows")
    nearest = large[pairwise_distances_argmin(fit.cluster_centers_, fit.cluster_centers_[large])]
    return np.unique(nearest[codes], return_inverse=True)[1].astype(np.int64)

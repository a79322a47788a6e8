"""Coding of a representation for use as a target.

The codes are those of k-means on principal components. Their number follows from n: one for every
150 rows, from 2 to 12. A code with too few rows to cross-fit joins the nearest large one.
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


def codes_for(n: int) -> int:
    """Return the number of codes of n rows.

    Examples
    --------
    >>> [codes_for(n) for n in (100, 450, 5000)]
    [2, 3, 12]
    """
    return min(MOST_CODES, max(2, n // ROWS_A_CODE))


def half_and_double(n: int) -> dict[str, int]:
    """Return half and double the codes of n rows: at least 2, and 20 rows for each.

    Examples
    --------
    >>> half_and_double(5000), half_and_double(100), half_and_double(50)
    ({'half': 6, 'double': 24}, {'double': 4}, {})
    """
    count = codes_for(n)
    others = {"half": max(2, count // 2), "double": min(2 * count, n // FEWEST_ROWS)}
    return {name: other for name, other in others.items() if other != count}


def code_states(states: ArrayLike, *, codes: int | None = None, seed: int = 0) -> NDArray[np.int64]:
    """Code the rows of a representation.

    Parameters
    ----------
    states : array_like, shape (n, d)
        One state per row.
    codes : int, optional
        Number of codes; by default one for every 150 rows, from 2 to 12.
    seed : int

    Returns
    -------
    ndarray of int64, shape (n,)
        0 … k−1, each of at least 20 rows; k is smaller than `codes` if codes were joined.

    Raises
    ------
    InputError
        If the states are not finite rows, do not vary, or are too few for the codes.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> states = rng.normal(size=(450, 4)) + 9 * rng.integers(2, size=(450, 1))
    >>> int(code_states(states).max()) + 1, int(code_states(states, codes=6).max()) + 1
    (3, 6)
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
    if codes is not None and not 2 <= codes <= n // FEWEST_ROWS:
        raise InputError(
            f"{n} rows cannot be put into {codes} codes; use at least 2, and at most "
            f"one in {FEWEST_ROWS} rows"
        )
    # At most one code per distinct state.
    count = min(codes or codes_for(n), len(np.unique(array, axis=0)))
    components = PCA(min(COMPONENTS, *array.shape), random_state=seed).fit_transform(array)
    fit = KMeans(count, n_init=4, random_state=seed).fit(components)
    found = fit.labels_
    large = np.flatnonzero(np.bincount(found, minlength=count) >= FEWEST_ROWS)
    if len(large) < 2:
        raise InputError(f"the fused states of {n} rows do not fall into codes; give more rows")
    nearest = large[pairwise_distances_argmin(fit.cluster_centers_, fit.cluster_centers_[large])]
    return np.unique(nearest[found], return_inverse=True)[1].astype(np.int64)

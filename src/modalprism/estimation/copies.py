"""Detection of a modality whose columns are copies of the other's.

An array that is passed twice, scaled, shifted, or with its columns in another order makes the
modalities redundant by construction. The result then looks like a fusion.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

ROWS: Final = 1_000
"""Number of compared rows."""
_PROJECTIONS: Final = 16
_FIRST: Final = 8
"""Columns that are compared first, because they rule out a copy for most embeddings."""
_SMALLEST: Final = 1e-6
_CORRELATION: Final = 0.9999
"""Rounding to bfloat16 leaves a correlation above this."""


def copied_modality(
    names: tuple[str, str], embeddings: tuple[NDArray[Any], NDArray[Any]]
) -> str | None:
    """Return the modality whose columns are all copies of the other's, or None.

    Parameters
    ----------
    names : (str, str)
    embeddings : two of ndarray, shapes (n, d1) and (n, d2)
        Finite; the first `ROWS` rows are enough.

    Examples
    --------
    >>> image = np.random.default_rng(0).normal(size=(50, 4))
    >>> copied_modality(("image", "text"), (image, 2 - 3 * image[:, [2, 0, 3, 1]]))
    'image'
    >>> copied_modality(("image", "text"), (image, image[::-1])) is None
    True
    """
    one, other = (_standardized(embedding) for embedding in embeddings)
    if _all_in(one, other):
        return names[0]
    return names[1] if _all_in(other, one) else None


def _standardized(embedding: NDArray[Any]) -> NDArray[np.float64]:
    """Return the non-constant columns as rows, standardised."""
    columns = embedding[:ROWS].T.astype(np.float64)
    largest = np.abs(columns).max(1, keepdims=True)
    columns = columns / np.where(largest > 0, largest, 1.0)
    columns -= columns.mean(1, keepdims=True)
    deviation = columns.std(1, keepdims=True)
    varies = deviation[:, 0] > _SMALLEST
    found: NDArray[np.float64] = columns[varies] / deviation[varies]
    return found


def _all_in(columns: NDArray[np.float64], among: NDArray[np.float64]) -> bool:
    """Return whether every column is one of others, up to sign, using random projections."""
    if not len(columns) or not len(among):
        return False
    n = columns.shape[1]
    random = np.random.default_rng(0).normal(size=(n, _PROJECTIONS))

    def key(of: NDArray[np.float64]) -> NDArray[np.float64]:
        projected: NDArray[np.float64] = of @ random
        return projected * np.sign(projected[:, :1])

    tree = KDTree(key(among))

    def all_found(some: NDArray[np.float64]) -> bool:
        correlation = (some * among[tree.query(key(some))[1]]).mean(1)
        return bool((np.abs(correlation) > _CORRELATION).all())

    return all_found(columns[:_FIRST]) and all_found(columns)

"""Plug-in tables: the recipe of Liang et al. 2023 (arXiv:2302.12247), CVX.

Each source is reduced by PCA and coded by k-means into 20 clusters; the codes and the labels are
counted, and the table of counts is decomposed as if it were the truth. Their convex solver is
replaced by this package's, which is exact to 1e-6 bit: what is left is the recipe's own error.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from problems import Sample
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

import modalprism

CLUSTERS = 20


def count(first: NDArray[np.int64], second: NDArray[np.int64], y: NDArray[np.int64]) -> NDArray:
    """Count codes and labels, (n1, n2, C).

    Examples
    --------
    >>> codes = np.array([0, 1, 1])
    >>> count(codes, codes, codes).diagonal().diagonal().tolist()
    [1.0, 2.0]
    """
    table = np.zeros((first.max() + 1, second.max() + 1, y.max() + 1))
    np.add.at(table, (first, second, y), 1)
    return table


def decompose_codes(sample: Sample, seed: int) -> tuple[float, float, float, float]:
    """Return R, U₁, U₂ and S of the counted codes, in bits."""
    codes = [_code(rows, seed) for rows in (sample.x1, sample.x2)]
    found = modalprism.decompose(count(codes[0], codes[1], sample.y))
    return found.redundancy, *found.unique, found.synergy


def _code(rows: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
    """Code rows by k-means on their principal components, as many as clusters."""
    kept = min(CLUSTERS, *rows.shape)
    reduced = PCA(kept, svd_solver="full", random_state=seed).fit_transform(rows)
    return KMeans(CLUSTERS, n_init=3, random_state=seed).fit_predict(reduced).astype(np.int64)

"""Detection of rows that depend on each other although no group ties them.

A row whose embedding occurs again, or nearly so, in another fold lets a probe recall the row's
target instead of predicting it. Frames of one recording do the same to their neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

ROWS: Final = 2_000
"""Rows that are compared for near repeats and neighbours."""
SYMBOLS: Final = 20
"""Number of distinct embeddings up to which they are symbols, which repeat by nature."""
_DISTINCT: Final = 0.9
_COLUMNS: Final = 3
"""Of continuous embeddings at least 3 columns have distinct values in 90 % of distinct rows."""
MANY: Final = 0.1
"""Fraction of the rows that is worth a warning."""
_PROJECTIONS: Final = 16
_ROUNDING: Final = 1e-6
"""Deviation of a scaled column that is rounding."""
_NEAR: Final = 0.05
"""Largest distance of near repeats, relative to the typical distance of two rows."""
_DIMENSIONS: Final = 5.0
"""Effective dimensions below which rows are near each other by chance."""
_ALIKE: Final = 0.8
"""Relative squared distance of successive rows of one class below which they are alike."""
_DEVIATIONS: Final = 6.0
_PAIRS: Final = 100
"""Smallest number of such pairs from which the order is judged."""


@dataclass(frozen=True)
class Dependence:
    """Signs of dependence of one source's rows beyond their groups.

    Attributes
    ----------
    repeats : int
        Rows whose embedding occurs in another group as well; 0 if it is one of few symbols.
    near : int
        Rows, of the first 2,000, that nearly equal a row of another group.
    neighbours : float
        Mean squared distance of rows that follow each other, relative to that of any two rows of
        the same class; 1 if the difference is within its error.
    """

    repeats: int
    near: int
    neighbours: float

    def cautions(self, name: str, n: int) -> list[str]:
        """Return a sentence for every sign of dependence worth a warning."""
        advice = "pass groups, so that such rows share a fold, or keep one of them"
        found = []
        if self.repeats >= MANY * n:
            found.append(
                f"{self.repeats:,} of {n:,} rows have an embedding of {name!r} that other rows "
                f"have too, and no group ties them: probes may recall their targets; {advice}"
            )
        elif self.near >= MANY * min(n, ROWS):
            found.append(
                f"{self.near:,} of {min(n, ROWS):,} rows have an embedding of {name!r} that nearly "
                "equals that of another row, and no group ties them: probes may recall their "
                f"targets; {advice}"
            )
        if self.neighbours < _ALIKE:
            found.append(
                f"successive rows have similar embeddings of {name!r}: their mean "
                f"squared distance is {self.neighbours:.0%} of that of other rows of their class; "
                "if they are frames of one recording, or visits of one patient, pass these as "
                "groups"
            )
        return found


def dependence_of(
    rows: NDArray[Any], hashes: NDArray[np.int64], component: NDArray[np.int64], label: NDArray[Any]
) -> Dependence:
    """Measure the dependence of one source's rows.

    Parameters
    ----------
    rows : ndarray, shape (m, d)
        The first m embeddings, at most `ROWS`.
    hashes : ndarray of int64, shape (n,)
        Equal for equal embeddings.
    component : ndarray of int64, shape (n,)
        Connected sets of the groups.
    label : ndarray, shape (m,)
        Class of the first m rows.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> pictures = rng.normal(size=(100, 8))[np.arange(400) // 4]
    >>> hashes, y = np.arange(400) // 4, rng.integers(2, size=400)
    >>> dependence_of(pictures, hashes, np.arange(400), y).repeats
    400
    """
    points = _projected(rows)
    m = len(points)
    symbols = _are_symbols(rows[:m])
    return Dependence(
        repeats=0 if symbols else _repeats(hashes, component),
        near=0 if symbols else _near(points, component[:m]),
        neighbours=_neighbours(points, hashes[:m], component[:m], label),
    )


def _are_symbols(rows: NDArray[Any]) -> bool:
    """Return whether rows repeat because columns have few values, such as counts or categories."""
    different = np.unique(rows, axis=0)
    if len(different) <= SYMBOLS:
        return True
    values = np.sort(different, axis=0)
    distinct = 1 + (values[1:] != values[:-1]).sum(0)
    return int((distinct > _DISTINCT * len(different)).sum()) < _COLUMNS


def _repeats(hashes: NDArray[np.int64], component: NDArray[np.int64]) -> int:
    _, code = np.unique(hashes, return_inverse=True)
    pairs = np.unique(np.stack([code, component]), axis=1)
    groups = np.bincount(pairs[0])  # in how many groups an embedding occurs
    return int((groups[code] > 1).sum())


def _projected(rows: NDArray[Any]) -> NDArray[np.float64]:
    """Return standardised columns, and random sums of them if they are many."""
    columns = rows[:ROWS].astype(np.float64)
    largest = np.abs(columns).max(0)
    columns /= np.where(largest > 0, largest, 1.0)
    columns -= columns.mean(0)
    deviation = columns.std(0)
    columns /= np.where(deviation > _ROUNDING, deviation, 1.0)
    if columns.shape[1] <= _PROJECTIONS:
        return columns
    sums: NDArray[np.float64] = columns @ np.random.default_rng(0).normal(
        size=(columns.shape[1], _PROJECTIONS)
    )
    return sums


def _near(points: NDArray[np.float64], component: NDArray[np.int64]) -> int:
    variance = np.linalg.svd(points, compute_uv=False) ** 2
    if variance.sum() ** 2 < _DIMENSIONS * max(float((variance**2).sum()), 1e-300):
        return 0
    width = np.sqrt(2 * points.var(0).sum())  # root mean square distance of two rows
    pairs = KDTree(points).query_pairs(_NEAR * width, output_type="ndarray")
    one, other = pairs.T
    untied = component[one] != component[other]
    return len(np.unique(pairs[untied]))


def _neighbours(
    points: NDArray[np.float64],
    hashes: NDArray[np.int64],
    component: NDArray[np.int64],
    label: NDArray[Any],
) -> float:
    m = len(points)
    one, other = np.arange(m - 1), np.arange(1, m)
    drawn = np.random.default_rng(0).integers(m, size=(2, 20 * m))

    def distances(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float64]:
        kept = (label[first] == label[second]) & (component[first] != component[second])
        kept &= hashes[first] != hashes[second]
        found: NDArray[np.float64] = np.square(points[first[kept]] - points[second[kept]]).sum(1)
        return found

    near, far = distances(one, other), distances(*drawn)
    if len(near) < _PAIRS or len(far) < _PAIRS:
        return 1.0
    # Neighbouring pairs share a row: as if there were half as many.
    error = near.std() / np.sqrt(len(near) / 2)
    if far.mean() - near.mean() <= _DEVIATIONS * error:
        return 1.0
    return float(near.mean() / far.mean())

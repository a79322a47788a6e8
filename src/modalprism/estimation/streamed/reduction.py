"""Principal components that can be kept, of rows that are read a block at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from torch import Tensor

from modalprism.estimation.features import leading_axes
from modalprism.estimation.source import Source

EXACT_DIMENSIONS: Final = 1024
RANDOMISED_ROWS: Final = 20_000
_SMALLEST: Final = 1e-6


@dataclass(frozen=True)
class Reduction:
    """Leading components, of deviation √(σ_k/σ_1); see `features.principal_components`.

    Attributes
    ----------
    centre : Tensor of float32, shape (d,)
    axes : Tensor of float32, shape (d, k)
    """

    centre: Tensor
    axes: Tensor

    def __call__(self, rows: Tensor) -> Tensor:
        """Return the components of scaled rows, (n, k)."""
        return (rows - self.centre) @ self.axes

    @classmethod
    def along(
        cls,
        centre: NDArray[np.float64],
        axes: NDArray[np.float64],
        variance: NDArray[np.float64],
        count: int,
    ) -> Reduction:
        """Scale axes (d, k) by their variances.

        Axes along which nothing varies, and those missing up to `count`, become zeros. Fits on
        fewer rows then have equally many components, and so the same families of features.
        """
        deviation = np.sqrt(np.maximum(variance, 0.0))
        most = float(deviation.max(initial=0.0))
        kept = deviation > _SMALLEST * max(most, 1e-300)
        scaled = np.zeros((len(centre), count))
        scaled[:, : kept.sum()] = axes[:, kept] / np.sqrt(deviation[kept] * most)
        return cls(torch.from_numpy(centre).float(), torch.from_numpy(scaled).float())


@dataclass(frozen=True)
class Moments:
    """Sums over some rows: how many, of x, and of x xᵀ."""

    count: int
    total: NDArray[np.float64]
    moment: NDArray[np.float64]

    @classmethod
    def of(cls, blocks: Iterable[Tensor], dimensions: int) -> Moments:
        """Add up scaled rows, a block at a time."""
        count, total = 0, np.zeros(dimensions)
        moment = np.zeros((dimensions, dimensions))
        for block in blocks:
            rows = block.numpy().astype(np.float64)
            count, total = count + len(rows), total + rows.sum(0)
            moment += rows.T @ rows
        return cls(count, total, moment)


def reduction_of(
    source: Source,
    taken: NDArray[Any],
    by_fold: Sequence[Moments] | None,
    fold: NDArray[np.int16],
    left_out: int,
    *,
    count: int,
    seed: int,
) -> Reduction:
    """Learn the components of all rows that were taken but those of one fold.

    Parameters
    ----------
    source : Source
    taken : ndarray, shape (n, d)
        As they are stored.
    by_fold : sequence of Moments, optional
        Of every fold's rows; None where there are more than 1,024 dimensions, whose components a
        randomised solver finds in 20,000 rows.
    fold : ndarray of int16, shape (n,)
    left_out : int
    count : int
        Of components.
    seed : int
    """
    count = min(count, taken.shape[1])
    if by_fold is not None:
        seen = [sums for number, sums in enumerate(by_fold) if number != left_out]
        return Reduction.along(*exact_axes(seen, count), count)
    chosen = np.random.default_rng(seed).permutation(np.flatnonzero(fold != left_out))
    rows = source.scaled(taken[np.sort(chosen[:RANDOMISED_ROWS])]).numpy()
    return Reduction.along(*randomised_axes(rows, count, seed), count)


Axes = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""Centre (d,), axes (d, k), and the variance along each, (k,)."""


def exact_axes(seen: Sequence[Moments], count: int) -> Axes:
    """Return the leading axes of rows of which only moments are known."""
    n = sum(sums.count for sums in seen)
    moment = np.sum([sums.moment for sums in seen], axis=0)
    centre, axes = leading_axes(moment, np.sum([sums.total for sums in seen], 0), n, count)
    variance = (axes * (moment / n @ axes)).sum(0) - (centre @ axes) ** 2
    return centre, axes, variance


def randomised_axes(rows: NDArray[np.float32], count: int, seed: int) -> Axes:
    """Return about the leading axes of rows of many dimensions."""
    count = min(count, *rows.shape)
    if (rows == rows[0]).all():  # PCA would divide by a variance of zero
        return rows[0].astype(np.float64), np.eye(rows.shape[1], count), np.zeros(count)
    fit = PCA(count, svd_solver="randomized", iterated_power=2, random_state=seed).fit(rows)
    return (
        fit.mean_.astype(np.float64),
        fit.components_.T.astype(np.float64),
        fit.explained_variance_.astype(np.float64),
    )

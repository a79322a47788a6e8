"""Features of an embedding: principal components and radial basis functions of them.

Nothing here looks at a target. Centre, directions, scales and landmarks are fitted to a fit's own
rows alone, so that a held-out row is as new to its features as it is to its probe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, eigh
from sklearn.decomposition import PCA
from sklearn.kernel_approximation import Nystroem
from sklearn.metrics.pairwise import euclidean_distances
from torch import Tensor

Array = NDArray[np.float64]

SMOOTH_COMPONENTS: Final = 16
LANDMARKS: Final = 80
EXACT_DIMENSIONS: Final = 1024
"""Dimensions above which components are found by a randomised solver."""
RANDOMISED_ROWS: Final = 20_000
"""Rows in which it finds them."""
_SAMPLE: Final = 500
_SMALLEST: Final = 1e-6
"""Deviation of a component, relative to the largest, below which it is rounding."""
_EQUAL: Final = 1e-9
"""Squared distance of two rows, relative to the largest, below which they are equal."""


@dataclass(frozen=True)
class Features:
    """Features of some rows, as each of B fits has them.

    Attributes
    ----------
    components, smooth : Tensor of float32, shapes (B, n, D) and (B, n, L)
        Principal components, and radial basis functions of them.
    """

    components: Tensor
    smooth: Tensor

    def rows(self, which: Tensor) -> Features:
        """Return the features of the rows of a mask."""
        return Features(self.components[:, which], self.smooth[:, which])


@dataclass(frozen=True)
class FeatureMap:
    """Fitted features of B fits.

    Attributes
    ----------
    reductions : tuple of Reduction
    bases : tuple of RadialBasis
    """

    reductions: tuple[Reduction, ...]
    bases: tuple[RadialBasis, ...]

    def __call__(self, rows: Tensor) -> Features:
        """Return the features of rows (n, d)."""
        components = [reduction(rows) for reduction in self.reductions]
        smooth = [basis(each) for basis, each in zip(self.bases, components, strict=True)]
        return Features(torch.stack(components), torch.stack(smooth))


def fit_features(
    blocks: Callable[[], Iterable[Tensor]],
    reductions: Sequence[Reduction],
    masks: Tensor,
    seed: int,
) -> tuple[FeatureMap, Features]:
    """Fit radial basis functions, and return the features of all rows as well.

    Parameters
    ----------
    blocks : callable
        Gives the rows (n, d), a block at a time.
    reductions : sequence of Reduction
        One a fit.
    masks : Tensor, shape (B, n)
        1 for the rows that a fit sees.
    seed : int
        Of the landmarks.
    """
    components = torch.empty(*masks.shape, reductions[0].axes.shape[1])
    for own, reduction in zip(components, reductions, strict=True):
        start = 0
        for block in blocks():
            own[start : start + len(block)] = reduction(block)
            start += len(block)
    seen = masks.numpy() > 0
    landmarks = min(LANDMARKS, int(seen.sum(1).min()))
    bases, smooth = zip(
        *(
            RadialBasis.fitted(each, mask, landmarks, seed)
            for each, mask in zip(components, seen, strict=True)
        ),
        strict=True,
    )
    return FeatureMap(tuple(reductions), bases), Features(components, torch.stack(smooth))


@dataclass(frozen=True)
class Reduction:
    """Leading components, of deviation √(σ_k/σ_1) on the rows of the fit.

    Half-way between raw components and whitened ones: the ridge still prefers what varies most,
    and gradient steps still converge fast.

    Attributes
    ----------
    centre : Tensor of float64, shape (d,)
    axes : Tensor of float64, shape (d, k)
    """

    centre: Tensor
    axes: Tensor

    def __call__(self, rows: Tensor) -> Tensor:
        """Return the components of rows, float32, (n, k), computed in the rows' own dtype."""
        return ((rows - self.centre.to(rows.dtype)) @ self.axes.to(rows.dtype)).float()

    @classmethod
    def along(cls, centre: Array, axes: Array, variance: Array, count: int) -> Reduction:
        """Scale axes (d, k) by their variances.

        Axes along which nothing varies, and those missing up to `count`, become zeros. Fits to
        other rows then have equally many components, and so the same families of features.
        """
        deviation = np.sqrt(np.maximum(variance, 0.0))
        most = float(deviation.max(initial=0.0))
        kept = deviation > _SMALLEST * max(most, 1e-300)
        scaled = np.zeros((len(centre), count))
        scaled[:, : kept.sum()] = axes[:, kept] / np.sqrt(deviation[kept] * most)
        return cls(torch.from_numpy(centre), torch.from_numpy(scaled))


def fit_reduction(
    by_fold: Sequence[Moments] | None,
    read: Callable[[NDArray[np.int64]], NDArray[np.float32]],
    fold: NDArray[Any],
    left_out: Sequence[int],
    *,
    count: int,
    seed: int,
) -> Reduction:
    """Fit components to the rows outside some folds.

    Parameters
    ----------
    by_fold : sequence of Moments, optional
        Of every fold's rows; None where there are more than 1,024 dimensions. A randomised solver
        then finds the components in at most 20,000 rows.
    read : callable
        Returns rows by their numbers, which rise.
    fold : ndarray of int, shape (n,)
    left_out : sequence of int
    count : int
        Number of components.
    seed : int
    """
    if by_fold is not None:
        seen = [moments for number, moments in enumerate(by_fold) if number not in left_out]
        return Reduction.along(*exact_axes(seen, count), count)
    chosen = np.flatnonzero(~np.isin(fold, left_out))
    chosen = np.sort(np.random.default_rng(seed).permutation(chosen)[:RANDOMISED_ROWS])
    return Reduction.along(*randomised_axes(read(chosen), count, seed), count)


@dataclass(frozen=True)
class Moments:
    """Sums over some rows: how many, of x, and of x xᵀ."""

    count: int
    total: Array
    moment: Array

    @classmethod
    def of(cls, blocks: Iterable[Tensor], dimensions: int) -> Moments:
        """Add up rows (b, d), a block at a time."""
        count, total = 0, np.zeros(dimensions)
        moment = np.zeros((dimensions, dimensions))
        for block in blocks:
            rows = block.double().numpy()
            count, total = count + len(rows), total + rows.sum(0)
            moment += rows.T @ rows
        return cls(count, total, moment)


Axes = tuple[Array, Array, Array]
"""Centre (d,), axes (d, k), first the widest, and the variance along each, (k,)."""


def exact_axes(seen: Sequence[Moments], count: int) -> Axes:
    """Return the leading axes of rows of which only moments are known.

    A direction has no sign; the signs of these do not depend on rounding.
    """
    n = sum(moments.count for moments in seen)
    moment = np.sum([moments.moment for moments in seen], axis=0) / n
    centre: Array = np.sum([moments.total for moments in seen], axis=0) / n
    covariance = moment - np.outer(centre, centre)
    d = len(centre)
    try:
        _, axes = eigh(covariance, subset_by_index=[d - count, d - 1])
    except LinAlgError:  # QR iterations converge where relatively robust representations do not
        axes = eigh(covariance, driver="ev")[1][:, d - count :]
    axes = (axes * np.sign(axes[np.abs(axes).argmax(0), np.arange(count)]))[:, ::-1]
    return centre, axes, (axes * (moment @ axes)).sum(0) - (centre @ axes) ** 2


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


@dataclass(frozen=True)
class RadialBasis:
    """Radial basis functions of components, fitted to some rows.

    Attributes
    ----------
    basis : Nystroem
    centre : ndarray, shape (landmarks,)
    scale : float
    leading : int
        Number of components that they are functions of.
    """

    basis: Nystroem
    centre: NDArray[np.float64]
    scale: float
    leading: int

    @classmethod
    def fitted(
        cls,
        components: Tensor,
        mask: NDArray[np.bool_],
        landmarks: int,
        seed: int,
        leading: int = SMOOTH_COMPONENTS,
    ) -> tuple[RadialBasis, Tensor]:
        """Fit them to the rows of a mask, and return those of all rows (n, k) as well."""
        points = _points(components, leading)
        seen = points[mask]
        sample = seen[np.random.default_rng(seed).permutation(len(seen))[:_SAMPLE]]
        distances = euclidean_distances(sample, squared=True)
        width = np.median(distances)
        if width <= _EQUAL * distances.max():  # most pairs are equal up to rounding
            width = distances.mean() or 1.0
        basis = Nystroem(gamma=1.0 / width, n_components=landmarks, random_state=seed).fit(seen)
        features = basis.transform(points)
        centre = features[mask].mean(0)
        features -= centre
        scale = max(float(features[mask].std(0).max()), 1e-12)
        features /= scale
        return cls(basis, centre, scale, leading), torch.from_numpy(features).float()

    def __call__(self, components: Tensor) -> Tensor:
        """Return them in any rows, float32, (n, landmarks)."""
        features = (
            self.basis.transform(_points(components, self.leading)) - self.centre
        ) / self.scale
        return torch.from_numpy(features).float()


def _points(components: Tensor, leading: int) -> NDArray[np.float64]:
    return components[:, :leading].numpy().astype(np.float64)

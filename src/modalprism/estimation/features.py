"""Features of an embedding: components of its columns, raw and standardised, and smooth functions.

Features do not use the target. They are fitted to all rows that a plan learns from: a row whose
target is held out may lend its embedding, because the embedding alone says nothing of the target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, eigh
from sklearn.decomposition import PCA
from sklearn.kernel_approximation import Nystroem
from sklearn.metrics.pairwise import euclidean_distances
from torch import Tensor

Array = NDArray[np.float64]
Blocks = Callable[[], Iterable[Tensor]]
"""Gives rows (b, d), float32 or float64, a block at a time, in the same order every time."""
COMPONENTS: Final = 128
"""Most components of the raw columns."""
EXACT_DIMENSIONS: Final = 1024
"""Dimensions, or rows, up to which every component is computed; beyond, the leading ones."""
RANDOMISED_ROWS: Final = 20_000
"""Rows in which a randomised solver finds components."""
SMOOTH_COMPONENTS: Final = 16
LANDMARKS: Final = 80
_SAMPLE: Final = 500
_SMALLEST: Final = 1e-6
"""Deviation of a component, relative to the largest, below which it is rounding."""
_ROUNDING: Final = 1e-12
"""Deviation of a column, relative to the largest, below which it is rounding."""
_EQUAL: Final = 1e-9
"""Squared distance of two rows, relative to the largest, below which they are equal."""


@dataclass(frozen=True)
class Features:
    """Features of n rows.

    Attributes
    ----------
    columns : Tensor of float32, shape (n, d)
        The columns as they are, up to one scale for all.
    standard : Tensor of float32, shape (n, k)
        Uncorrelated components of the standardised columns: all of them where n or d is at most
        1,024, so that a ridge on them is the ridge on the columns.
    components : Tensor of float32, shape (n, 128) or fewer
        Components of the raw columns, with deviations √(σ_k/σ_1): half-way between raw and whitened
        ones.
    smooth, smooth_standard : Tensor of float32, shapes (n, L)
        Radial basis functions of 16 components, raw and standardised.
    """

    columns: Tensor
    standard: Tensor
    components: Tensor
    smooth: Tensor
    smooth_standard: Tensor

    def dimensions(self) -> float:
        """Return the effective number of dimensions, (Σλ)² / Σλ² of the components' variances λ."""
        variance = self.standard.double().var(0, correction=0)
        return float(variance.sum().square() / variance.square().sum().clamp_min(1e-300))

    def rows(self, which: Tensor) -> Features:
        """Return the features of the rows of a mask."""
        return Features(*(getattr(self, each.name)[which] for each in fields(self)))


@dataclass(frozen=True)
class FeatureMap:
    """Fitted features.

    Attributes
    ----------
    standard, components : Reduction
    smooth, smooth_standard : RadialBasis
    """

    standard: Reduction
    components: Reduction
    smooth: RadialBasis
    smooth_standard: RadialBasis

    def __call__(self, rows: Tensor) -> Features:
        """Return the features of rows (n, d)."""
        return self._of(rows.float(), self.standard(rows), self.components(rows))

    def _of(self, columns: Tensor, standard: Tensor, components: Tensor) -> Features:
        return Features(
            columns, standard, components, self.smooth(components), self.smooth_standard(standard)
        )

    @classmethod
    def fitted(cls, blocks: Blocks, seed: int) -> tuple[FeatureMap, Features]:
        """Fit features to rows, and return those of the same rows as well.

        Parameters
        ----------
        blocks : callable
        seed : int
            Of landmarks and of the randomised solver.
        """
        standard, components = fit_reductions(blocks, seed)
        parts = [(rows.float(), standard(rows), components(rows)) for rows in blocks()]
        columns, of_standard, of_components = (torch.cat(part) for part in zip(*parts, strict=True))
        found = cls(
            standard,
            components,
            RadialBasis.fitted(of_components, seed),
            RadialBasis.fitted(of_standard, seed),
        )
        return found, found._of(columns, of_standard, of_components)


@dataclass(frozen=True)
class Reduction:
    """Components of rows.

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


def fit_reductions(blocks: Blocks, seed: int) -> tuple[Reduction, Reduction]:
    """Fit components of the standardised and of the raw columns."""
    count, centre, deviation = _columns(blocks)
    # A column of rounding errors would have the weight of all others; one in small units has it.
    used = deviation > _ROUNDING * float(deviation.max())
    inverse = torch.where(used, 1 / deviation.clamp_min(1e-300), 0.0)
    found = []
    for scale in (inverse, torch.ones_like(inverse) / max(float(deviation.max()), 1e-300)):
        axes, variance = _leading_axes(blocks, count, centre, scale, seed)
        width = np.sqrt(np.maximum(variance, 0.0))
        kept = width > _SMALLEST * max(float(width.max(initial=0.0)), 1e-300)
        if not kept.any():  # a constant embedding has one component, which is zero
            axes, width, kept = np.zeros((len(centre), 1)), np.ones(1), np.ones(1, dtype=np.bool_)
        found.append((scale[:, None] * torch.from_numpy(axes[:, kept]), width[kept]))
    (standard, _), (raw, width) = found
    raw = raw[:, :COMPONENTS] / torch.from_numpy(np.sqrt(width[:COMPONENTS] * width[0]))
    return Reduction(centre, standard), Reduction(centre, raw)


def principal_components(blocks: Blocks, most: int, seed: int) -> Reduction:
    """Fit the leading components of raw columns, at most `most`, up to one scale for all."""
    count, centre, deviation = _columns(blocks)
    scale = torch.ones_like(deviation) / max(float(deviation.max()), 1e-300)
    axes, _ = _leading_axes(blocks, count, centre, scale, seed)
    return Reduction(centre, scale[:, None] * torch.from_numpy(axes[:, :most].copy()))


def _columns(blocks: Blocks) -> tuple[int, Tensor, Tensor]:
    """Return the number of rows, and the mean and the deviation of every column, float64."""
    count, total, squares = 0, torch.zeros(()), torch.zeros(())
    for block in blocks():
        rows = block.double()
        count, total, squares = count + len(rows), total + rows.sum(0), squares + (rows**2).sum(0)
    centre = total / count
    return count, centre, (squares / count - centre**2).clamp_min(0.0).sqrt()


def _leading_axes(
    blocks: Blocks, n: int, centre: Tensor, scale: Tensor, seed: int
) -> tuple[Array, Array]:
    """Return the axes (d, k) of scaled rows, the widest first, and the variance along each.

    A direction has no sign; the signs of these do not depend on rounding.
    """
    d = len(centre)
    if d <= EXACT_DIMENSIONS:
        moment = torch.zeros(d, d, dtype=torch.float64)
        for block in blocks():
            rows = (block.double() - centre) * scale
            moment += rows.mT @ rows
        variance, axes = _eigen((moment / n).numpy())
    elif n <= EXACT_DIMENSIONS:
        whole = torch.cat([(block.double() - centre) * scale for block in blocks()]).numpy()
        variance, left = _eigen(whole @ whole.T / n)
        used = variance > _SMALLEST**2 * max(float(variance.max(initial=0.0)), 1e-300)
        variance = variance[used]
        axes = whole.T @ left[:, used] / np.sqrt(n * variance)
    else:
        some = np.sort(np.random.default_rng(seed).permutation(n)[:RANDOMISED_ROWS])
        drawn = np.concatenate(list(_some(blocks, some, centre, scale)))
        if not drawn.any():  # PCA would divide by a variance of zero
            return np.zeros((d, 0)), np.zeros(0)
        most = min(EXACT_DIMENSIONS, *drawn.shape)
        fit = PCA(most, svd_solver="randomized", iterated_power=2, random_state=seed).fit(drawn)
        variance = fit.explained_variance_.astype(np.float64)
        axes = fit.components_.T.astype(np.float64)
    signs = np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])
    return axes * signs, variance


def _some(
    blocks: Blocks, chosen: NDArray[np.int64], centre: Tensor, scale: Tensor
) -> Iterable[NDArray[np.float32]]:
    begin = 0
    for block in blocks():
        first, last = np.searchsorted(chosen, (begin, begin + len(block)))
        own = block[torch.from_numpy(chosen[first:last] - begin)]
        yield ((own.double() - centre) * scale).float().numpy()
        begin += len(block)


def _eigen(matrix: Array) -> tuple[Array, Array]:
    """Return eigenvalues, in falling order, and eigenvectors of a symmetric matrix."""
    try:
        values, vectors = eigh(matrix)
    except LinAlgError:  # QR iterations converge where relatively robust representations do not
        values, vectors = eigh(matrix, driver="ev")
    return values[::-1], vectors[:, ::-1]


@dataclass(frozen=True)
class RadialBasis:
    """Radial basis functions of the leading components.

    Attributes
    ----------
    basis : Nystroem or None
        None where there is nothing that varies.
    centre : ndarray, shape (landmarks,)
    scale : float
    leading : int
        Number of components that they are functions of.
    """

    basis: Nystroem | None
    centre: Array
    scale: float
    leading: int

    @classmethod
    def fitted(cls, components: Tensor, seed: int, leading: int = SMOOTH_COMPONENTS) -> RadialBasis:
        """Fit them to components (n, k), with the median distance as their width."""
        points = _points(components, leading)
        if not points.any():
            return cls(None, np.zeros(1), 1.0, leading)
        sample = points[np.random.default_rng(seed).permutation(len(points))[:_SAMPLE]]
        distances = euclidean_distances(sample, squared=True)
        width = np.median(distances)
        if width <= _EQUAL * distances.max():  # most pairs are equal up to rounding
            width = distances.mean() or 1.0
        landmarks = min(LANDMARKS, len(points))
        basis = Nystroem(gamma=1.0 / width, n_components=landmarks, random_state=seed).fit(points)
        features = basis.transform(points)
        centre = features.mean(0)
        scale = max(float((features - centre).std(0).max()), 1e-12)
        return cls(basis, centre, scale, leading)

    def __call__(self, components: Tensor) -> Tensor:
        """Return them in any rows, float32, (n, landmarks)."""
        if self.basis is None:
            return torch.zeros(len(components), 1)
        points = _points(components, self.leading)
        return torch.from_numpy((self.basis.transform(points) - self.centre) / self.scale).float()


def _points(components: Tensor, leading: int) -> Array:
    return components[:, :leading].numpy().astype(np.float64)

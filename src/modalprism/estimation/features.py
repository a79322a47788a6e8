"""Features of an embedding, made anew for every set of rows that a fit may see.

Nothing here looks at a target; yet centre, directions, scales and landmarks come from a fit's own
rows alone, so that a held-out row is as new to its features as it is to its probe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, eigh
from sklearn.decomposition import PCA
from sklearn.kernel_approximation import Nystroem
from sklearn.metrics.pairwise import euclidean_distances
from torch import Tensor

from modalprism.estimation.crossfit import CrossFit

SMOOTH_COMPONENTS: Final = 16
LANDMARKS: Final = 80
_EXACT_DIMENSIONS: Final = 1024
_SAMPLE: Final = 500
_SMALLEST: Final = 1e-6
"""Deviation of a component, relative to the largest, below which it is rounding."""
_EQUAL: Final = 1e-9
"""Squared distance of two rows, relative to the largest, below which they are equal."""


def principal_components(
    embedding: NDArray[np.float64], plan: CrossFit, count: int, seed: int
) -> Tensor:
    """Return each fit's leading components, of deviation √(σ_k/σ_1) on the rows it sees.

    Half-way between raw components and whitened ones: the ridge still prefers what varies most,
    and gradient steps still converge fast.

    Parameters
    ----------
    embedding : ndarray of float64, shape (n, d)
    plan : CrossFit
    count : int
    seed : int
        Of the randomised solver, for more than 1,024 rows and dimensions.

    Returns
    -------
    Tensor of float32, shape (B, n, at most `count`)
        Zeros where there are fewer directions than asked for.
    """
    scale = np.abs(embedding).max()
    if not np.ptp(embedding, axis=0).any():  # a constant embedding has nothing to read
        return torch.zeros(len(plan.masks), len(embedding), 1)
    rows = (embedding - embedding.mean(0)) / scale
    if rows.shape[1] > rows.shape[0]:  # a rotation into the span of the rows loses nothing
        rows = rows @ np.linalg.qr(rows.T)[0]
    count = min(count, rows.shape[1])
    found = torch.zeros(len(plan.masks), len(rows), count)
    for fit, (centre, axes) in enumerate(_axes(rows, plan, count, seed)):
        scores = (rows - centre) @ axes
        deviation = scores[plan.masks[fit].numpy() > 0].std(0)
        kept = deviation > _SMALLEST * max(float(deviation.max(initial=0.0)), 1e-300)
        scaled = scores[:, kept] / np.sqrt(deviation[kept] * deviation.max(initial=0.0))
        found[fit, :, : scaled.shape[1]] = torch.from_numpy(scaled).float()
    return found


def _axes(
    rows: NDArray[np.float64], plan: CrossFit, count: int, seed: int
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return each fit's centre (d,) and leading directions (d, count), first the widest."""
    which = plan.which.numpy()
    if rows.shape[1] > _EXACT_DIMENSIONS:
        fitted = [
            PCA(count, svd_solver="randomized", iterated_power=2, random_state=seed).fit(
                rows[mask > 0].astype(np.float32)
            )
            for mask in plan.masks.numpy()
        ]
        return [(pca.mean_.astype(float), pca.components_.T.astype(float)) for pca in fitted]
    # The second moments of a union of folds are the sum of theirs: each fold is read once.
    by_fold = [rows[which == f] for f in range(plan.folds)]
    moments = np.stack([block.T @ block for block in by_fold])
    sums = np.stack([block.sum(0) for block in by_fold])
    found = []
    for pair in plan.left_out:
        seen = [f for f in range(plan.folds) if f not in pair]
        n = sum(len(by_fold[f]) for f in seen)
        found.append(leading_axes(moments[seen].sum(0), sums[seen].sum(0), n, count))
    return found


def leading_axes(
    moment: NDArray[np.float64], total: NDArray[np.float64], n: int, count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the centre and leading directions of n rows of which only sums are known.

    Parameters
    ----------
    moment : ndarray of float64, shape (d, d)
        Σ x xᵀ.
    total : ndarray of float64, shape (d,)
        Σ x.
    n, count : int

    Returns
    -------
    centre : ndarray of float64, shape (d,)
    axes : ndarray of float64, shape (d, count)
        First the widest. A direction has no sign; these do not hang on rounding.
    """
    centre = total / n
    covariance = moment / n - np.outer(centre, centre)
    d = len(centre)
    try:
        _, axes = eigh(covariance, subset_by_index=[d - count, d - 1])
    except LinAlgError:  # QR iterations converge where relatively robust representations do not
        axes = eigh(covariance, driver="ev")[1][:, d - count :]
    signs = np.sign(axes[np.abs(axes).argmax(0), np.arange(count)])
    return centre, (axes * signs)[:, ::-1]


def radial_features(components: Tensor, plan: CrossFit, seed: int) -> Tensor:
    """Return each fit's radial basis functions of its leading components.

    Parameters
    ----------
    components : Tensor, shape (B, n, k)
        From `principal_components`.
    plan : CrossFit
    seed : int
        Of the landmarks.

    Returns
    -------
    Tensor of float32, shape (B, n, at most 80)
    """
    landmarks = min(LANDMARKS, int(plan.masks.sum(1).min()))
    return torch.stack(
        [
            RadialBasis.fitted(block, mask, landmarks, seed)[1]
            for block, mask in zip(components, plan.masks.numpy() > 0, strict=True)
        ]
    )


@dataclass(frozen=True)
class RadialBasis:
    """Radial basis functions of components, as some rows have them.

    Attributes
    ----------
    basis : Nystroem
    centre : ndarray, shape (landmarks,)
    scale : float
    leading : int
        How many components they are functions of.
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
        """Learn them of a mask's rows, and return them in all rows (n, k) as well."""
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

"""Interactions: directions of embeddings whose products are informative.

Let r be the residual of given log-odds. The cross-covariances E[r_y φ₁ φ₂ᵀ] of whitened features
are the gradient of the likelihood with respect to all bilinear terms. Their leading singular
vectors are the pairs of directions with the steepest ascent. Exclusive-or
hidden in hundreds of dimensions is one such pair. With φ₁ = φ₂ they are the curvature in
one embedding (principal Hessian directions, Li 1992, doi:10.1080/01621459.1992.10476258).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from modalprism.estimation.spectrum import symmetric_eigen

_SMALLEST: Final = 1e-6


@dataclass(frozen=True)
class Whitening:
    """Uncorrelated combinations of features.

    Attributes
    ----------
    centre : Tensor, shape (D,)
    axes : Tensor, shape (D, W)
    """

    centre: Tensor
    axes: Tensor

    @classmethod
    def of(cls, features: Tensor, most: int) -> Whitening:
        """Fit up to `most` leading combinations to features (n, D)."""
        centre = features.mean(0)
        centred = features - centre
        values, vectors = symmetric_eigen(centred.mT @ centred / len(features))
        values, vectors = values[-most:], vectors[:, -most:]
        kept = values > _SMALLEST * values[-1].clamp_min(1e-12)
        return cls(centre, vectors[:, kept] / values[kept].sqrt())

    def __call__(self, features: Tensor) -> Tensor:
        """Return the combinations in any rows, (n, W)."""
        return torch.matmul(features - self.centre, self.axes)


def leading_axes(
    first: Tensor, second: Tensor, residual: Tensor, count: int
) -> tuple[Tensor, Tensor]:
    """Return the leading left and right directions of E[r_y φ₁ φ₂ᵀ].

    Parameters
    ----------
    first, second : Tensor, shapes (n, D1) and (n, D2)
        Whitened features.
    residual : Tensor, shape (n, C)
        0 in excluded rows.
    count : int

    Returns
    -------
    two of Tensor, shapes (D1, count) and (D2, count)
        Padded with zeros, because fits to other rows may have more directions.
    """
    moments = torch.stack([(first * r[:, None]).mT @ second for r in residual.T])
    left = symmetric_eigen((moments @ moments.mT).sum(0))[1][:, -count:].flip(1)
    right = symmetric_eigen((moments.mT @ moments).sum(0))[1][:, -count:].flip(1)
    return _widened(left, count), _widened(right, count)


def _widened(axes: Tensor, count: int) -> Tensor:
    return torch.nn.functional.pad(axes, (0, count - axes.shape[1]))


def products(first: Tensor, second: Tensor) -> Tensor:
    """Return all products of two sets of directions, (n, D1·D2)."""
    return (first[:, :, None] * second[:, None, :]).flatten(1)


def squares(directions: Tensor) -> Tensor:
    """Return all products of a set of directions with itself, (n, D (D+1) / 2)."""
    one, other = torch.triu_indices(directions.shape[1], directions.shape[1])
    return directions[:, one] * directions[:, other]


@dataclass(frozen=True)
class Standard:
    """Scale of products, fitted to some rows.

    The scale makes the products' largest singular value about that of one feature, so one step size
    works for both.

    Attributes
    ----------
    low, high, centre, scale : Tensor, shape (D,)
    """

    low: Tensor
    high: Tensor
    centre: Tensor
    scale: Tensor

    @classmethod
    def of(cls, terms: Tensor, mask: Tensor) -> Standard:
        """Fit the scale of terms (n, D) to the rows of a mask."""
        seen = mask > 0
        low, high = terms[seen].amin(0), terms[seen].amax(0)
        terms = terms.clamp(low, high)
        centre = terms[seen].mean(0)
        deviation = (terms - centre)[seen].square().mean(0).sqrt()
        # Padded terms must not reduce the others.
        scale = (deviation + 1e-6) * math.sqrt(max(int((deviation > 0).sum()), 1))
        return cls(low, high, centre, scale)

    def __call__(self, terms: Tensor) -> Tensor:
        """Return the scaled terms of any rows, (n, D)."""
        # A product grows with the square of a row's distance. Clip to the range of the fit, because
        # one extrapolated row would get log-odds that no common slope corrects.
        return torch.div(terms.clamp(self.low, self.high) - self.centre, self.scale)

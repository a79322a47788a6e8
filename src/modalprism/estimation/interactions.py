"""Interactions: which directions of embeddings tell something only when multiplied.

Where r is the residual of log-odds that are there already, the cross-covariances E[r_y φ₁ φ₂ᵀ] of
whitened features are the gradient of the likelihood with respect to every bilinear term at once,
and their leading singular vectors are the pairs of directions that answer fastest. Exclusive-or
hidden in hundreds of dimensions is one such pair. With φ₁ = φ₂ they are an embedding's own
curvature (principal Hessian directions, Li 1992, doi:10.1080/01621459.1992.10476258).
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

_SMALLEST: Final = 1e-6


def whitened(features: Tensor, mask: Tensor, most: int) -> Tensor:
    """Return the widest uncorrelated combinations of features, of variance 1 on a mask's rows.

    Parameters
    ----------
    features : Tensor, shape (n, D)
    mask : Tensor, shape (n,)
    most : int

    Returns
    -------
    Tensor, shape (n, at most `most`)
    """
    seen = mask > 0
    centred = features - features[seen].mean(0)
    values, vectors = torch.linalg.eigh(centred[seen].mT @ centred[seen] / seen.sum())
    values, vectors = values[-most:], vectors[:, -most:]
    kept = values > _SMALLEST * values[-1].clamp_min(1e-12)
    return torch.matmul(centred, vectors[:, kept] / values[kept].sqrt())


def leading_directions(
    first: Tensor, second: Tensor, residual: Tensor, count: int
) -> tuple[Tensor, Tensor]:
    """Project on the leading left and right directions of E[r_y φ₁ φ₂ᵀ].

    Parameters
    ----------
    first, second : Tensor, shapes (n, D1) and (n, D2)
        Whitened features.
    residual : Tensor, shape (n, C)
        0 in rows that must not be seen.
    count : int

    Returns
    -------
    two of Tensor, shape (n, count)
        Zeros where there are fewer directions: fits that see other rows may have more.
    """
    moments = torch.stack([(first * r[:, None]).mT @ second for r in residual.T])
    left = torch.linalg.eigh((moments @ moments.mT).sum(0))[1][:, -count:]
    right = torch.linalg.eigh((moments.mT @ moments).sum(0))[1][:, -count:]
    return _widened(first @ left.flip(1), count), _widened(second @ right.flip(1), count)


def _widened(directions: Tensor, count: int) -> Tensor:
    return torch.nn.functional.pad(directions, (0, count - directions.shape[1]))


def products(first: Tensor, second: Tensor, mask: Tensor) -> Tensor:
    """Return all products of two sets of directions, (n, D1·D2), standardised on a mask's rows.

    Divided so that their largest singular value is about that of one feature: one step size then
    serves them and what they stand beside.
    """
    return _standardised((first[:, :, None] * second[:, None, :]).flatten(1), mask)


def squares(directions: Tensor, mask: Tensor) -> Tensor:
    """Return all products of a set of directions with itself, (n, D (D+1) / 2)."""
    one, other = torch.triu_indices(directions.shape[1], directions.shape[1])
    return _standardised(directions[:, one] * directions[:, other], mask)


def _standardised(terms: Tensor, mask: Tensor) -> Tensor:
    seen = mask > 0
    # A product grows with the square of how far a row lies out. Beyond all that a fit has seen it
    # knows nothing, and one held-out row would get odds that no common slope can mend.
    terms = terms.clamp(terms[seen].amin(0), terms[seen].amax(0))
    centred = terms - terms[seen].mean(0)
    deviation = centred[seen].square().mean(0).sqrt()
    # Terms that stand for nothing must not make the others smaller.
    scale = (deviation + 1e-6) * math.sqrt(max(int((deviation > 0).sum()), 1))
    return torch.div(centred, scale)

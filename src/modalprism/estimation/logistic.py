"""Many multinomial logistic regressions at once.

Cross-fitting asks for the same regression under many masks of training rows and several ridges.
They are fitted together, by accelerated gradient steps with restarts (O'Donoghue & Candès 2015), so
that one matrix product serves them all. Targets are distributions: a label is a one-hot row.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from modalprism.estimation.spectrum import largest_eigenvalue_bound


@dataclass(frozen=True)
class LogisticFits:
    """Weights of B × L regressions.

    Attributes
    ----------
    weight : Tensor of float32, shape (B, L, C, D)
    bias : Tensor of float32, shape (B, L, C, 1)
    """

    weight: Tensor
    bias: Tensor

    def logits(self, features: Tensor) -> Tensor:
        """Return logits, shape (B, n, L, C), of features ``(n, D)`` or ``(B, n, D)``."""
        batch, ridges, classes, _ = self.weight.shape
        flat = self.weight.flatten(1, 2) @ features.mT
        return (flat.view(batch, ridges, classes, -1) + self.bias).permute(0, 3, 1, 2)

    def ridge(self, at: int) -> LogisticFits:
        """Return the regressions with one of the ridges."""
        return LogisticFits(self.weight[:, [at]], self.bias[:, [at]])

    def joined(self, others: LogisticFits) -> LogisticFits:
        """Return these and others, as if they had more ridges."""
        return LogisticFits(
            torch.cat([self.weight, others.weight], 1), torch.cat([self.bias, others.bias], 1)
        )


def fit_logistic(
    features: Tensor,
    target: Tensor,
    masks: Tensor,
    ridges: Tensor,
    *,
    iterations: int,
    offset: Tensor | None = None,
    uncorrelated: bool = False,
) -> LogisticFits:
    """Minimise mean cross-entropy + ½·ridge·‖weight‖² on the rows of every mask.

    Parameters
    ----------
    features : Tensor of float32, shape (n, D) or (B, n, D)
    target : Tensor of float32, shape (n, C)
        Rows sum to 1.
    masks : Tensor of float32, shape (B, n)
        1 for a training row, 0 for another.
    ridges : Tensor of float32, shape (L,)
    iterations : int
        Gradient steps. Stopping early only narrows the family that the probe measures by.
    offset : Tensor of float32, shape (B, n, C), optional
        Log-odds to start from: the regressions learn what is to be added to them, and the caller
        adds them to the logits again.
    uncorrelated : bool
        Whether the features (n, D) are centred and uncorrelated over all rows. Every weight then
        has a step of its own, which takes far fewer iterations.

    Returns
    -------
    LogisticFits
    """
    batch, n = masks.shape
    ridge_count, classes = len(ridges), target.shape[1]
    rows = (masks / masks.sum(1, keepdim=True))[:, None, None]  # (B, 1, 1, n)
    step, bias_step = _steps(features, rows, ridges, uncorrelated=uncorrelated)

    # Rows run along the last axis while fitting, so that the softmax over classes vectorises.
    across, wanted = features.mT.contiguous(), target.T.contiguous()
    weight = torch.zeros(batch, ridge_count, classes, features.shape[-1])
    bias = torch.zeros(batch, ridge_count, classes, 1)
    if offset is None:
        prior = torch.einsum("bn,nc->bc", rows[:, 0, 0], target).clamp_min(1e-6).log()
        bias += prior[:, None, :, None]
        start = torch.zeros(1)
    else:
        start = offset.mT[:, None]  # (B, 1, C, n)
    looked, looked_bias = weight, bias
    momentum = torch.ones(batch, ridge_count, 1, 1)
    for _ in range(iterations):
        logits = (looked.flatten(1, 2) @ across).view(batch, ridge_count, classes, n)
        residual = torch.softmax(logits.add_(looked_bias).add_(start), 2).sub_(wanted).mul_(rows)
        slope = (residual.flatten(1, 2) @ features).view_as(looked)
        slope.add_(ridges[:, None, None] * looked)
        next_weight = looked - step * slope
        next_bias = looked_bias - bias_step * residual.sum(-1, keepdim=True)
        # Restart a regression's momentum where it points uphill.
        uphill = (slope * (next_weight - weight)).sum((2, 3), keepdim=True) > 0
        momentum = torch.where(uphill, torch.ones_like(momentum), momentum)
        grown = (1 + (1 + 4 * momentum**2).sqrt()) / 2
        inertia = (momentum - 1) / grown
        looked = next_weight + inertia * (next_weight - weight)
        looked_bias = next_bias + inertia * (next_bias - bias)
        weight, bias, momentum = next_weight, next_bias, grown
    return LogisticFits(weight, bias)


def _steps(
    features: Tensor, rows: Tensor, ridges: Tensor, *, uncorrelated: bool
) -> tuple[Tensor, Tensor]:
    """Return gradient steps of weights, (B, L, 1, D or 1), and of biases, (B, L or 1, 1, 1).

    Böhning (1992): the Hessian of the cross-entropy is at most half the Gram matrix of the features
    and a column of ones. The Gram matrix of m of n rows is at most n/m times that of all, which is
    diagonal where features are centred and uncorrelated.
    """
    if uncorrelated:
        share = (rows > 0).sum(-1, keepdim=True) / rows.shape[-1]  # (B, 1, 1, 1)
        gram = features.square().mean(0) / share
        return 1.0 / (0.5 * gram + ridges[:, None, None]), 2.0 * share
    gram = (features * rows[:, 0, 0, :, None]).mT @ features
    curvature = largest_eigenvalue_bound(gram) + 1.0
    step = (1.0 / (0.5 * curvature[:, None] + ridges))[:, :, None, None]
    return step, step

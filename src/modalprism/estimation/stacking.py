r"""Stacking: non-negative combinations of several learners' log-odds.

.. math:: p_i(y) \propto p(y) \exp\bigl(\textstyle\sum_l w_l\,(z_{l,iy} - \ln p(y))\bigr),
          \qquad w_l \ge 0,

with weights fitted by maximum likelihood to log-odds of rows that the learners have not seen. A
learner that reads nothing gets a weight of 0, and one learner with a weight of 1 is itself: there
are no biases to fit, whose noise would hide a weak signal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from scipy.optimize import nnls
from torch import Tensor

ITERATIONS: Final = 30
HALVINGS: Final = 8
TOLERANCE: Final = 1e-6
"""Gain of a step, in nats, below which it is the last."""
RIDGE: Final = 1e-4
VARIES: Final = 1e-5
"""Range of log-odds over the rows below which they are constant."""
NAMED: Final = 0.1
"""Smallest fraction of a combination with which a learner is named."""


@dataclass(frozen=True)
class Weights:
    """Weights of L learners, of B fits.

    Attributes
    ----------
    weight : Tensor of float32, shape (B, L)
    prior : Tensor of float32, shape (B, C)
        ln p(y) of the rows of a fit, centred.
    """

    weight: Tensor
    prior: Tensor

    def __call__(self, logits: Tensor, fit: int | Tensor) -> Tensor:
        """Combine logits (n, L, C) by the weights of one fit, or of one a row, (n,)."""
        weight, prior = self.weight[fit], self.prior[fit]
        if weight.dim() == 1:
            weight, prior = weight.expand(len(logits), -1), prior.expand(len(logits), -1)
        combined = torch.einsum("nlc,nl->nc", centred(logits), weight)
        return combined + (1 - weight.sum(1, keepdim=True)) * prior

    def parts(self, logits: Tensor) -> Tensor:
        """Return the fraction of the combination's spread that each learner contributes, (B, L)."""
        spread = self.weight * (centred(logits) - self.prior.mean(0)).square().mean((0, 2)).sqrt()
        return spread / spread.sum(1, keepdim=True).clamp_min(1e-12)


def centred(logits: Tensor) -> Tensor:
    """Return logits less their mean over the classes."""
    return logits - logits.mean(-1, keepdim=True)


def fit_weights(logits: Tensor, target: Tensor, masks: Tensor) -> Weights:
    """Fit weights to the rows of every mask, by Newton steps.

    Parameters
    ----------
    logits : Tensor of float32, shape (n, L, C)
        Of rows that the learners have not seen.
    target : Tensor of float32, shape (n, C)
        Rows sum to 1.
    masks : Tensor of float32, shape (B, n)
    """
    prior = centred(torch.einsum("bn,nc->bc", masks, target).clamp_min(1e-6).log())
    scores = centred(logits).permute(1, 0, 2).contiguous()  # (L, n, C)
    scale = (scores - prior.mean(0)).square().mean((1, 2)).sqrt().clamp_min(1e-6)
    weight = torch.stack(
        [
            _newton((scores[:, mask > 0] - own) / scale[:, None, None], target[mask > 0], own)
            for mask, own in zip(masks, prior, strict=True)
        ]
    )
    return Weights(weight / scale, prior)


def _newton(scores: Tensor, target: Tensor, prior: Tensor) -> Tensor:
    """Return weights (L,) of scores (L, n, C), which are added to the prior (C,).

    Every step solves its quadratic model with the bounds, which is a problem of non-negative least
    squares.
    """
    learners, n, _ = scores.shape
    # Constant log-odds would act as a bias.
    scores = scores * ((scores.amax(1) - scores.amin(1)).amax(1) > VARIES)[:, None, None]
    weight = torch.zeros(learners)
    loss, p = _loss(scores, target, weight, prior)
    for _ in range(ITERATIONS):
        slope = (scores * (p - target)).sum((1, 2)).double() / n + RIDGE * weight
        deviation = scores - (scores * p).sum(-1, keepdim=True)
        hessian = (deviation * p).flatten(1) @ deviation.flatten(1).mT / n
        hessian.diagonal().add_(RIDGE)  # collinear scores have hardly any curvature
        root = torch.linalg.cholesky(hessian.double())
        aim = torch.linalg.solve_triangular(
            root, (hessian.double() @ weight.double() - slope)[:, None], upper=False
        )
        step = torch.from_numpy(nnls(root.mT.numpy(), aim[:, 0].numpy())[0]).float() - weight
        length = 1.0
        for _ in range(HALVINGS):
            next_loss, next_p = _loss(scores, target, weight + length * step, prior)
            if next_loss <= loss:
                break
            length /= 2
        else:
            break
        gained = float(loss - next_loss)
        weight, loss, p = weight + length * step, next_loss, next_p
        if gained < TOLERANCE:
            break
    return weight.clamp_min(0.0)


def _loss(scores: Tensor, target: Tensor, weight: Tensor, prior: Tensor) -> tuple[Tensor, Tensor]:
    """Return the penalised loss, and probabilities (n, C)."""
    log_p = (torch.tensordot(weight, scores, dims=1) + prior).log_softmax(-1)
    return -(target * log_p).sum() / len(target) + RIDGE / 2 * weight.square().sum(), log_p.exp()


def described(parts: Tensor, names: Sequence[str]) -> str:
    """Name the learners that have weight, the heaviest first."""
    order = torch.argsort(parts, descending=True, stable=True).tolist()
    named = [f"{names[k]} ({parts[k]:.0%})" for k in order if parts[k] >= NAMED]
    return " + ".join(named) or "none"

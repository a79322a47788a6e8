"""The joint probe: what both embeddings tell, starting from what each tells.

The joint starts from the unimodal probes' log-odds, weighed together, and may add to them products
of one direction of each embedding, or nothing (`interactions` finds the directions).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor

from modalprism.estimation.calibration import fit_stack
from modalprism.estimation.crossfit import CrossFit
from modalprism.estimation.interactions import leading_directions, products, whitened
from modalprism.estimation.logistic import fit_logistic
from modalprism.estimation.probes import (
    ITERATIONS,
    Features,
    NestedLogits,
    choose,
    inner_loss,
    standardized,
)

LINEAR: Final = 24
SMOOTH: Final = 24
DIRECTIONS: Final = (2, 6)
RIDGES: Final = (1e-3, 1e-2)


def joint_logits(
    unimodal: tuple[NestedLogits, NestedLogits],
    features: tuple[Features, Features],
    target: Tensor,
    plan: CrossFit,
) -> tuple[NestedLogits, Tensor]:
    """Cross-fit the joint probe.

    Parameters
    ----------
    unimodal : two of NestedLogits
    features : two of Features
        In which interactions are sought.
    target : Tensor of float32, shape (n, C)
        Rows sum to 1.
    plan : CrossFit

    Returns
    -------
    logits : NestedLogits
    interaction : Tensor of float32, shape (n, C)
        What the best products add to the weighed log-odds in held-out rows, whether they were
        chosen or not: what there is to test for synergy.
    """
    names = ["weighed log-odds"]
    for count in DIRECTIONS:
        names += [f"and {count} × {count} interactions, ridge {ridge:g}" for ridge in RIDGES]
    first, second = (
        [
            torch.cat([whitened(linear, mask, LINEAR), whitened(smooth, mask, SMOOTH)], -1)
            for linear, smooth, mask in zip(
                source.components[..., :LINEAR], source.smooth, plan.masks, strict=True
            )
        ]
        for source in features
    )
    log_odds = standardized(torch.cat([source.nested for source in unimodal], -1), plan)
    inner = torch.empty(plan.folds, *target.shape[:1], len(names), target.shape[1])
    for f in range(plan.folds):
        fits = [plan.index(f, g) for g in range(plan.folds)]
        masks = plan.masks[fits]
        start = _weighed_together(unimodal, target, f, masks)
        residual = (target - torch.softmax(start, -1)) * masks[..., None]
        pairs = [
            leading_directions(first[fit], second[fit], left_over, max(DIRECTIONS))
            for fit, left_over in zip(fits, residual, strict=True)
        ]
        candidates = [start[:, :, None]]
        for count in DIRECTIONS:
            terms = torch.stack(
                [
                    torch.cat([log_odds[f], products(u[:, :count], v[:, :count], mask)], -1)
                    for (u, v), mask in zip(pairs, masks, strict=True)
                ]
            )
            added = fit_logistic(
                terms,
                target,
                masks,
                torch.tensor(RIDGES),
                iterations=ITERATIONS,
                offset=start,
            )
            candidates.append(added.logits(terms) + start[:, :, None])
        # The fits of this turn leave out f and 0, f and 1, …: a row of fold g reads number g.
        inner[f] = torch.cat(candidates, 2)[plan.which, plan.rows]
    beyond = inner[:, :, 1:] - inner[:, :, :1]
    best = inner_loss(inner, target, plan)[:, 1:].argmin(1)
    interaction = plan.held_out(beyond[torch.arange(plan.folds), :, best])
    return choose(inner, target, plan, names), interaction


def _weighed_together(
    unimodal: tuple[NestedLogits, NestedLogits], target: Tensor, f: int, masks: Tensor
) -> Tensor:
    """Weigh both sources' log-odds by the rows of every mask, shape (masks, n, C)."""
    wanted = target.numpy().astype(np.float64)
    scores = [source.nested[f].numpy().astype(np.float64) for source in unimodal]
    weighed = []
    for seen in masks.numpy() > 0:
        stack = fit_stack([score[seen] for score in scores], wanted[seen], tolerance=1e-5)
        weighed.append(torch.from_numpy(stack.log_probabilities(scores)).float())
    return torch.stack(weighed)

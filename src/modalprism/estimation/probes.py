"""Probes: what can be read from one embedding on rows that the probe has not seen.

Every probe is a logistic regression on some features of the embedding: few or many of its principal
components (linear structure), radial basis functions of them (smooth structure), or components and
the products of a few directions (interaction within the embedding). Its log-odds are recalibrated
within the fold, as a vector, so that what it is sure of and what it knows nothing of do not share
one slope.

For held-out fold f, the features' family and the ridge are chosen by the loss on inner folds g ≠ f
of probes that saw neither f nor g (`crossfit`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modalprism.estimation.calibration import fit_stack
from modalprism.estimation.crossfit import CrossFit
from modalprism.estimation.features import principal_components, radial_features
from modalprism.estimation.interactions import leading_directions, squares, whitened
from modalprism.estimation.logistic import fit_logistic

COMPONENTS: Final = (8, 32, 128)
RIDGES: Final = (1e-2, 1e-1)
CURVED_COMPONENTS: Final = 16
CURVED_BASE: Final = 32
CURVED_DIRECTIONS: Final = 3
CURVED_RIDGES: Final = (1e-3, 1e-2)
ITERATIONS: Final = 40
SLOPES: Final = (0.25, 0.5, 1.0, 2.0, 4.0)
CALIBRATION_RIDGES: Final = (1e-3, 1e-1)
CALIBRATION_ITERATIONS: Final = 100


@dataclass(frozen=True)
class NestedLogits:
    """A probe's log-odds, for every row and every fold that is left out.

    Attributes
    ----------
    nested : Tensor of float32, shape (K, n, C)
        ``nested[f, i]``: from probes that saw neither fold f nor row i's fold, recalibrated by a
        map that saw neither.
    held_out : Tensor of float32, shape (n, C)
        ``nested[f, i]`` of every row's own fold f.
    fewer : Tensor of float32, shape (K, n, C)
        ``fewer[f, i]``: the same log-odds as ``nested[f, i]``, recalibrated as row i's own turn
        does without the rows of f: see `recalibrate`.
    family : tuple of str
        The features chosen, one a fold.
    """

    nested: Tensor
    held_out: Tensor
    fewer: Tensor
    family: tuple[str, ...]

    def with_fewer_rows(self, turn: int, plan: CrossFit) -> Tensor:
        """Return what a row reads in the turn of the fold `turn` places after its own, (n, C).

        From probes that saw neither fold, (K−2)/K of the rows instead of (K−1)/K.
        """
        return self.fewer[(plan.which + turn) % plan.folds, plan.rows]


@dataclass(frozen=True)
class Features:
    """What an embedding's fits are made of.

    Attributes
    ----------
    components, smooth : Tensor of float32, shapes (B, n, D) and (B, n, L)
        Each fit's principal components, and radial basis functions of them.
    """

    components: Tensor
    smooth: Tensor


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of every row, over the last axis, in nats."""
    return -(target * torch.log_softmax(logits, -1)).sum(-1)


def unimodal_logits(
    embedding: NDArray[np.float64], target: Tensor, plan: CrossFit, seed: int
) -> tuple[NestedLogits, Features]:
    """Cross-fit one source's probe.

    Parameters
    ----------
    embedding : ndarray of float64, shape (n, d)
    target : Tensor of float32, shape (n, C)
        Rows sum to 1.
    plan : CrossFit
    seed : int

    Returns
    -------
    logits : NestedLogits
    features : Features
        In which interactions with another source are sought.
    """
    components = principal_components(embedding, plan, max(COMPONENTS), seed)
    smooth = radial_features(components, plan, seed)
    few = sorted({min(count, components.shape[-1]) for count in COMPONENTS})
    families = {f"linear in {count} components": components[..., :count] for count in few}
    candidates: list[Tensor] = []
    names: list[str] = []

    def fit(name: str, features: Tensor, ridges: tuple[float, ...]) -> None:
        fits = fit_logistic(
            features, target, plan.masks, torch.tensor(ridges), iterations=ITERATIONS
        )
        candidates.append(fits.logits(features))
        names.extend(f"{name}, ridge {ridge:g}" for ridge in ridges)

    for name, features in families.items():
        fit(name, features, RIDGES)
    base = components[..., :CURVED_BASE]
    start = candidates[min(few.index(base.shape[-1]), len(few) - 1)][:, :, 0]
    fit("curved", torch.cat([base, _curvature(base, start, target, plan)], -1), CURVED_RIDGES)
    fit("smooth", smooth, RIDGES)
    logits = torch.cat(candidates, 2)  # (B, n, candidates, C)
    inner = torch.stack([logits[plan.reading(f), plan.rows] for f in range(plan.folds)])
    return choose(inner, target, plan, names), Features(components, smooth)


def _curvature(components: Tensor, logits: Tensor, target: Tensor, plan: CrossFit) -> Tensor:
    """Return the squares of each fit's directions of curvature, (B, n, 6)."""
    found = []
    for block, start, mask in zip(components, logits, plan.masks, strict=True):
        white = whitened(block[:, :CURVED_COMPONENTS], mask, CURVED_COMPONENTS)
        frequency = (target * mask[:, None]).sum(0) / mask.sum()
        directions = [
            leading_directions(white, white, (target - p) * mask[:, None], CURVED_DIRECTIONS)[0]
            for p in (torch.softmax(start, -1), frequency)
        ]
        found.append(squares(torch.cat(directions, -1), mask))
    return torch.stack(found)


def choose(inner: Tensor, target: Tensor, plan: CrossFit, names: list[str]) -> NestedLogits:
    """Choose a candidate for each fold by the rows outside it, and recalibrate it there.

    Parameters
    ----------
    inner : Tensor, shape (K, n, candidates, C)
        ``inner[f, i]`` from fits that saw neither f nor row i's fold.
    """
    best = inner_loss(inner, target, plan).argmin(1)
    chosen = inner[torch.arange(plan.folds), :, best]
    nested, fewer = recalibrate(chosen, target, plan)
    family = tuple(names[index] for index in best)
    return NestedLogits(nested, plan.held_out(nested), fewer, family)


def inner_loss(inner: Tensor, target: Tensor, plan: CrossFit) -> Tensor:
    """Return every candidate's loss outside every fold, (K, candidates), of (K, n, candidates, C).

    At the best of a few slopes: confidence is corrected later, and must not decide.
    """
    outside = plan.outside[..., None]
    losses = [(cross_entropy(slope * inner, target[:, None]) * outside).sum(1) for slope in SLOPES]
    return torch.stack(losses).amin(0)


def loss_and_slope(logits: Tensor, target: Tensor) -> tuple[float, float]:
    """Return the mean loss (nats) of logits (n, C) at the best slope and biases, and that slope."""
    scores, wanted = (values.numpy().astype(np.float64) for values in (logits, target))
    stack = fit_stack([scores], wanted, tolerance=1e-5)
    loss = -float((wanted * stack.log_probabilities([scores])).sum() / len(wanted))
    return loss, float(stack.slopes[0])


def recalibrate(nested: Tensor, target: Tensor, plan: CrossFit) -> tuple[Tensor, Tensor]:
    """Recalibrate log-odds by maps that are linear in log-probabilities and in probabilities.

    Confidence has a class structure: of four classes that are two bits, a source may be sure of one
    bit and know nothing of the other. A matrix of slopes (Dirichlet calibration, Kull et al. 2019)
    does not sharpen the noise of the unknown bit together with the known one. And it has a shape:
    where the classes come in steps (a bit that excludes an answer, or leaves it open), a probe that
    is linear is too sure beyond the step. Probabilities saturate, and can flatten it.

    A map of many classes can itself be learnt by heart. A weak ridge, a strong one and no map are
    tried, and each turn takes what does best in the rows outside its fold.

    Returns
    -------
    nested : Tensor, shape (K, n, C)
        The map that a row of fold g reads in f's turn is fitted to rows outside f and g, whose
        log-odds come from probes that saw neither f nor them.
    fewer : Tensor, shape (K, n, C)
        The same log-odds by the map of g's turn, fitted to the same rows, whose log-odds come from
        probes that saw neither g nor them. The maps of f's turn are fitted to log-odds of probes
        that saw g, and lean against its targets: to say how much there is to learn from so many
        rows they would be too pessimistic.
    """
    n = nested.shape[1]
    log_probability = bounded(nested, n)
    log_probability = log_probability - log_probability.mean(-1, keepdim=True)
    blocks = (log_probability, torch.softmax(nested, -1))
    centres, scales = zip(*(_centre_and_scale(block, plan) for block in blocks), strict=True)
    ridges = torch.tensor(CALIBRATION_RIDGES)
    mapped, fewer = torch.empty_like(nested), torch.empty_like(nested)
    for f in range(plan.folds):
        # On the scale of this turn, whichever turn it is from.
        scores = torch.cat(
            [(z - m[f]) / s[f] for z, m, s in zip(blocks, centres, scales, strict=True)], -1
        )
        # Number g of these leaves out f and g.
        masks = plan.masks[[plan.index(f, g) for g in range(plan.folds)]]
        fits = fit_logistic(scores[f], target, masks, ridges, iterations=CALIBRATION_ITERATIONS)
        maps = fits.logits(scores[f])[plan.which, plan.rows]
        tried = bounded(torch.cat([maps, log_probability[f, :, None]], 1), n)
        seen = plan.which != f
        fitted = [loss_and_slope(logits, target[seen]) for logits in tried[seen].unbind(1)]
        best = min(range(len(fitted)), key=lambda number: fitted[number][0])
        # Folds that take different maps must not differ in confidence. What knows nothing has none.
        slope = max(fitted[best][1], 0.0) or 1.0
        mapped[f] = bounded(slope * tried[:, best], n)
        own = ~seen
        again = log_probability if best == len(ridges) else fits.logits(scores)[:, :, best]
        fewer[:, own] = bounded(slope * again[:, own], n)
    return mapped, fewer


def bounded(logits: Tensor, n: int) -> Tensor:
    """Return log-probabilities of logits (..., C), none below −ln(nC).

    n rows support no smaller probability. An answer that is given once, and so is unknown to
    the probe whose turn it is, would otherwise cost one row more than all others may tell, and the
    common slope would take their confidence away to spare it.
    """
    log_probability = torch.log_softmax(logits, -1)
    return log_probability.clamp_min(-math.log(n * logits.shape[-1]))


def standardized(scores: Tensor, plan: CrossFit) -> Tensor:
    """Centre each turn's scores, and divide them by their common deviation outside the fold.

    Shape (K, n, D) throughout.
    """
    centre, scale = _centre_and_scale(scores, plan)
    return (scores - centre) / scale


def _centre_and_scale(scores: Tensor, plan: CrossFit) -> tuple[Tensor, Tensor]:
    """Return each turn's mean (K, 1, D) and common deviation (K, 1, 1) outside the fold."""
    outside = plan.outside[..., None]
    count = outside.sum(1, keepdim=True)
    centre = (scores * outside).sum(1, keepdim=True) / count
    spread = ((scores - centre).square() * outside).sum((1, 2), keepdim=True)
    return centre, (spread / (count * scores.shape[-1])).sqrt().clamp_min(1e-6)

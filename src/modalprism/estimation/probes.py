"""Probes: what can be read from an embedding on rows that the probe has not seen.

Every probe is a logistic regression on some features of the embedding: its principal components
(linear structure), radial basis functions of them (smooth structure), and, for both embeddings
together, the products of components (interaction). The joint probe starts from the unimodal probes'
log-odds, weighed together, and may add to them or not: it is never learnt worse than its parts.

Cross-fitting is nested. For held-out fold f, the features' family and the ridge are chosen by the
loss on inner folds g ≠ f of probes that saw neither f nor g; the joint probe reads, on its training
rows, log-odds of unimodal probes that saw neither f nor that row's fold. Principal components and
basis functions see no target and are made once for all rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.kernel_approximation import Nystroem
from sklearn.metrics.pairwise import euclidean_distances
from torch import Tensor

from modalprism.estimation.calibration import fit_stack
from modalprism.estimation.logistic import fit_logistic

COMPONENTS: Final = 48
SMOOTH_COMPONENTS: Final = 16
LANDMARKS: Final = 80
PRODUCT_COMPONENTS: Final = 12
RIDGES: Final = (3e-3, 3e-2)
JOINT_RIDGES: Final = (1e-3, 1e-2)
ITERATIONS: Final = 40
CALIBRATION_RIDGE: Final = 1e-4
CALIBRATION_ITERATIONS: Final = 300


@dataclass(frozen=True)
class NestedLogits:
    """A unimodal probe's log-odds, for every row and every pair of folds left out.

    Attributes
    ----------
    held_out : Tensor, shape (n, C)
        From probes that did not see the row's fold, recalibrated by a matrix that did not either.
    nested : Tensor, shape (K, n, C)
        ``nested[f, i]``: from probes that saw neither fold f nor row i's fold.
    family : tuple of str
        The features chosen, one a fold.
    """

    held_out: Tensor
    nested: Tensor
    family: tuple[str, ...]


def principal_components(embedding: NDArray[np.float64], count: int, seed: int) -> Tensor:
    """Return the leading components, scaled to the square root of their deviation.

    Half-way between raw components and whitened ones: the ridge still prefers what varies most,
    and gradient steps still converge fast. Shape (n, at most `count`), float32.
    """
    if not np.ptp(embedding, axis=0).any():  # a constant embedding has nothing to read
        return torch.zeros(len(embedding), 1)
    count = min(count, *embedding.shape)
    scores = PCA(count, random_state=seed).fit_transform(embedding)
    deviation = scores.std(0)
    kept = deviation > 1e-6 * max(float(deviation[0]), 1e-300)
    scores, deviation = scores[:, kept], deviation[kept]
    return torch.from_numpy(scores / np.sqrt(deviation * deviation[0])).float()


def _radial_features(components: Tensor, seed: int) -> Tensor:
    points = components[:, :SMOOTH_COMPONENTS].numpy().astype(np.float64)
    sample = points[np.random.default_rng(seed).permutation(len(points))[:500]]
    width = np.median(euclidean_distances(sample, squared=True)) or 1.0
    landmarks = min(LANDMARKS, len(points))
    features = Nystroem(gamma=1.0 / width, n_components=landmarks, random_state=seed)
    centred = features.fit_transform(points)
    centred = centred - centred.mean(0)
    return torch.from_numpy(centred / max(float(centred.std(0).max()), 1e-12)).float()


def _loss(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of every row, over the last axis."""
    return -(target * torch.log_softmax(logits, -1)).sum(-1)


def unimodal_logits(
    embedding: NDArray[np.float64], target: Tensor, fold: NDArray[np.int64], seed: int
) -> tuple[NestedLogits, Tensor]:
    """Cross-fit one source's probe.

    Returns
    -------
    logits : NestedLogits
    components : Tensor, shape (n, d)
        The embedding's principal components, which the joint probe uses again.
    """
    folds, n = int(fold.max()) + 1, len(fold)
    which = torch.from_numpy(fold)
    pairs = list(combinations(range(folds), 2))
    left_out = [(f, f) for f in range(folds)] + pairs
    masks = torch.stack([(which != f) & (which != g) for f, g in left_out]).float()
    position = {pair: index for index, pair in enumerate(left_out)}
    position |= {(g, f): index for (f, g), index in position.items()}

    components = principal_components(embedding, COMPONENTS, seed)
    candidates, names = [], []
    for name, features in (
        ("linear", components),
        ("smooth", _radial_features(components, seed)),
    ):
        fits = fit_logistic(features, target, masks, torch.tensor(RIDGES), iterations=ITERATIONS)
        candidates.append(fits.logits(features))
        names += [f"{name}, ridge {ridge:g}" for ridge in RIDGES]
    logits = torch.cat(candidates, 2)  # (masks, n, candidates, C)

    nested = torch.empty(folds, n, target.shape[1])
    family = []
    for f in range(folds):
        # Row i of fold g ≠ f reads from the probe without f and g; a row of f from that without f.
        reading = torch.tensor([position[f, g] for g in range(folds)])[which]
        inner = logits[reading, torch.arange(n)]
        best = int(_loss(inner, target[:, None])[which != f].mean(0).argmin())
        nested[f] = inner[:, best]
        family.append(names[best])
    nested = _class_structured(nested, target, which)
    held_out = nested[which, torch.arange(n)]
    return NestedLogits(held_out, nested, tuple(family)), components


def _class_structured(nested: Tensor, target: Tensor, which: Tensor) -> Tensor:
    """Recalibrate log-odds with a matrix a fold (Dirichlet calibration, Kull et al. 2019).

    Confidence has a class structure: of four classes that are two bits, a source may be sure of one
    bit and know nothing of the other. One slope for all contrasts then sharpens the noise of the
    unknown bit together with the known one. The matrix of fold f is fitted to log-odds of rows
    outside f, from probes that saw neither f nor the row. Shapes (K, n, C), (n, C), (n,).
    """
    scores = torch.log_softmax(nested, -1)
    scores = scores - scores.mean(-1, keepdim=True)
    scores = scores / scores.std((1, 2), keepdim=True).clamp_min(1e-6)
    masks = torch.stack([which != f for f in range(len(nested))]).float()
    fits = fit_logistic(
        scores, target, masks, torch.tensor([CALIBRATION_RIDGE]), iterations=CALIBRATION_ITERATIONS
    )
    return fits.logits(scores)[:, :, 0]


def joint_logits(
    unimodal: tuple[NestedLogits, NestedLogits],
    components: tuple[Tensor, Tensor],
    target: Tensor,
    fold: NDArray[np.int64],
) -> tuple[Tensor, tuple[str, ...]]:
    """Cross-fit the joint probe: the unimodal log-odds weighed together, and what adds to them.

    What may add to them is every class's log-odds by itself and the products of components; or
    nothing, so that the joint is never learnt worse than its parts.

    Returns
    -------
    held_out : Tensor, shape (n, C)
    family : tuple of str
        The features chosen, one a fold.
    """
    folds, n = int(fold.max()) + 1, len(fold)
    which = torch.from_numpy(fold)
    inner_fold = [(f + 1) % folds for f in range(folds)]
    masks = torch.stack(
        [which != f for f in range(folds)]
        + [(which != f) & (which != inner_fold[f]) for f in range(folds)]
    )
    offset = _weighed_together(unimodal, target, masks)

    log_odds = torch.cat([source.nested for source in unimodal], -1)
    log_odds = log_odds - log_odds.mean(1, keepdim=True)
    log_odds = log_odds / log_odds.std((1, 2), keepdim=True).clamp_min(1e-6)
    features = torch.cat([log_odds, _products(*components).expand(folds, n, -1)], -1)
    doubled = torch.cat([features, features])
    fits = fit_logistic(
        doubled,
        target,
        masks.float(),
        torch.tensor(JOINT_RIDGES),
        iterations=ITERATIONS,
        offset=offset,
    )
    logits = torch.cat([offset[:, :, None], fits.logits(doubled) + offset[:, :, None]], 2)
    names = ["weighed log-odds", *(f"and products, ridge {ridge:g}" for ridge in JOINT_RIDGES)]

    held_out = torch.empty(n, target.shape[1])
    family = []
    for f in range(folds):
        inner = which == inner_fold[f]
        best = int(_loss(logits[folds + f, inner], target[inner, None]).mean(0).argmin())
        held_out[which == f] = logits[f, which == f][:, best]
        family.append(names[best])
    return held_out, tuple(family)


def _weighed_together(
    unimodal: tuple[NestedLogits, NestedLogits], target: Tensor, masks: Tensor
) -> Tensor:
    """Weigh both sources' log-odds by the rows of every mask, shape (masks, n, C)."""
    wanted = target.numpy().astype(np.float64)
    folds = len(unimodal[0].nested)
    weighed = []
    for index, mask in enumerate(masks.numpy()):
        scores = [source.nested[index % folds].numpy().astype(np.float64) for source in unimodal]
        stack = fit_stack([score[mask] for score in scores], wanted[mask], tolerance=1e-5)
        weighed.append(torch.from_numpy(stack.log_probabilities(scores)).float())
    return torch.stack(weighed)


def _products(first: Tensor, second: Tensor) -> Tensor:
    """Return the products of leading components, shape (n, at most 12²), standardised."""
    leading = [
        block[:, :PRODUCT_COMPONENTS] / block[:, :PRODUCT_COMPONENTS].std(0).clamp_min(1e-12)
        for block in (first, second)
    ]
    products = (leading[0][:, :, None] * leading[1][:, None, :]).flatten(1)
    products = (products - products.mean(0)) / (products.std(0) + 1e-6)
    # Divided so that their largest singular value is about that of the log-odds: one step size
    # then serves both.
    return products / math.sqrt(products.shape[1] / 4)

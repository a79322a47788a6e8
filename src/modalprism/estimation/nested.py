"""Nested cross-fitting: the plan for samples in memory.

What is said of fold f comes from fits that saw no row of f. For held-out fold f, the features'
family and the ridge are chosen by the loss on inner folds g ≠ f of probes that saw neither f nor g
(`crossfit`), and the log-odds are recalibrated by maps that saw neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modalprism.estimation.crossfit import CrossFit
from modalprism.estimation.families import MOST_COMPONENTS, choice_loss, fit_candidates
from modalprism.estimation.features import (
    EXACT_DIMENSIONS,
    Features,
    Moments,
    fit_features,
    fit_reduction,
)
from modalprism.estimation.folds import assign_folds, connected_groups
from modalprism.estimation.joint import ALONE, Whitenings, fit_joint
from modalprism.estimation.learning import Logits
from modalprism.estimation.plan import Predictions
from modalprism.estimation.readout import HeldOut
from modalprism.estimation.recalibration import recalibrate
from modalprism.estimation.sample import Sample
from modalprism.estimation.source import Source
from modalprism.estimation.threads import one_by_one, side_by_side
from modalprism.progress import Step, no_step

MANY_ROWS: Final = 3_000
"""Rows from which on both sources are probed at once."""
_STEPS_OF_A_SOURCE: Final = 3


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
class Nested:
    """Nested cross-fitting: K (K+1) / 2 fits that leave out one or two folds.

    Every row is fitted to, chosen and calibrated by, and predicted, in the turns of different
    folds. All rows are in memory.

    Attributes
    ----------
    folds : int
        K.
    """

    folds: int
    states: int = 300
    tolerance: float = 2e-3
    bounds_merging: bool = False

    def steps(self, sample: Sample) -> int:
        """Return the steps of `predictions`: those of each source, and one a fold for both."""
        return _STEPS_OF_A_SOURCE * len(sample.sources) + self.folds

    @contextmanager
    def predictions(self, sample: Sample, seed: int, step: Step = no_step) -> Iterator[Predictions]:
        """Cross-fit the probes of a sample.

        Raises
        ------
        InputError
            If the groups leave too few folds.
        """
        n = len(sample)
        fold = assign_folds(connected_groups(sample.groups, n), sample.target, self.folds, seed)
        soft_target = torch.from_numpy(sample.target.whole).float()
        plan = CrossFit.of(fold)

        def probed(source: Source) -> tuple[NestedLogits, Features]:
            return unimodal_logits(source.whole(), soft_target, plan, seed, step)

        # Neither source knows of the other; of few rows, two threads only wait for each other.
        at_once = side_by_side if n >= MANY_ROWS else one_by_one
        probes, features = zip(*at_once(probed, sample.sources), strict=True)
        joint, interaction = joint_logits(
            (probes[0], probes[1]), (features[0], features[1]), soft_target, plan, step
        )
        three = (*probes, joint)

        def stacked(read: Sequence[Tensor]) -> Logits:
            return torch.stack([*read, interaction], 1).numpy()

        yield Predictions(
            held_out=HeldOut(stacked([probe.held_out for probe in three]), sample.target),
            tested=np.arange(n),
            fold=fold,
            fewer=[
                stacked([probe.with_fewer_rows(turn, plan) for probe in three])
                for turn in range(1, plan.folds)
            ],
            folds=plan.folds,
            families=dict(
                zip((*sample.modalities, "both"), (probe.family for probe in three), strict=True)
            ),
        )


def unimodal_logits(
    embedding: NDArray[np.float64],
    target: Tensor,
    plan: CrossFit,
    seed: int,
    step: Step = no_step,
) -> tuple[NestedLogits, Features]:
    """Cross-fit one source's probe.

    Parameters
    ----------
    embedding : ndarray of float64, shape (n, d)
    target : Tensor of float32, shape (n, C)
        Rows sum to 1.
    plan : CrossFit
    seed : int
    step : Step
        Reports features, candidates and the choice.

    Returns
    -------
    logits : NestedLogits
    features : Features
        In which interactions with another source are sought.
    """
    features = nested_features(embedding, plan, seed)
    step()
    candidates = fit_candidates(features, target, plan.masks)
    step()
    logits = torch.cat([each.logits(features) for each in candidates], 2)
    names = [name for each in candidates for name in each.names]
    inner = torch.stack([logits[plan.reading(f), plan.rows] for f in range(plan.folds)])
    chosen = choose(inner, target, plan, names)
    step()
    return chosen, features


def nested_features(
    embedding: NDArray[np.float64], plan: CrossFit, seed: int, count: int = MOST_COMPONENTS
) -> Features:
    """Return the features of all rows (n, d), as each fit of a plan has them."""
    rows = embedding - embedding.mean(0)
    if not np.ptp(embedding, axis=0).any():  # a constant embedding has nothing to read
        rows = np.zeros_like(embedding)
    rows /= np.abs(embedding).max() or 1.0
    if rows.shape[1] > rows.shape[0]:  # a rotation into the span of the rows loses nothing
        rows = rows @ np.linalg.qr(rows.T)[0]
    scaled, d = torch.from_numpy(rows), rows.shape[1]
    by_fold = None
    if d <= EXACT_DIMENSIONS:  # moments of a union of folds are sums: each fold is read once
        by_fold = [Moments.of([scaled[plan.which == fold]], d) for fold in range(plan.folds)]
    reductions = [
        fit_reduction(
            by_fold,
            lambda index: rows[index].astype(np.float32),
            plan.which.numpy(),
            pair,
            count=min(count, d),
            seed=seed,
        )
        for pair in plan.left_out
    ]
    return fit_features(lambda: [scaled], reductions, plan.masks, seed)[1]


def choose(inner: Tensor, target: Tensor, plan: CrossFit, names: Sequence[str]) -> NestedLogits:
    """Choose a candidate for each fold by the rows outside it, and recalibrate it there.

    Parameters
    ----------
    inner : Tensor, shape (K, n, candidates, C)
        ``inner[f, i]`` from fits that saw neither f nor row i's fold.
    """
    best = _inner_losses(inner, target, plan).argmin(1)
    nested, fewer = recalibrate(inner[torch.arange(plan.folds), :, best], target, plan)
    family = tuple(names[index] for index in best)
    return NestedLogits(nested, plan.held_out(nested), fewer, family)


def _inner_losses(inner: Tensor, target: Tensor, plan: CrossFit) -> Tensor:
    """Return every candidate's loss outside every fold, (K, candidates)."""
    losses = [choice_loss(each, target, plan.outside) for each in inner.unbind(2)]
    return torch.stack(losses, 1)


def joint_logits(
    unimodal: tuple[NestedLogits, NestedLogits],
    features: tuple[Features, Features],
    target: Tensor,
    plan: CrossFit,
    step: Step = no_step,
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
    step : Step
        Reports each fold.

    Returns
    -------
    logits : NestedLogits
    interaction : Tensor of float32, shape (n, C)
        What the best products add to the weighed log-odds in held-out rows, whether they were
        chosen or not: what there is to test for synergy.
    """
    first, second = (Whitenings.of(source, plan.masks)(source) for source in features)
    names, turns = [ALONE], []
    for f in range(plan.folds):
        # The fits of this turn leave out f and 0, f and 1, …: a row of fold g reads number g.
        fits = [plan.index(f, g) for g in range(plan.folds)]
        log_odds = (unimodal[0].nested[f], unimodal[1].nested[f])
        white = ([first[fit] for fit in fits], [second[fit] for fit in fits])
        joint = fit_joint(log_odds, white, target, plan.masks[fits], plan.outside[f])
        start = joint.start(log_odds)[:, :, None]
        added = [start + each for each in joint.added(log_odds, white)]
        turns.append(torch.cat([start, *added], 2)[plan.which, plan.rows])
        names = [ALONE, *(name for each in joint.products for name in each.names)]
        step()
    inner = torch.stack(turns)
    beyond = inner[:, :, 1:] - inner[:, :, :1]
    best = _inner_losses(inner, target, plan)[:, 1:].argmin(1)
    interaction = plan.held_out(beyond[torch.arange(plan.folds), :, best])
    return choose(inner, target, plan, names), interaction

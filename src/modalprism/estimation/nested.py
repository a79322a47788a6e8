"""Nested cross-fitting: the plan for samples in memory.

Everything that predicts fold f comes from fits that saw no target of f. Learners are fitted without
f and one other fold g (`crossfit`); their log-odds of the rows of g, for all g ≠ f, then fit the
weights and the maps of fold f.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from modalprism.estimation.crossfit import CrossFit
from modalprism.estimation.features import FeatureMap, Features
from modalprism.estimation.folds import assign_folds, connected_groups
from modalprism.estimation.joint import Whitenings, fit_products
from modalprism.estimation.learners import Learner, cheap_learners
from modalprism.estimation.learning import Logits
from modalprism.estimation.plan import Predictions
from modalprism.estimation.readout import HeldOut
from modalprism.estimation.recalibration import recalibrate
from modalprism.estimation.sample import Sample
from modalprism.estimation.source import Source
from modalprism.estimation.stacking import centred, described, fit_weights
from modalprism.estimation.threads import one_by_one, side_by_side
from modalprism.estimation.trees import Trees, pair_features, trees_of
from modalprism.progress import Step, no_step

MANY_ROWS: Final = 3_000
"""Rows from which on both sources are probed at once."""
_STEPS_OF_A_SOURCE: Final = 3
PROMISING_DEVIATIONS: Final = 1.5
PROMISING_GAIN: Final = 2e-3
"""In nats."""


@dataclass(frozen=True)
class Candidates:
    """Log-odds of L candidates, for every row and every fold that is left out.

    Attributes
    ----------
    nested : Tensor of float32, shape (K, n, L, C)
        ``nested[f, i]``: in the turn of f, by fits without fold f and row i's fold.
    crossed : Tensor of float32, shape (K, n, L, C)
        ``crossed[f, i]``: by the same fits, in the turn of row i's fold. Differs for learners that
        are fitted in some turns only.
    names : tuple of str, length L
    """

    nested: Tensor
    crossed: Tensor
    names: tuple[str, ...]

    @classmethod
    def of_all_turns(cls, nested: Tensor, names: Sequence[str]) -> Candidates:
        """Return candidates that are fitted in every turn."""
        return cls(nested, nested, tuple(names))

    def with_others(self, others: Candidates) -> Candidates:
        """Return these and others."""
        return Candidates(
            torch.cat([self.nested, others.nested], 2),
            torch.cat([self.crossed, others.crossed], 2),
            self.names + others.names,
        )


@dataclass(frozen=True)
class NestedLogits:
    """Log-odds of one coalition, for every row and every fold that is left out.

    Attributes
    ----------
    nested : Tensor of float32, shape (K, n, C)
        ``nested[f, i]``: by learners, weights and maps fitted without fold f and row i's fold.
    held_out : Tensor of float32, shape (n, C)
        ``nested[f, i]`` of every row's own fold f.
    fewer : Tensor of float32, shape (K, n, C)
        ``fewer[f, i]``: by the learners of ``nested[f, i]``, and by the weights and maps of row i's
        own turn that were fitted without f.
    learners : tuple of str
        Which learners have weight, one a fold.
    """

    nested: Tensor
    held_out: Tensor
    fewer: Tensor
    learners: tuple[str, ...]

    def as_candidate(self, name: str) -> Candidates:
        """Return it as the only candidate of another level."""
        return Candidates.of_all_turns(self.nested[:, :, None], (name,))

    def with_fewer_rows(self, turn: int, plan: CrossFit) -> Tensor:
        """Return the log-odds of every row by probes fitted to (K−2)/K of the rows, (n, C).

        They saw neither the row's fold nor the fold `turn` places after it.
        """
        return self.fewer[(plan.which + turn) % plan.folds, plan.rows]


@dataclass(frozen=True)
class Nested:
    """Nested cross-fitting: K (K+1) / 2 fits that leave out one or two folds.

    All rows are in memory.

    Attributes
    ----------
    folds : int
        K.
    effort : {"fast", "default", "thorough"}
        Which trees may be fitted, see `trees_of`.
    """

    folds: int
    states: int = 300
    tolerance: float = 2e-3
    bounds_merging: bool = False
    effort: str = "default"

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
        target = torch.from_numpy(sample.target.whole).float()
        plan = CrossFit.of(fold)
        trees = trees_of(self.effort, sample.target.classes, n)

        def probed(source: Source) -> tuple[Features, NestedLogits]:
            rows = torch.from_numpy(source.whole() - source.centre) / source.scale
            features = FeatureMap.fitted(lambda: [rows], seed)[1]
            step()
            learners = cheap_learners(features.components.shape[1])
            candidates = fitted(learners, features, target, plan, seed)
            found = level(candidates, target, plan, maps=False)
            step()
            if trees:
                more = fitted_where_promising(trees, features, found.nested, target, plan, seed)
                found = level(candidates.with_others(more), target, plan, maps=False)
            step()
            return features, found

        # Neither source knows of the other; of few rows, two threads only wait for each other.
        at_once = side_by_side if n >= MANY_ROWS or trees else one_by_one
        features, first = zip(*at_once(probed, sample.sources), strict=True)
        alone = [level(each.as_candidate("alone"), target, plan, maps=True) for each in first]
        candidates, interaction = joint_candidates(
            (first[0], first[1]),
            (features[0], features[1]),
            target,
            plan,
            seed,
            step,
            trees=trees,
        )
        joint = level(candidates, target, plan, maps=True)
        three = (*alone, joint)

        def stacked(read: Sequence[Tensor]) -> Logits:
            return torch.stack([*read, interaction], 1).numpy()

        fitted_rows = n * (1 - 1 / self.folds)
        yield Predictions(
            held_out=HeldOut(stacked([probe.held_out for probe in three]), sample.target),
            tested=np.arange(n),
            fold=fold,
            fewer=[
                stacked([probe.with_fewer_rows(turn, plan) for probe in three])
                for turn in range(1, plan.folds)
            ],
            folds=plan.folds,
            freedom=(
                features[0].dimensions() / fitted_rows,
                features[1].dimensions() / fitted_rows,
            ),
            families=dict(
                zip(
                    (*sample.modalities, "both"),
                    (probe.learners for probe in (*first, joint)),
                    strict=True,
                )
            ),
        )


def fitted(
    learners: Sequence[Learner], features: Features, target: Tensor, plan: CrossFit, seed: int
) -> Candidates:
    """Fit learners in every turn."""
    nested: list[Tensor] = []
    names: list[str] = []
    for learner in learners:
        fits = learner.fit(features, target, plan.masks, seed)
        logits = fits.logits(features)
        nested.append(torch.stack([logits[plan.reading(f), plan.rows] for f in range(plan.folds)]))
        names.extend(fits.names)
    return Candidates.of_all_turns(torch.cat(nested, 2), names)


def fitted_where_promising(
    learners: Sequence[Trees],
    features: Features,
    before: Tensor,
    target: Tensor,
    plan: CrossFit,
    seed: int,
) -> Candidates:
    """Fit costly learners in the turns in which a small ensemble adds to the other learners.

    Parameters
    ----------
    before : Tensor, shape (K, n, C)
        Nested log-odds of all other learners.

    Returns
    -------
    Candidates
        Zeros in the other turns.
    """
    nested, crossed = torch.zeros(
        2, plan.folds, len(plan.rows), len(learners), target.shape[1]
    ).unbind(0)
    for number, learner in enumerate(learners):
        turns = [
            f
            for f in range(plan.folds)
            if _promises(learner, features, before[f], target, plan, f, seed)
        ]
        needed = sorted({plan.index(f, g) for f in turns for g in range(plan.folds)})
        if not needed:
            continue
        logits = learner.fit(features, target, plan.masks[needed], seed).logits(features)[:, :, 0]
        place = torch.zeros(len(plan.masks), dtype=torch.int64)
        place[needed] = torch.arange(len(needed))
        for f in turns:
            nested[f, :, number] = logits[place[plan.reading(f)], plan.rows]
            own = plan.which == f
            for g in range(plan.folds):
                crossed[g, own, number] = logits[place[plan.index(f, g)], own]
    return Candidates(nested, crossed, tuple(learner.name for learner in learners))


def _promises(
    learner: Trees,
    features: Features,
    before: Tensor,
    target: Tensor,
    plan: CrossFit,
    f: int,
    seed: int,
) -> bool:
    """Test whether a small ensemble adds to the other learners, in the fold after f and without f.

    A score test: of the sign, and of the gain of log-likelihood, of a slope times the ensemble's
    log-odds.
    """
    g = (f + 1) % plan.folds
    read = plan.which == g
    trees = learner.small().fit(features, target, plan.masks[[plan.index(f, g)]], seed)
    scores = centred(trees.logits(features.rows(read))[0, :, 0])
    p = torch.softmax(before[read], -1)
    slope = ((target[read] - p) * scores).sum(-1)
    curvature = (p * scores.square()).sum(-1) - (p * scores).sum(-1).square()
    gain = slope.mean().square() / (2 * curvature.mean().clamp_min(1e-9))
    error = slope.std() / len(slope) ** 0.5
    return bool(slope.mean() > PROMISING_DEVIATIONS * error and gain > PROMISING_GAIN)


def level(candidates: Candidates, target: Tensor, plan: CrossFit, *, maps: bool) -> NestedLogits:
    """Combine candidates for each fold by the rows outside it.

    Parameters
    ----------
    candidates : Candidates
    target : Tensor, shape (n, C)
    plan : CrossFit
    maps : bool
        Whether to recalibrate the combination there as well.
    """
    inner, crossed = candidates.nested, candidates.crossed
    nested, fewer = torch.empty(2, *inner[:, :, 0].shape).unbind(0)
    chosen = []
    for f in range(plan.folds):
        own = plan.which == f
        # Number g of these leaves out f and g.
        masks = plan.masks[[plan.index(f, g) for g in range(plan.folds)]]
        weights = fit_weights(inner[f], target, masks)
        nested[f] = weights(inner[f], plan.which)
        for g in range(plan.folds):
            fewer[g, own] = weights(crossed[g, own], g)
        chosen.append(described(weights.parts(inner[f])[f], candidates.names))
    if maps:
        nested, fewer = recalibrate(nested, fewer, target, plan)
    return NestedLogits(nested, plan.held_out(nested), fewer, tuple(chosen))


def joint_candidates(
    first: tuple[NestedLogits, NestedLogits],
    features: tuple[Features, Features],
    target: Tensor,
    plan: CrossFit,
    seed: int,
    step: Step = no_step,
    *,
    trees: Sequence[Trees],
) -> tuple[Candidates, Tensor]:
    """Fit products of both sources, and trees on both.

    Returns
    -------
    candidates : Candidates
        The sources themselves, products, and trees.
    interaction : Tensor of float32, shape (n, C)
        Increment of the log-odds of held-out rows by the best products, whether these have weight
        or not; the test of synergy uses it.
    """
    maps = [Whitenings.of(each) for each in features]
    one, other = (map_(each) for map_, each in zip(maps, features, strict=True))
    widths = (maps[0].width, maps[1].width)
    added: list[Tensor] = []
    names: tuple[str, ...] = ()
    for f in range(plan.folds):
        # The fits of this turn leave out f and 0, f and 1, …: a row of fold g reads number g.
        fits = [plan.index(f, g) for g in range(plan.folds)]
        log_odds = (first[0].nested[f], first[1].nested[f])
        found = fit_products(
            log_odds, (one, other), widths, target, plan.masks[fits], plan.outside[f]
        )
        added.append(found.logits(log_odds, (one, other))[plan.which, plan.rows])
        names = found.names
        step()
    products = torch.stack(added)
    start = [each.nested[:, :, None] for each in first]
    losses = _losses(start, products, target, plan)
    best = losses.argmin(1)
    interaction = plan.held_out(products[torch.arange(plan.folds), :, best])
    candidates = Candidates.of_all_turns(
        torch.cat([*start, products], 2), ("the first source", "the second", *names)
    )
    if trees:
        before = level(candidates, target, plan, maps=False).nested
        pair = pair_features(*features)
        more = fitted_where_promising(trees, pair, before, target, plan, seed)
        candidates = candidates.with_others(more)
    return candidates, interaction


def _losses(start: Sequence[Tensor], products: Tensor, target: Tensor, plan: CrossFit) -> Tensor:
    """Return every product's loss outside every fold, (K, L)."""
    said = (start[0] + start[1] + products).log_softmax(-1)
    losses = -(target[:, None] * said).sum(-1)
    return torch.einsum("knl,kn->kl", losses, plan.outside)

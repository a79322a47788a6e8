"""Models that predict one fold, fitted to rows of the others: a probe a source, and a joint probe.

Some rows fit the probes of each source, others choose between families and calibrate, and others
again fit the joint probe, whose log-odds must come from probes that have not seen them (`splits`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modalprism.estimation.families import (
    MOST_COMPONENTS,
    Candidates,
    choice_loss,
    fit_candidates,
)
from modalprism.estimation.features import (
    EXACT_DIMENSIONS,
    FeatureMap,
    Features,
    Moments,
    fit_features,
    fit_reduction,
)
from modalprism.estimation.joint import ALONE, JointFits, Pair, Whitened, Whitenings, fit_joint
from modalprism.estimation.recalibration import Recalibration
from modalprism.estimation.sample import Sample
from modalprism.estimation.source import Source
from modalprism.estimation.splits import CHOICE, JOINT, PROBE, Splits
from modalprism.estimation.threads import side_by_side

FeaturePair = tuple[Features, Features]


@dataclass(frozen=True)
class Probe:
    """A source's probe.

    Attributes
    ----------
    features : FeatureMap
    chosen : Candidates
        One regression.
    recalibration : Recalibration
    """

    features: FeatureMap
    chosen: Candidates
    recalibration: Recalibration

    @property
    def name(self) -> str:
        """The family and the ridge that were chosen."""
        return self.chosen.names[0]

    def logits(self, features: Features) -> Tensor:
        """Return recalibrated log-probabilities, (n, C)."""
        return self.recalibration(self.chosen.logits(features)[0, :, 0])


@dataclass(frozen=True)
class JointProbe:
    """The probe of both sources.

    Attributes
    ----------
    name : str
        The candidate that was chosen: weighed log-odds alone, or with products.
    fits : JointFits
        With one set of products: those of the candidate, or, where it has none, those that lose
        least, for the test of synergy.
    whitenings : two of Whitenings
    recalibration : Recalibration
    """

    name: str
    fits: JointFits
    whitenings: tuple[Whitenings, Whitenings]
    recalibration: Recalibration

    def logits(self, log_odds: Pair, features: FeaturePair) -> tuple[Tensor, Tensor]:
        """Return recalibrated log-probabilities, and what products add, both (n, C)."""
        start = self.fits.start(log_odds)[0]
        interaction = self.fits.added(log_odds, _white(self.whitenings, features))[0][0, :, 0]
        said = start if self.name == ALONE else start + interaction
        return self.recalibration(said), interaction


@dataclass(frozen=True)
class FoldModel:
    """The probes that predict a fold.

    Attributes
    ----------
    probes : two of Probe
    joint : JointProbe
    """

    probes: tuple[Probe, Probe]
    joint: JointProbe

    def predict(self, one: Tensor, other: Tensor) -> Tensor:
        """Return log-odds of both sources' scaled rows, (n, 4, C), see `HeldOut`."""
        first, second = self.probes
        features = (first.features(one), second.features(other))
        log_odds = (first.logits(features[0]), second.logits(features[1]))
        return torch.stack([*log_odds, *self.joint.logits(log_odds, features)], 1)


@dataclass(frozen=True)
class TrainingData:
    """The rows that models are fitted to, in memory.

    Attributes
    ----------
    sources : two of Source
    rows : two of ndarray, shape (m, d)
        As they are stored.
    moments : two of list of Moments, or None
        Of every fold, where there are few enough dimensions.
    target : Tensor of float32, shape (m, C)
    fold, role, half : ndarray, shape (m,)
        See `Splits`.
    """

    sources: tuple[Source, Source]
    rows: tuple[NDArray[Any], NDArray[Any]]
    moments: tuple[list[Moments] | None, list[Moments] | None]
    target: Tensor
    fold: NDArray[np.int16]
    role: NDArray[np.int8]
    half: NDArray[np.bool_]

    def __len__(self) -> int:
        """Rows."""
        return len(self.fold)

    @classmethod
    def of(cls, sample: Sample, splits: Splits) -> TrainingData:
        """Read the rows that models are fitted to, in one pass."""
        index = splits.training
        one, other = (source.take(index) for source in sample.sources)
        fold = splits.fold[index]

        def moments(pair: tuple[Source, NDArray[Any]]) -> list[Moments] | None:
            source, rows = pair
            d = rows.shape[1]
            if d > EXACT_DIMENSIONS:
                return None
            return [
                Moments.of(source.blocks(rows[fold == number]), d) for number in range(splits.folds)
            ]

        sums = side_by_side(moments, list(zip(sample.sources, (one, other), strict=True)))
        return cls(
            sources=sample.sources,
            rows=(one, other),
            moments=(sums[0], sums[1]),
            target=torch.from_numpy(sample.target.rows(index)).float(),
            fold=fold,
            role=splits.role[index],
            half=splits.half[index],
        )

    def halved(self) -> TrainingData:
        """Return the same with half of the rows that probes are fitted to, whole groups.

        Those that choose stay: what is compared is how much there is to learn from.
        """
        kept = self.half | (self.role == CHOICE)
        return replace(
            self,
            rows=(self.rows[0][kept], self.rows[1][kept]),
            target=self.target[torch.from_numpy(kept)],
            fold=self.fold[kept],
            role=self.role[kept],
            half=self.half[kept],
        )


def fit_fold(data: TrainingData, fold: int, seed: int, like: FoldModel | None = None) -> FoldModel:
    """Fit the probes that predict a fold to the rows of all others.

    Parameters
    ----------
    data : TrainingData
    fold : int
    seed : int
    like : FoldModel, optional
        Fitted to more rows: its families and ridges are taken as they were chosen there.
    """
    seen = data.fold != fold
    role, target = data.role[seen], data.target[torch.from_numpy(seen)]
    probe_rows, choice_rows, joint_rows = (
        torch.from_numpy(role == part) for part in (PROBE, CHOICE, JOINT)
    )
    half = data.half[seen][role == CHOICE]
    bound = len(target)

    def fit(number: int) -> tuple[Probe, Features, Tensor]:
        source, moments = data.sources[number], data.moments[number]
        rows = data.rows[number][seen]
        reduction = fit_reduction(
            moments,
            lambda index: source.scaled(data.rows[number][index]).numpy(),
            data.fold,
            (fold,),
            count=min(MOST_COMPONENTS, rows.shape[1]),
            seed=seed,
        )
        feature_map, features = fit_features(
            lambda: source.blocks(rows), [reduction], probe_rows[None].float(), seed
        )
        candidates = fit_candidates(
            features.rows(probe_rows),
            target[probe_rows],
            torch.ones(1, int(probe_rows.sum())),
            like.probes[number].name if like else "",
        )
        choice = features.rows(choice_rows)
        said = [logits for each in candidates for logits in each.logits(choice)[0].unbind(1)]
        best = _least_loss(said, target[choice_rows])
        name = [name for each in candidates for name in each.names][best]
        chosen = next(each for each in candidates if name in each.names).only(name)
        recalibration = Recalibration.of(said[best], target[choice_rows], half, bound, seed)
        probe = Probe(feature_map, chosen, recalibration)
        return probe, features, probe.logits(features)

    (one, features_1, logits_1), (other, features_2, logits_2) = side_by_side(fit, [0, 1])

    def both(rows: Tensor) -> tuple[Pair, FeaturePair]:
        return (logits_1[rows], logits_2[rows]), (features_1.rows(rows), features_2.rows(rows))

    joint = _fit_joint_probe(
        *both(joint_rows),
        target[joint_rows],
        *both(choice_rows),
        target[choice_rows],
        half,
        bound=bound,
        seed=seed,
        only=like.joint.name if like else "",
    )
    return FoldModel((one, other), joint)


def _fit_joint_probe(
    log_odds: Pair,
    features: FeaturePair,
    target: Tensor,
    choice: Pair,
    choice_features: FeaturePair,
    choice_target: Tensor,
    half: NDArray[np.bool_],
    *,
    bound: int,
    seed: int,
    only: str,
) -> JointProbe:
    """Fit the joint candidates to some rows, and choose and recalibrate one by others."""
    seen = torch.ones(len(target))
    one, other = (Whitenings.of(source, seen[None]) for source in features)
    whitenings = (one, other)
    fits = fit_joint(log_odds, _white(whitenings, features), target, seen[None], seen)
    start = fits.start(choice)[0]
    products = [(each, at) for each in fits.products for at in range(len(each.names))]
    names = [ALONE, *(each.names[at] for each, at in products)]
    added = fits.added(choice, _white(whitenings, choice_features))
    said = [start, *(start + logits for each in added for logits in each[0].unbind(1))]
    best = names.index(only) if only else _least_loss(said, choice_target)
    each, at = products[best - 1 if best else _least_loss(said[1:], choice_target)]
    return JointProbe(
        name=names[best],
        fits=replace(fits, products=(each.only(at),)),
        whitenings=whitenings,
        recalibration=Recalibration.of(said[best], choice_target, half, bound, seed),
    )


def _white(
    whitenings: tuple[Whitenings, Whitenings], features: FeaturePair
) -> tuple[Whitened, Whitened]:
    return whitenings[0](features[0]), whitenings[1](features[1])


def _least_loss(candidates: Sequence[Tensor], target: Tensor) -> int:
    """Return the number of the candidate (n, C) that loses least."""
    every = torch.ones(len(target))
    return int(np.argmin([float(choice_loss(each, target, every)) for each in candidates]))

"""Models that predict one fold, fitted to rows of the others: a probe a source, and a joint probe.

Some rows fit the learners of each source, others fit weights and maps, and others again fit the
products of both sources, for which log-odds must come from learners that have not seen them
(`splits`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modalprism.estimation.features import FeatureMap, Features
from modalprism.estimation.joint import Pair, ProductFits, Whitenings, fit_products
from modalprism.estimation.learners import Fitted, Learner, cheap_learners
from modalprism.estimation.recalibration import Recalibration
from modalprism.estimation.sample import Sample
from modalprism.estimation.splits import CHOICE, JOINT, PROBE, Splits
from modalprism.estimation.stacking import Weights, described, fit_weights
from modalprism.estimation.threads import side_by_side
from modalprism.estimation.trees import Trees, pair_features

FeaturePair = tuple[Features, Features]
USED: Final = 0.01
"""Least part of the weights with which a learner is fitted again to fewer rows."""


@dataclass(frozen=True)
class Level:
    """Fitted weights of several candidates, and a map.

    Attributes
    ----------
    weights : Weights
    recalibration : Recalibration, optional
    parts : Tensor, shape (L,)
        Fraction of the combination that each candidate contributes.
    """

    weights: Weights
    recalibration: Recalibration | None
    parts: Tensor

    @classmethod
    def fitted(
        cls, logits: Tensor, rows: TrainingData, bound: int, seed: int, *, maps: bool
    ) -> Level:
        """Fit them to logits (n, L, C) of rows that the candidates have not seen."""
        target = rows.target
        weights = fit_weights(logits, target, torch.ones(1, len(target)))
        said = weights(logits, 0)
        recalibration = Recalibration.of(said, target, rows.half, bound, seed) if maps else None
        return cls(weights, recalibration, weights.parts(logits)[0])

    def __call__(self, logits: Tensor) -> Tensor:
        """Return log-odds of rows, (n, C)."""
        said = self.weights(logits, 0)
        return self.recalibration(said) if self.recalibration else said


@dataclass(frozen=True)
class Probe:
    """Fitted learners of one source, or of both.

    Attributes
    ----------
    learners : tuple of Learner
    fits : tuple of Fitted
    """

    learners: tuple[Learner, ...]
    fits: tuple[Fitted, ...]

    @classmethod
    def fitted(
        cls, learners: Sequence[Learner], features: Features, target: Tensor, seed: int
    ) -> Probe:
        """Fit every learner to all rows."""
        every = torch.ones(1, len(target))
        fits = tuple(learner.fit(features, target, every, seed) for learner in learners)
        return cls(tuple(learners), fits)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the candidates."""
        return tuple(name for fit in self.fits for name in fit.names)

    def logits(self, features: Features) -> Tensor:
        """Return logits of rows, (n, L, C)."""
        return torch.cat([fit.logits(features)[0] for fit in self.fits], 1)

    def used(self, parts: Tensor) -> tuple[Learner, ...]:
        """Return the learners that have weight, the first if none has."""
        widths = [len(fit.names) for fit in self.fits]
        own = [float(part.sum()) for part in torch.split(parts[: sum(widths)], widths)]
        chosen = tuple(each for each, part in zip(self.learners, own, strict=True) if part >= USED)
        return chosen or self.learners[:1]


@dataclass(frozen=True)
class FoldModel:
    """Model that predicts one fold.

    Attributes
    ----------
    probes : two of Probe
    levels : two of Level
        Of each source's learners.
    alone : two of Level
        The second level of each source, which is as deep as that of both.
    products : ProductFits
    best : int
        The candidate of the products that loses least, for the test of synergy.
    trees : Probe
        Of both sources.
    joint : Level
    """

    probes: tuple[Probe, Probe]
    levels: tuple[Level, Level]
    alone: tuple[Level, Level]
    products: ProductFits
    best: int
    trees: Probe
    joint: Level

    @property
    def described(self) -> tuple[str, str, str]:
        """Names of the learners with weight: of the first source, of the second, and of both."""
        names = ("the first source", "the second", *self.products.names, *self.trees.names)
        return (
            described(self.levels[0].parts, self.probes[0].names),
            described(self.levels[1].parts, self.probes[1].names),
            described(self.joint.parts, names),
        )

    def log_odds(self, features: FeaturePair) -> Pair:
        """Return log-odds of each source at the first level, (n, C) each."""
        one, other = (
            level(probe.logits(each))
            for level, probe, each in zip(self.levels, self.probes, features, strict=True)
        )
        return one, other

    def predict(self, features: FeaturePair, white: Pair) -> Tensor:
        """Return log-odds of rows, (n, 4, C), see `HeldOut`."""
        log_odds = self.log_odds(features)
        inner, products = _joint_inner(log_odds, features, white, self.products, self.trees)
        alone = [level(each[:, None]) for level, each in zip(self.alone, log_odds, strict=True)]
        return torch.stack([*alone, self.joint(inner), products[:, self.best]], 1)


def _joint_inner(
    log_odds: Pair, features: FeaturePair, white: Pair, products: ProductFits, trees: Probe
) -> tuple[Tensor, Tensor]:
    """Return the candidates of both sources, (n, L, C), and the products among them."""
    added = products.logits(log_odds, white)[0]
    inner = [log_odds[0][:, None], log_odds[1][:, None], added]
    if trees.fits:
        inner.append(trees.logits(pair_features(*features)))
    return torch.cat(inner, 1), added


@dataclass(frozen=True)
class FeatureMaps:
    """Features of both sources, fitted to the rows that models learn from.

    Attributes
    ----------
    maps : two of FeatureMap
    whitenings : two of Whitenings
    """

    maps: tuple[FeatureMap, FeatureMap]
    whitenings: tuple[Whitenings, Whitenings]

    def __call__(self, one: Tensor, other: Tensor) -> tuple[FeaturePair, Pair]:
        """Return the features of rows, and their uncorrelated directions."""
        features = self.maps[0](one), self.maps[1](other)
        return features, (self.whitenings[0](features[0]), self.whitenings[1](features[1]))


@dataclass(frozen=True)
class TrainingData:
    """The rows that models are fitted to, in memory.

    Attributes
    ----------
    features : two of Features
        Of m rows.
    white : two of Tensor, shapes (m, W1) and (m, W2)
    widths : two of Tensor, shapes (W1,) and (W2,)
    target : Tensor of float32, shape (m, C)
    fold, role, half : ndarray, shape (m,)
        See `Splits`.
    """

    features: FeaturePair
    white: Pair
    widths: Pair
    target: Tensor
    fold: NDArray[np.int16]
    role: NDArray[np.int8]
    half: NDArray[np.bool_]

    def __len__(self) -> int:
        """Rows."""
        return len(self.fold)

    @classmethod
    def of(cls, sample: Sample, splits: Splits, seed: int) -> tuple[TrainingData, FeatureMaps]:
        """Read the rows that models are fitted to, and fit features to them."""
        index = splits.training

        def fit(number: int) -> tuple[FeatureMap, Features]:
            source = sample.sources[number]
            rows = source.take(index)
            return FeatureMap.fitted(lambda: source.blocks(rows), seed)

        (map_1, one), (map_2, other) = side_by_side(fit, [0, 1])
        whitenings = (Whitenings.of(one), Whitenings.of(other))
        data = cls(
            features=(one, other),
            white=(whitenings[0](one), whitenings[1](other)),
            widths=(whitenings[0].width, whitenings[1].width),
            target=torch.from_numpy(sample.target.rows(index)).float(),
            fold=splits.fold[index],
            role=splits.role[index],
            half=splits.half[index],
        )
        return data, FeatureMaps((map_1, map_2), whitenings)

    def rows(self, kept: NDArray[np.bool_]) -> TrainingData:
        """Return the rows of a mask."""
        which = torch.from_numpy(kept)
        return TrainingData(
            features=(self.features[0].rows(which), self.features[1].rows(which)),
            white=(self.white[0][which], self.white[1][which]),
            widths=self.widths,
            target=self.target[which],
            fold=self.fold[kept],
            role=self.role[kept],
            half=self.half[kept],
        )

    def halved(self) -> TrainingData:
        """Return the same with half of the rows that learners are fitted to, whole groups.

        Rows that fit weights and maps stay: what is compared is how much there is to learn from.
        """
        return self.rows(self.half | (self.role == CHOICE))


def fit_fold(
    data: TrainingData,
    fold: int,
    seed: int,
    *,
    trees: Sequence[Trees],
    like: FoldModel | None = None,
) -> FoldModel:
    """Fit the model of a fold to the rows of all others.

    Parameters
    ----------
    data : TrainingData
    fold : int
    seed : int
    trees : sequence of Trees
    like : FoldModel, optional
        Fitted to more rows: only the learners that have weight there are fitted.
    """
    seen = data.rows(data.fold != fold)
    learning, choice, joint = (seen.rows(seen.role == part) for part in (PROBE, CHOICE, JOINT))
    bound = len(seen)

    def fit(number: int) -> tuple[Probe, Level]:
        width = learning.features[number].components.shape[1]
        learners: Sequence[Learner] = [*cheap_learners(width), *trees]
        if like:
            learners = like.probes[number].used(like.levels[number].parts)
        probe = Probe.fitted(learners, learning.features[number], learning.target, seed)
        said = probe.logits(choice.features[number])
        return probe, Level.fitted(said, choice, bound, seed, maps=False)

    (probe_1, level_1), (probe_2, level_2) = side_by_side(fit, [0, 1])

    def log_odds(rows: TrainingData) -> Pair:
        one, other = rows.features
        return level_1(probe_1.logits(one)), level_2(probe_2.logits(other))

    every = torch.ones(len(joint))
    products = fit_products(
        log_odds(joint), joint.white, data.widths, joint.target, every[None], every
    )
    forest = Probe((), ())
    if trees and not (like and not like.trees.fits):
        pair = pair_features(*learning.features)
        forest = Probe.fitted(trees, pair, learning.target, seed)
    chosen = log_odds(choice)
    inner, added = _joint_inner(chosen, choice.features, choice.white, products, forest)
    start = chosen[0] + chosen[1]
    losses = -(choice.target[:, None] * (start[:, None] + added).log_softmax(-1)).sum((0, 2))

    def level(logits: Tensor) -> Level:
        return Level.fitted(logits, choice, bound, seed, maps=True)

    return FoldModel(
        probes=(probe_1, probe_2),
        levels=(level_1, level_2),
        alone=(level(chosen[0][:, None]), level(chosen[1][:, None])),
        products=products,
        best=int(losses.argmin()),
        trees=forest,
        joint=level(inner),
    )

"""Models of a fold: no fit that predicts a row has seen its target."""

import dataclasses

import numpy as np
import pytest
import torch

from modalprism.estimation.fold_model import TrainingData, fit_fold
from modalprism.estimation.sample import check_sample
from modalprism.estimation.splits import Splits
from modalprism.estimation.streaming import Streaming
from modalprism.estimation.trees import trees_of

TREES = trees_of("thorough", 3, 600)

FOLDS = 3


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=1200)
    sources = {
        name: np.eye(3)[y] @ rng.normal(size=(3, 5)) + rng.normal(size=(1200, 5))
        for name in ("image", "text")
    }
    sample = check_sample(sources, y, None, FOLDS)
    return TrainingData.of(sample, Splits.of(sample, FOLDS, Streaming(), 0), 0)[0]


def predicted(data, fold, trees=()):
    model = fit_fold(data, fold, 0, trees=trees)
    own = data.rows(data.fold == fold)
    return model, model.predict(own.features, own.white)


@pytest.mark.parametrize(("fold", "trees"), [(0, ()), (1, ()), (2, TREES)])
def test_targets_of_a_fold_do_not_change_its_log_odds(data, fold, trees):
    own = torch.from_numpy(data.fold == fold)
    target = data.target.clone()
    target[own] = target[own].roll(1, 1)
    model, before = predicted(data, fold, trees)
    same, after = predicted(dataclasses.replace(data, target=target), fold, trees)
    assert torch.equal(before, after)
    assert model.described == same.described
    _, other = predicted(dataclasses.replace(data, target=target), (fold + 1) % FOLDS)
    assert not torch.equal(predicted(data, (fold + 1) % FOLDS)[1], other)


def test_a_model_like_another_has_its_learners(data):
    model = fit_fold(data, 0, 0, trees=TREES)
    half = fit_fold(data.halved(), 0, 0, trees=TREES, like=model)
    for probe, level, fewer in zip(model.probes, model.levels, half.probes, strict=True):
        assert fewer.learners == probe.used(level.parts)

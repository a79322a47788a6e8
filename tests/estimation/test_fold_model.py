"""The model of a fold has seen nothing of it: neither its answers nor its embeddings."""

import dataclasses

import numpy as np
import pytest
import torch

from modalprism.estimation.fold_model import TrainingData, fit_fold
from modalprism.estimation.sample import check_sample
from modalprism.estimation.splits import Splits
from modalprism.estimation.streaming import Streaming

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
    return TrainingData.of(sample, Splits.of(sample, FOLDS, Streaming(), 0))


def predicted(data, fold):
    model = fit_fold(data, fold, 0)
    one, other = (source.scaled(rows) for source, rows in zip(data.sources, data.rows, strict=True))
    own = torch.from_numpy(data.fold == fold)
    return model, model.predict(one, other)[own]


@pytest.mark.parametrize("fold", range(FOLDS))
def test_answers_of_a_fold_do_not_change_what_is_predicted_for_it(data, fold):
    own = torch.from_numpy(data.fold == fold)
    target = data.target.clone()
    target[own] = target[own].roll(1, 1)
    model, before = predicted(data, fold)
    same, after = predicted(dataclasses.replace(data, target=target), fold)
    assert torch.equal(before, after)
    assert [probe.name for probe in model.probes] == [probe.name for probe in same.probes]
    _, other = predicted(dataclasses.replace(data, target=target), (fold + 1) % FOLDS)
    assert not torch.equal(predicted(data, (fold + 1) % FOLDS)[1], other)


def test_a_model_like_another_has_its_families(data):
    model = fit_fold(data, 0, 0)
    half = fit_fold(data.halved(), 0, 0, like=model)
    assert [probe.name for probe in half.probes] == [probe.name for probe in model.probes]
    assert half.joint.name == model.joint.name

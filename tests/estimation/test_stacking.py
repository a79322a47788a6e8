import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from modalprism.estimation.stacking import described, fit_weights


def loss(logits, target):
    return -(target * torch.log_softmax(logits, -1)).sum(-1).mean().item()


def scores(seed, n=300, classes=3):
    rng = np.random.default_rng(seed)
    target = torch.eye(classes)[rng.integers(classes, size=n)]
    noise = torch.from_numpy(rng.normal(size=(n, 3, classes))).float()
    return torch.stack([target + noise[:, 0], 2 * target + noise[:, 1], noise[:, 2]], 1), target


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6))
def test_a_combination_loses_no_more_than_any_learner(seed):
    logits, target = scores(seed)
    weights = fit_weights(logits, target, torch.ones(1, len(target)))
    assert (weights.weight >= 0).all()
    best = min(loss(logits[:, k], target) for k in range(3))
    assert loss(weights(logits, 0), target) <= best + 1e-3


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_learner_that_points_the_wrong_way_has_no_weight(sign):
    logits, target = scores(0)
    weights = fit_weights(sign * logits, target, torch.ones(1, len(target)))
    assert bool(weights.weight[0, :2].gt(0).all()) == (sign > 0)


def test_rows_that_a_mask_leaves_out_change_nothing():
    logits, target = scores(1)
    mask = (torch.arange(len(target)) % 2).float()[None]
    changed = torch.where(mask[0, :, None] > 0, target, target.roll(1, 1))
    one, other = (fit_weights(logits, each, mask) for each in (target, changed))
    assert torch.equal(one.weight, other.weight)


def test_learners_are_named_by_their_part():
    parts = torch.tensor([0.3, 0.05, 0.65])
    assert described(parts, ("a", "b", "c")) == "c (65%) + a (30%)"
    assert described(torch.zeros(3), ("a", "b", "c")) == "none"

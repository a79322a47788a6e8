"""Nested cross-fitting: no fit that predicts a row has seen its target."""

import numpy as np
import pytest
import torch

from modalprism.estimation import nested
from modalprism.estimation.calibration import fit_nonnegative
from modalprism.estimation.crossfit import CrossFit
from modalprism.estimation.features import FeatureMap
from modalprism.estimation.learners import cheap_learners
from modalprism.estimation.nested import (
    fitted,
    fitted_where_promising,
    joint_candidates,
    level,
)
from modalprism.estimation.recalibration import recalibrate
from modalprism.estimation.trees import trees_of

PLAN = CrossFit.of(np.arange(120) % 4)
TREES = trees_of("thorough", 2, 120)


@pytest.fixture(scope="module")
def blocks():
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=120)
    embeddings = [np.eye(3)[y] @ rng.normal(size=(3, 5)) + rng.normal(size=(120, 5)) for _ in "ab"]
    return embeddings, torch.eye(3)[y]


def features_of(embedding):
    rows = torch.from_numpy(embedding)
    return FeatureMap.fitted(lambda: [rows], 0)[1]


def probed(embedding, target, plan=PLAN, trees=()):
    features = features_of(embedding)
    candidates = fitted(cheap_learners(8), features, target, plan, 0)
    found = level(candidates, target, plan, maps=False)
    if trees:
        more = fitted_where_promising(trees, features, found.nested, target, plan, 0)
        found = level(candidates.with_others(more), target, plan, maps=False)
    return found


def every_probe(embeddings, target, trees, plan=PLAN):
    first, second = (probed(each, target, plan, trees) for each in embeddings)
    features = tuple(map(features_of, embeddings))
    candidates, _ = joint_candidates((first, second), features, target, plan, 0, trees=trees)
    alone = level(first.as_candidate("alone"), target, plan, maps=True)
    return first, second, alone, level(candidates, target, plan, maps=True)


@pytest.mark.parametrize(("left_out", "trees"), [(0, ()), (1, TREES), (3, ())])
def test_targets_of_a_fold_do_not_change_its_log_odds(blocks, left_out, trees):
    embeddings, target = blocks
    rows = left_out == PLAN.which
    changed = target.clone()
    changed[rows] = changed[rows].roll(1, 1)
    for before, after in zip(
        every_probe(embeddings, target, trees), every_probe(embeddings, changed, trees), strict=True
    ):
        assert torch.equal(before.held_out[rows], after.held_out[rows])
        assert torch.equal(before.nested[left_out], after.nested[left_out])
        assert not torch.equal(before.held_out[~rows], after.held_out[~rows])
        assert before.learners[left_out] == after.learners[left_out]


def test_the_second_level_of_a_source_is_as_deep_as_that_of_both(blocks):
    """Where one source is constant, both read no more than the other reads alone."""
    (embedding, _), target = blocks
    _, second, alone, both = every_probe((embedding, np.ones((120, 2))), target, trees=TREES)
    assert bits(second.held_out, target) == pytest.approx(0, abs=1e-6)
    assert 1.2 < bits(both.held_out, target) < bits(alone.held_out, target) + 0.02


def bits(logits, target):
    scores, wanted = logits.double().numpy(), target.double().numpy()
    log_p = fit_nonnegative([scores], wanted).log_probabilities([scores])
    entropy = -(target.mean(0) * target.mean(0).log2()).sum().item()
    return entropy + (target.numpy() * log_p).sum(1).mean() / np.log(2)


def test_a_source_that_excludes_an_answer_is_read_as_a_step():
    # One bit of AND: where it is 0 the answer is sure, where it is 1 open; .311 bit.
    rng = np.random.default_rng(0)
    bit, other = rng.integers(2, size=(2, 1000))
    scores = torch.from_numpy(8.0 * bit + rng.normal(size=1000)).float()
    target = torch.eye(2)[bit & other]
    plan = CrossFit.of(np.arange(1000) % 5)
    nested = torch.stack([-scores, scores], -1).expand(5, -1, -1) / 4
    entropy = -(target.mean(0) * target.mean(0).log2()).sum().item()
    truth = entropy - bit.mean()
    assert bits(nested[0], target) < truth - 0.04
    read = plan.held_out(recalibrate(nested, nested, target, plan)[0])
    assert bits(read, target) == pytest.approx(truth, abs=0.015)


def test_curvature_of_one_embedding_is_read():
    # Exclusive-or of two directions of the same embedding, beside others.
    rng = np.random.default_rng(0)
    x = rng.normal(size=(800, 10))
    signs = rng.choice([-1, 1], size=(800, 2))
    x[:, :2] = 3 * signs + rng.normal(size=(800, 2))
    target = torch.eye(2)[(signs.prod(1) > 0).astype(int)]
    turned = x @ np.linalg.qr(rng.normal(size=(10, 10)))[0]
    probe = probed(turned, target, CrossFit.of(np.arange(800) % 5))
    assert bits(probe.held_out, target) > 0.9


def test_trees_of_one_turn_are_read_with_fewer_rows_as_well(monkeypatch):
    """Else the learning curve takes what the trees read for what more rows would."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 6))
    target = torch.eye(2)[(x[:, 0] * x[:, 1] > 0).astype(int)]
    plan = CrossFit.of(np.arange(600) % 5)
    monkeypatch.setattr(nested, "_promises", lambda *given: given[5] == 0)
    probe = probed(x, target, plan, trees_of("default", 2, 600))
    own = plan.which == 0
    assert "boosted trees" in probe.learners[0]
    assert "boosted trees" not in probe.learners[1]
    fewer = probe.with_fewer_rows(1, plan)
    assert bits(fewer[own], target[own]) > bits(probe.held_out[own], target[own]) - 0.1
    everywhere = plan.which == 1
    assert bits(fewer[everywhere], target[everywhere]) < 0.9


def test_what_fewer_rows_tell_is_not_read_against_the_targets():
    """Ten classes and few rows: maps fitted to scores that saw a row's target unlearn it."""
    rng = np.random.default_rng(0)
    y = rng.permutation(480) % 10
    x = rng.normal(size=(10, 12))[y] + 1.5 * rng.normal(size=(480, 12))
    target = torch.eye(10)[y]
    plan = CrossFit.of(np.arange(480) % 5)
    probe = probed(x, target, plan)
    few = np.arange(360)
    of_few = probed(x[few], target[few], CrossFit.of(few % 5))
    turns = [probe.with_fewer_rows(turn, plan) for turn in range(1, 5)]
    of_fewer = np.mean([bits(logits, target) for logits in turns])  # 288 rows
    assert of_fewer == pytest.approx(bits(of_few.held_out, target[few]), abs=0.1)


def test_a_map_of_many_classes_is_not_learnt_by_heart():
    """Of twenty classes made of two parts a source knows one, and nothing of the other."""
    rng = np.random.default_rng(0)
    n = 1000
    known, other = rng.integers(4, size=n), rng.integers(5, size=n)
    target = torch.eye(20)[known * 5 + other]
    plan = CrossFit.of(np.arange(n) % 5)
    # Log-odds that are right about the known part, and noise about the other.
    right = 2.0 * torch.eye(4)[known].repeat_interleave(5, 1)
    nested = (right + 0.5 * torch.from_numpy(rng.normal(size=(5, n, 20)))).float()
    mapped, _ = recalibrate(nested, nested, target, plan)
    # Of 2 bits these log-odds tell 1.47 as they are, and 1.80 by a map with a weak ridge.
    assert bits(plan.held_out(mapped), target) > 1.84

"""Recalibration by maps that may bend: no noise is taken for knowledge, none of it is lost."""

import math

import numpy as np
import pytest
import torch

from modalprism.estimation.recalibration import Recalibration

N, CLASSES = 12_000, 4


def told(log_p, target):
    """Return the information that rows were told, in bits."""
    prior = target.mean(0)
    entropy = -float((prior * prior.log()).sum())
    return (entropy + float((target * log_p).sum(1).mean())) / math.log(2)


def halves(rng):
    return rng.random(N) < 0.5


@pytest.fixture
def sample():
    """Make log-odds of a source that tells the class of some rows, and of others nothing."""

    def make(seed, sure, noise):
        rng = np.random.default_rng(seed)
        y = rng.integers(CLASSES, size=N)
        says = rng.random(N) < sure
        logits = 6 * np.eye(CLASSES)[y] * says[:, None] + noise * rng.normal(size=(N, CLASSES))
        target = torch.from_numpy(np.eye(CLASSES, dtype=np.float32)[y])
        return torch.from_numpy(logits).float(), target, says, rng

    return make


@pytest.mark.parametrize("seed", range(2))
def test_what_tells_all_or_nothing_is_read_as_such(sample, seed):
    logits, target, says, rng = sample(seed, 0.5, 0.5)
    there, _, _, _ = sample(seed + 10, 0.5, 0.5)
    recalibration = Recalibration.of(logits, target, halves(rng), N, 0)
    truth = 2 * says.mean()
    plain = told(torch.log_softmax(logits, -1), target)
    bent = told(torch.log_softmax(recalibration(logits), -1), target)
    assert plain < truth - 0.05
    assert bent == pytest.approx(truth, abs=0.01)
    # Other rows of the same kind are read as well.
    _, target, says, _ = sample(seed + 10, 0.5, 0.5)
    bent = told(torch.log_softmax(recalibration(there), -1), target)
    assert bent == pytest.approx(2 * says.mean(), abs=0.01)


def test_noise_tells_nothing_however_a_map_may_bend(sample):
    logits, target, _, rng = sample(0, 0.0, 2.0)
    recalibration = Recalibration.of(logits, target, halves(rng), N, 0)
    there, target, _, _ = sample(1, 0.0, 2.0)
    assert told(torch.log_softmax(recalibration(there), -1), target) == pytest.approx(0, abs=2e-3)


def test_what_is_calibrated_stays_as_it_is():
    rng = np.random.default_rng(0)
    log_odds = torch.from_numpy(2 * rng.normal(size=(N, CLASSES))).float()
    p = torch.softmax(log_odds, -1).double().numpy()
    y = (rng.random((N, 1)) > p.cumsum(1)[:, :-1]).sum(1)
    target = torch.from_numpy(np.eye(CLASSES, dtype=np.float32)[y])
    recalibration = Recalibration.of(log_odds, target, halves(rng), N, 0)
    moved = torch.softmax(recalibration(log_odds), -1) - torch.softmax(log_odds, -1)
    assert float(moved.abs().sum(1).mean()) / 2 < 0.02


def test_the_same_seed_gives_the_same_bits(sample):
    logits, target, _, rng = sample(0, 0.5, 0.5)
    half = halves(rng)
    one, other = (Recalibration.of(logits, target, half, N, 3)(logits) for _ in "ab")
    torch.testing.assert_close(one, other, rtol=0, atol=0)

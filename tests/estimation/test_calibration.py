"""Calibrated rows claim what they have: moments match, and confidence does not leak."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import entr, log_softmax

from modalprism.estimation import readout
from modalprism.estimation.calibration import information_difference, matching_distance
from modalprism.estimation.target import Target

LAWS = settings(derandomize=True, deadline=None, max_examples=30)


def calibrate(logits, target):
    stack = readout.calibrate(lambda rows: [logits[rows]], Target.of_rows(target))
    return stack.log_probabilities([logits])


def make(seed, n, classes, signal, *, soft=False):
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(classes), rng.integers(classes, size=n - classes)])
    target = np.eye(classes)[y]
    if soft:
        target = np.exp(log_softmax(2 * target + rng.normal(size=(n, classes)), 1))
    return signal * target + rng.normal(size=(n, classes)), target


@LAWS
@given(
    st.integers(0, 2**31),
    st.integers(30, 200),
    st.integers(2, 6),
    st.floats(-2, 8),
    st.sampled_from([1e-3, 1.0, 1e4]),
    st.booleans(),
)
def test_moments_match(seed, n, classes, signal, scale, soft):
    logits, target = make(seed, n, classes, signal, soft=soft)
    log_p = calibrate(logits * scale, target)
    p = np.exp(log_p)
    assert p.sum(1) == pytest.approx(np.ones(n))
    assert p.mean(0) == pytest.approx(target.mean(0), abs=1e-6)
    loss = -(target * log_p).sum(1).mean()
    assert loss == pytest.approx(entr(p).sum(1).mean(), abs=1e-6)
    # No worse than the class frequencies: the slope 0 is one of the choices.
    assert loss <= entr(target.mean(0)).sum() + 1e-9


@pytest.mark.parametrize("seed", range(3))
def test_a_probe_that_points_the_wrong_way_gives_the_frequencies(seed):
    logits, target = make(seed, 80, 3, -2.0)
    expected = np.tile(np.log(target.mean(0)), (80, 1))
    np.testing.assert_array_equal(calibrate(logits, target), expected)


def test_a_probe_that_says_nothing_gives_the_frequencies():
    _, target = make(0, 80, 3, 0.0)
    p = np.exp(calibrate(np.full((80, 3), 5.0), target))
    np.testing.assert_allclose(p, np.tile(target.mean(0), (80, 1)), atol=1e-12)


@pytest.mark.parametrize("confidence", [0.1, 10])
def test_modesty_and_overconfidence_are_taken_back(confidence):
    logits, target = make(1, 500, 3, 3.0)
    expected = calibrate(logits, target)
    np.testing.assert_allclose(calibrate(logits * confidence, target), expected, atol=1e-5)


def test_calibration_finds_the_true_probabilities():
    rng = np.random.default_rng(0)
    truth = log_softmax(1.5 * rng.normal(size=(20_000, 3)) + [0.5, 0, -0.5], 1)
    draws = (rng.random((20_000, 1)) > np.exp(truth).cumsum(1)[:, :2]).sum(1)
    calibrated = calibrate(truth * 4 + [3, 2, 1], np.eye(3)[draws])
    assert np.abs(np.exp(calibrated) - np.exp(truth)).max() < 0.03


def test_perfect_separation_stays_finite():
    target = np.repeat(np.eye(3), 30, axis=0)
    log_p = calibrate(10 * target, target)
    assert np.isfinite(log_p).all()
    assert -(target * log_p).sum(1).mean() < 1e-4


@LAWS
@given(st.integers(0, 2**31), st.integers(2, 5), st.floats(0, 3))
def test_held_out_rows_have_what_their_posteriors_claim(seed, classes, signal):
    logits, target = make(seed, 60, classes, signal)
    assert information_difference(calibrate(logits, target), target) == pytest.approx(0, abs=1e-5)


def test_probes_that_were_too_sure_are_seen_to_be():
    logits, target = make(0, 400, 3, 1.0)
    fair = calibrate(logits, target)
    sure = log_softmax(4 * fair, axis=1)
    assert information_difference(sure, target) < -0.05
    assert matching_distance(fair, calibrate(fair, target)) < 1e-6
    assert 0.05 < matching_distance(sure, fair) < 1

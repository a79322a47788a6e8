"""Fits that go through blocks are those that have all rows at once."""

import numpy as np
import pytest

from modalprism.estimation import readout
from modalprism.estimation import target as target_module
from modalprism.estimation.calibration import fit_stack
from modalprism.estimation.readout import HeldOut, calibrate, fit_blocks, read_out
from modalprism.estimation.target import check_target


@pytest.fixture
def scored():
    rng = np.random.default_rng(0)
    label = np.arange(900) % 3
    said = [2 * np.eye(3)[label] + rng.normal(size=(900, 3)) * spread for spread in (1, 3, 1, 2)]
    return np.stack(said, 1).astype(np.float32), label


@pytest.mark.parametrize("step", [100, 371, 5000])
def test_all_rows_are_fitted_together(scored, step, monkeypatch):
    monkeypatch.setattr(target_module, "BLOCK_ROWS", step)
    monkeypatch.setattr(readout, "FIRST_ROWS", step)
    logits, label = scored
    target = check_target(label, 900, 5)
    held_out = HeldOut(logits, target)
    kinds = [logits[:, kind].astype(float) for kind in (0, 1)]
    stack = fit_blocks(lambda where: [held_out.scores(where, kind) for kind in (0, 1)], target)
    whole = fit_stack(kinds, np.eye(3)[label])
    np.testing.assert_allclose(stack.slopes, whole.slopes, atol=1e-7)
    single = calibrate(lambda where: [held_out.scores(where, 0)], target)
    whole = fit_stack(kinds[:1], np.eye(3)[label])
    np.testing.assert_allclose(single.slopes, whole.slopes, atol=1e-7)


@pytest.mark.parametrize("step", [100, 371])
def test_blocks_decide_no_atom(scored, step, monkeypatch):
    logits, label = scored
    held_out = HeldOut(logits, check_target(label, 900, 5))
    assert held_out.target.is_one_block
    whole = read_out(held_out, states=50, tol=1e-4, seed=0)
    monkeypatch.setattr(target_module, "BLOCK_ROWS", step)
    parts = read_out(held_out, states=50, tol=1e-4, seed=0)
    np.testing.assert_allclose(parts.value, whole.value, atol=1e-7)
    np.testing.assert_allclose(parts.terms.loss_joint, whole.terms.loss_joint, atol=1e-6)


def test_scores_that_point_the_wrong_way_say_nothing(scored):
    logits, label = scored
    target = check_target(label, 900, 5)
    read = read_out(HeldOut(-logits, target), states=50, tol=1e-4, seed=0)
    assert read.value[4:7] == pytest.approx([0, 0, 0], abs=1e-9)
    assert len(read.coupling.states[0].joint) == 1
    assert read.coupling.loss == 0


def test_moments_match_so_that_rows_have_what_their_posteriors_claim(scored):
    logits, label = scored
    target = check_target(label, 900, 5)
    read = read_out(HeldOut(logits, target), states=100, tol=1e-4, seed=0)
    assert read.difference < 1e-8
    claimed = [states.joint.sum(0) for states in read.coupling.states]
    np.testing.assert_allclose(claimed[0], claimed[1], atol=1e-8)
    assert (read.value[4] > read.value[5:7]).all()

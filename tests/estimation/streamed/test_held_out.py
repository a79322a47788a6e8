"""Fits that go through blocks are those that have all rows at once."""

import numpy as np
import pytest

from modalprism.estimation.calibration import calibrate, fit_stack
from modalprism.estimation.streamed import held_out as held_out_module
from modalprism.estimation.streamed import target as target_module
from modalprism.estimation.streamed.held_out import HeldOut, calibration_of, fit_blocks, read_blocks
from modalprism.estimation.streamed.target import check_streamed_target


@pytest.fixture
def scored():
    rng = np.random.default_rng(0)
    label = np.arange(900) % 3
    said = [2 * np.eye(3)[label] + rng.normal(size=(900, 3)) * spread for spread in (1, 3, 1, 2)]
    return np.stack(said, 1).astype(np.float32), label


@pytest.mark.parametrize("step", [100, 371, 5000])
def test_all_rows_are_fitted_together(scored, step, monkeypatch):
    monkeypatch.setattr(target_module, "BLOCK_ROWS", step)
    monkeypatch.setattr(held_out_module, "FIRST_ROWS", step)
    logits, label = scored
    target = check_streamed_target(label, 900, 5)
    held_out = HeldOut(logits, target)
    kinds = [logits[:, kind].astype(float) for kind in (0, 1)]
    stack = fit_blocks(lambda where: [held_out.scores(where, kind) for kind in (0, 1)], target)
    whole = fit_stack(kinds, np.eye(3)[label])
    np.testing.assert_allclose(stack.slopes, whole.slopes, atol=1e-7)
    np.testing.assert_allclose(
        calibration_of(lambda where: [held_out.scores(where, 0)], target).log_probabilities(
            [kinds[0]]
        ),
        calibrate(kinds[0], np.eye(3)[label]),
        atol=1e-7,
    )


def test_scores_that_point_the_wrong_way_say_nothing(scored):
    logits, label = scored
    target = check_streamed_target(label, 900, 5)
    read = read_blocks(HeldOut(-logits, target), most_states=50, tol=1e-4, seed=0)
    assert read.information == pytest.approx([0, 0, 0], abs=1e-9)
    assert len(read.states[0].joint) == 1
    assert read.coupled.loss == 0


def test_moments_match_so_that_rows_have_what_their_posteriors_claim(scored):
    logits, label = scored
    target = check_streamed_target(label, 900, 5)
    read = read_blocks(HeldOut(logits, target), most_states=100, tol=1e-4, seed=0)
    assert read.difference < 1e-8
    claimed = [states.joint.sum(0) for states in read.states]
    np.testing.assert_allclose(claimed[0], claimed[1], atol=1e-8)
    assert (read.information[2] > read.information[:2]).all()

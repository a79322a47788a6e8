"""States: merging loses no mass, and how much information it loses is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import xlogy

from modalprism.estimation.states import merge_rows

LAWS = settings(derandomize=True, deadline=None, max_examples=20)


def information(joint):
    return (
        xlogy(joint, joint).sum()
        - xlogy(joint.sum(0), joint.sum(0)).sum()
        - xlogy(joint.sum(1), joint.sum(1)).sum()
    )


@LAWS
@given(st.integers(0, 2**31), st.integers(20, 80), st.integers(2, 4), st.integers(2, 100))
def test_mass_is_conserved_and_the_loss_is_the_information_lost(seed, n, classes, most):
    posterior = np.random.default_rng(seed).dirichlet(np.ones(classes), size=n)
    states = merge_rows(posterior, most=most)
    assert len(states.joint) <= max(most, 1)
    assert states.joint.sum(0) == pytest.approx(posterior.mean(0))
    assert np.bincount(states.of_row) / n == pytest.approx(states.joint.sum(1))
    assert states.loss >= 0
    lost = information(posterior / n) - information(states.joint)
    assert states.loss == pytest.approx(lost, abs=1e-9)
    for state in range(len(states.joint)):
        members = posterior[states.of_row == state]
        assert members.sum(0) / n == pytest.approx(states.joint[state])


def test_equal_rows_are_one_state_exactly():
    distinct = np.random.default_rng(0).dirichlet(np.ones(3), size=7)
    states = merge_rows(distinct[np.arange(100) % 7])
    assert len(states.joint) == 7
    assert states.loss == 0
    assert (states.of_row[:7] == states.of_row[7:14]).all()


def test_more_states_lose_less():
    posterior = np.random.default_rng(0).dirichlet(np.ones(3), size=500)
    losses = [merge_rows(posterior, most=most).loss for most in (2, 8, 32, 128, 500)]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > 0.05
    assert losses[3] < 0.005
    assert losses[4] == 0

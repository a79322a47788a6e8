"""States: merging loses no mass, and how much information it loses is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import rel_entr, xlogy

from modalprism.estimation import states
from modalprism.estimation.atoms import couple
from modalprism.estimation.states import merge_blocks, merge_rows
from modalprism.pid import mutual_information, solve_union_information

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
    merged = merge_rows(posterior, most=most)
    assert len(merged.joint) <= max(most, 1)
    assert merged.joint.sum(0) == pytest.approx(posterior.mean(0))
    assert np.bincount(merged.of_row) / n == pytest.approx(merged.joint.sum(1))
    assert merged.loss >= 0
    lost = information(posterior / n) - information(merged.joint)
    assert merged.loss == pytest.approx(lost, abs=1e-9)
    for state in range(len(merged.joint)):
        members = posterior[merged.of_row == state]
        assert members.sum(0) / n == pytest.approx(merged.joint[state])


def test_equal_rows_are_one_state_exactly():
    distinct = np.random.default_rng(0).dirichlet(np.ones(3), size=7)
    merged = merge_rows(distinct[np.arange(100) % 7], most=300)
    assert len(merged.joint) == 7
    assert merged.loss == 0
    assert (merged.of_row[:7] == merged.of_row[7:14]).all()


def test_more_states_lose_less():
    posterior = np.random.default_rng(0).dirichlet(np.ones(3), size=500)
    losses = [merge_rows(posterior, most=most).loss for most in (2, 8, 32, 128, 500)]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > 0.05
    assert losses[3] < 0.005
    assert losses[4] == 0


def posteriors(rng, n, classes, sharpness):
    """Rows of p(y|x) of two sources with one p(y)."""
    first, second = (rng.dirichlet(np.full(classes, sharpness), size=n) for _ in "ab")
    for _ in range(2000):  # bring the second to the first's p(y)
        second *= first.mean(0) / second.mean(0)
        second /= second.sum(1, keepdims=True)
    return first, second


def in_blocks(rows, step):
    return lambda: (rows[start : start + step] for start in range(0, len(rows), step))


@settings(derandomize=True, deadline=None, max_examples=30)
@given(
    st.integers(0, 2**31),
    st.integers(2, 4),
    st.integers(6, 24),
    st.integers(2, 6),
    st.sampled_from([0.2, 1.0, 5.0]),
)
def test_bounds_of_the_states_hold_for_all_rows(seed, classes, n, most, sharpness):
    first, second = posteriors(np.random.default_rng(seed), n, classes, sharpness)
    exact = {"tol": 1e-7, "max_iter": 20_000}
    rows = solve_union_information(first / n, second / n, **exact)
    both = [merge_blocks(in_blocks(each, 5), n, most=most) for each in (first, second)]
    merged = solve_union_information(*(each.joint for each in both), **exact)
    loss = both[0].loss + both[1].loss
    assert merged.lower <= rows.upper + 1e-7
    assert rows.lower <= merged.upper + loss + 1e-7
    for each, of_rows in zip(both, (first, second), strict=True):
        lost = mutual_information(of_rows / n) - mutual_information(each.joint)
        assert each.loss >= 0
        assert each.loss == pytest.approx(lost, abs=1e-12)


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_blocks_decide_nothing(step):
    rows, _ = posteriors(np.random.default_rng(0), 500, 3, 1.0)
    whole, parts = (merge_blocks(in_blocks(rows, each), 500, most=20) for each in (500, step))
    np.testing.assert_array_equal(whole.of_row, parts.of_row)
    np.testing.assert_allclose(whole.joint, parts.joint, atol=1e-15)
    assert parts.loss == pytest.approx(whole.loss, abs=1e-14)
    conditional = parts.joint / parts.joint.sum(1, keepdims=True)
    divergence = rel_entr(rows, conditional[parts.of_row]).sum() / len(rows)
    assert parts.loss == pytest.approx(divergence, abs=1e-13)


def test_equal_posteriors_lose_nothing():
    distinct = np.random.default_rng(0).dirichlet(np.ones(4), size=9)
    merged = merge_blocks(in_blocks(distinct[np.arange(300) % 9], 50), 300, most=9)
    assert merged.joint.shape == (9, 4)
    assert merged.loss == 0
    assert couple((merged, merged), tol=1e-4).merge_correction == 0


def test_few_rows_that_say_where_states_lie_lose_hardly_more(monkeypatch):
    rows, _ = posteriors(np.random.default_rng(1), 2000, 4, 1.0)
    whole = merge_rows(rows, most=50)
    monkeypatch.setattr(states, "SAMPLE", 1000)
    some = merge_blocks(in_blocks(rows, 300), 2000, most=50)
    assert whole.loss < some.loss <= 1.2 * whole.loss


def test_states_without_rows_are_left_out():
    rows = np.repeat(np.eye(3), 10, axis=0)
    merged = merge_blocks(in_blocks(rows, 4), 30, most=100)
    assert merged.joint.shape == (3, 3)
    np.testing.assert_allclose(merged.joint.sum(1), 1 / 3)

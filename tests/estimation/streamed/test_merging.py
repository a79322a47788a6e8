"""What merging loses is exact, and bounds what the union information of all rows may be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modalprism.estimation.atoms import couple_states
from modalprism.estimation.states import States, merge_rows
from modalprism.estimation.streamed.merging import divergence_lost, merge_blocks
from modalprism.pid import mutual_information, solve_union_information


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
    states = [merge_blocks(in_blocks(each, 5), n, most=most) for each in (first, second)]
    merged = solve_union_information(*(each.joint for each in states), **exact)
    loss = states[0].loss + states[1].loss
    assert merged.lower <= rows.upper + 1e-7
    assert rows.lower <= merged.upper + loss + 1e-7
    for each, of_rows in zip(states, (first, second), strict=True):
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
    assert parts.loss == pytest.approx(divergence_lost(rows, parts), abs=1e-13)


def test_equal_posteriors_lose_nothing():
    distinct = np.random.default_rng(0).dirichlet(np.ones(4), size=9)
    states = merge_blocks(in_blocks(distinct[np.arange(300) % 9], 50), 300, most=9)
    assert states.joint.shape == (9, 4)
    assert states.loss == 0
    assert couple_states((states, states), tol=1e-4).regained == 0


def test_more_states_lose_less_and_no_more_than_merging_in_memory():
    rows, _ = posteriors(np.random.default_rng(1), 2000, 4, 1.0)
    losses = [merge_blocks(in_blocks(rows, 300), 2000, most=most).loss for most in (5, 50, 500)]
    assert losses == sorted(losses, reverse=True)
    assert losses[1] <= 1.2 * merge_rows(rows, most=50).loss


def test_states_without_rows_are_left_out():
    rows = np.repeat(np.eye(3), 10, axis=0)
    states = merge_blocks(in_blocks(rows, 4), 30, most=100)
    assert isinstance(states, States)
    assert states.joint.shape == (3, 3)
    np.testing.assert_allclose(states.joint.sum(1), 1 / 3)

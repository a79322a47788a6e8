"""What is expected grows with the problem, and decides what auto takes."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modalprism.pid import cost, decompose

SIDES = st.integers(1, 3_000)
LAWS = settings(derandomize=True, deadline=None, max_examples=60)


@LAWS
@given(SIDES, SIDES, st.integers(1, 50), st.floats(1e-9, 1e-2))
def test_a_larger_or_finer_problem_takes_longer(n1, n2, n_classes, tol):
    for seconds in (cost.newton_seconds, cost.ipfp_seconds):
        least = seconds(n1, n2, n_classes, tol)
        assert 0 < least < math.inf
        assert seconds(2 * n1, n2, n_classes, tol) >= least
        assert seconds(n1, n2, 2 * n_classes, tol) >= least
        assert seconds(n1, n2, n_classes, tol / 2) >= least


@LAWS
@given(SIDES, SIDES, st.integers(1, 50), st.floats(1e-9, 1e-2))
def test_which_source_comes_first_does_not_matter(n1, n2, n_classes, tol):
    assert cost.cheapest(n1, n2, n_classes, tol) == cost.cheapest(n2, n1, n_classes, tol)


@pytest.mark.parametrize(
    ("shape", "tol", "batch", "solver"),
    [
        ((2, 2, 2), 1e-9, 1, "newton"),
        ((50, 50, 10), 1e-9, 1, "newton"),
        ((2_000, 2_000, 10), 1e-3, 1, "ipfp"),
        ((20, 20, 10), 1e-4, 1_000, "ipfp"),
        ((20, 20, 10), 1e-9, 1_000, "newton"),
    ],
)
def test_what_auto_takes(shape, tol, batch, solver):
    assert cost.cheapest(*shape, tol, batch) == solver


def test_auto_takes_it(random_joint):
    joint = random_joint(0, (12, 12, 4))
    assert decompose(joint, tol=1e-8).solver == "newton"
    assert decompose(random_joint(0, (200, 200, 6)), tol=1e-2).solver == "ipfp"


def test_a_factor_that_is_too_large_is_never_cheaper():
    assert cost.factorisation_seconds(1_000, 1_000, 10) == math.inf
    assert math.isfinite(cost.newton_seconds(1_000, 1_000, 10, 1e-6))

"""Every gate whose atoms are known, within the gap that the result itself reports."""

import math

import numpy as np
import pytest

from modalprism.pid import decompose, solve_union_information

ROUNDING = 1e-6  # the file gives six decimals


def test_bounds_bracket_the_known_union_information(gate):
    joint, bits = gate
    d = decompose(joint)
    truth = bits["I"] - bits["S"]
    assert d.lower - ROUNDING <= truth <= d.upper + ROUNDING
    assert d.converged
    assert 0 <= d.gap <= 1e-6


def test_atoms_are_right_within_the_gap(gate):
    joint, bits = gate
    d = decompose(joint)
    within = d.gap + ROUNDING
    assert d.redundancy == pytest.approx(bits["R"], abs=within)
    assert d.unique == pytest.approx((bits["U1"], bits["U2"]), abs=within)
    assert d.synergy == pytest.approx(bits["S"], abs=within)
    assert d.information == pytest.approx(bits["I"], abs=ROUNDING)


def test_contribution_is_undetermined_exactly_when_nothing_is_unique(gate):
    joint, bits = gate
    contribution = decompose(joint).contribution
    if bits["U1"] + bits["U2"] == 0:
        assert all(map(math.isnan, contribution))
    else:
        expected = bits["U1"] / (bits["U1"] + bits["U2"])
        assert contribution[0] == pytest.approx(expected, abs=1e-5)
        assert sum(contribution) == pytest.approx(1)


@pytest.mark.parametrize("max_iter", [1, 2, 3, 5, 10])
def test_bounds_hold_however_early_the_run_stops(gate, max_iter):
    joint, bits = gate
    union = solve_union_information(joint.sum(1), joint.sum(0), tol=1e-14, max_iter=max_iter)
    truth = (bits["I"] - bits["S"]) * np.log(2)
    assert union.lower - ROUNDING <= truth <= union.upper + ROUNDING
    assert union.lower <= union.upper
    assert union.iterations <= max_iter

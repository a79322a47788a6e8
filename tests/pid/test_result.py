"""What a result says of itself."""

import dataclasses
import math

import numpy as np
import pytest

from modalprism.pid import decompose, decompose_marginals, solve_union_information
from modalprism.pid.result import Decomposition
from modalprism.pid.stopping import Reason


@pytest.fixture
def exclusive_or():
    joint = np.zeros((2, 2, 2))
    joint[0, 0, 0] = joint[0, 1, 1] = joint[1, 0, 1] = joint[1, 1, 0] = 1
    return joint


def test_results_are_immutable(exclusive_or):
    d = decompose(exclusive_or)
    union = solve_union_information(
        exclusive_or.sum(1) / 4, exclusive_or.sum(0) / 4, tol=1e-6, max_iter=5
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        d.lower = 0.0
    with pytest.raises(AttributeError):
        d.redundancy = 0.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        union.lower = 0.0


def test_table_names_the_unit_the_gap_and_what_is_undetermined(exclusive_or):
    text = str(decompose(exclusive_or))
    assert repr(decompose(exclusive_or)) == text
    assert "bit" in text
    assert "gap" in text
    assert text.count("undetermined") == 2
    assert "-0.000000" not in text
    assert "synergy        1.000000" in text


def test_table_says_when_synergy_is_unknown():
    same = np.eye(2) / 2
    assert str(decompose_marginals(same, same)).count("unknown") == 2


def test_contribution_is_determined_only_beyond_the_error_of_both_unique_atoms():
    def result(gap):
        return Decomposition(
            information=1.0,
            marginal_information=(0.3, 0.2),
            lower=0.4 - gap,
            upper=0.4,
            stopped=Reason.CONVERGED,
            solver="ipfp",
            iterations=1,
            unit="bit",
        )

    assert result(0.1).contribution == pytest.approx((2 / 3, 1 / 3))
    assert all(map(math.isnan, result(0.16).contribution))
    assert result(0.1).share == pytest.approx((0.55, 0.45))

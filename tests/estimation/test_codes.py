"""Codes of a representation, so that it can be a target."""

import numpy as np
import pytest

from modalprism.errors import InputError
from modalprism.estimation.codes import code_states, half_and_double

RNG = np.random.default_rng(0)


def test_codes_find_what_lies_apart():
    kind = RNG.integers(4, size=600)
    codes = code_states(20 * np.eye(4)[kind] + RNG.normal(size=(600, 4)))
    assert codes.max() + 1 == 4
    assert len(set(zip(kind.tolist(), codes.tolist(), strict=True))) == 4


@pytest.mark.parametrize(("n", "count"), [(60, 2), (450, 3), (3000, 12)])
def test_the_number_of_codes_grows_with_the_rows(n, count):
    codes = code_states(RNG.normal(size=(n, 3)))
    assert codes.max() + 1 == count
    assert np.bincount(codes).min() >= 20


def test_a_rare_code_joins_another():
    states = np.concatenate([RNG.normal(size=(590, 2)), 100 + RNG.normal(size=(10, 2))])
    codes = code_states(states)
    assert np.bincount(codes).min() >= 20
    np.testing.assert_array_equal(codes, code_states(states))


@pytest.mark.parametrize("codes", [2, 6, 30])
def test_the_number_of_codes_may_be_named(codes):
    found = code_states(RNG.uniform(size=(1500, 1)), codes=codes)
    assert found.max() + 1 == codes


def test_there_are_no_more_codes_than_different_states():
    states = np.repeat(RNG.normal(size=(3, 4)), 200, axis=0)
    assert code_states(states, codes=12).max() + 1 == 3


@pytest.mark.parametrize("codes", [0, 1, 6])
def test_codes_that_cannot_be_made_are_refused(codes):
    with pytest.raises(InputError, match=f"100 rows cannot be put into {codes} codes"):
        code_states(RNG.normal(size=(100, 2)), codes=codes)


@pytest.mark.parametrize(
    ("n", "others"),
    [
        (50, {}),
        (60, {"double": 3}),
        (450, {"half": 2, "double": 6}),
        (5000, {"half": 6, "double": 24}),
    ],
)
def test_half_and_double_stay_within_what_can_be_made(n, others):
    assert half_and_double(n) == others


@pytest.mark.parametrize(
    ("states", "message"),
    [
        (np.ones((100, 3)), "the same in every row: nothing to code"),
        (np.full((100, 3), np.nan), "must be finite rows"),
        (np.ones(100), r"finite rows \(n, d\), not \(100,\)"),
        (RNG.normal(size=(25, 2)), "25 rows do not fall into codes"),
    ],
)
def test_states_are_refused(states, message):
    with pytest.raises(InputError, match=message):
        code_states(states)

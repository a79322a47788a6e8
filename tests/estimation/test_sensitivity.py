"""How much the number of codes decides."""

from functools import partial

import numpy as np
import pytest

import modalprism as mp
from modalprism.errors import InputError
from modalprism.estimation.codes import code_states
from modalprism.estimation.sensitivity import code_sensitivity

FAST = {"estimator": "codebook", "replicates": 20, "permutations": 9}


@pytest.fixture(scope="module")
def sample():
    """Two sources of four symbols each, and a little noise for the fused state."""
    rng = np.random.default_rng(0)
    one, other = rng.integers(4, size=(2, 900))
    sources = {"image": one[:, None], "text": other[:, None]}
    noise = 0.01 * rng.normal(size=(900, 3))
    return sources, one, other, noise


def far_and_near(one, other):
    """Few codes tell half of the first source, more of them all of the second."""
    return np.c_[10.0 * (one % 2), other, 0 * one]


def sensitivity(sources, states, **options):
    ask = partial(mp.analyze, sources, **FAST)
    return code_sensitivity(ask(code_states(states)), states, ask, **options)


def test_where_one_source_has_it_all_the_number_of_codes_decides_nothing(sample):
    sources, one, _, noise = sample
    angle = np.pi * one / 2
    found = sensitivity(sources, np.c_[np.cos(angle), np.sin(angle), 0 * angle] + noise)
    assert found["code_sensitivity"].value < 0.05
    assert found["information_half_codes"].value < found["information_double_codes"].value


@pytest.mark.slow
def test_where_finer_codes_tell_of_the_other_source_they_decide_much(sample):
    sources, one, other, noise = sample
    states = far_and_near(one, other) + noise
    found = sensitivity(sources, states)
    assert found["code_sensitivity"].value > 0.1


@pytest.mark.slow
def test_the_largest_move_of_any_fraction_is_reported(sample):
    sources, one, other, noise = sample
    states = far_and_near(one, other) + noise
    ask = partial(mp.analyze, sources, **FAST)

    def parts(codes):
        a = ask(code_states(states, codes=codes))
        return np.array(
            [
                fraction.value
                for fraction in (a.redundancy_fraction, *a.unique_fraction, a.synergy_fraction)
            ]
        )

    expected = max(np.abs(parts(6) - parts(codes)).max() for codes in (3, 12))
    assert sensitivity(sources, states)["code_sensitivity"].value == pytest.approx(expected)


@pytest.mark.slow
def test_it_is_undetermined_where_there_is_no_information(sample):
    sources, *_ = sample
    states = np.random.default_rng(3).normal(size=(900, 3))
    found = sensitivity(sources, states)
    assert str(found["code_sensitivity"]) == "undetermined"
    assert "information_half_codes" in found


def test_a_coding_that_cannot_be_analysed_is_left_out(sample):
    sources, one, _, noise = sample
    states = np.eye(3)[one % 3] + noise
    ask = partial(mp.analyze, sources, **FAST)

    def refuse(_codes):
        raise InputError("too few rows")

    found = code_sensitivity(ask(code_states(states)), states, refuse)
    assert list(found) == ["code_sensitivity"]
    assert not found["code_sensitivity"].determined

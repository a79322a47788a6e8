"""Redrawn pairs: functions of two inputs, whose decompositions are known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import entr, expit

from modalprism.errors import InputError
from modalprism.estimation.redrawn import analyze_redrawn

LAWS = settings(derandomize=True, deadline=None, max_examples=10)
NAMES = ("image", "text")


def binary(log_odds):
    return np.stack([expit(-log_odds), expit(log_odds)], 1)


def numbers(a):
    return [a.redundancy.value, *(part.value for part in a.unique), a.synergy.value]


@LAWS
@given(st.integers(0, 2**31), st.integers(2, 4), st.floats(0, 5))
def test_atoms_add_up_and_swapping_swaps_the_labels(circle, spell, seed, classes, strength):
    rng = np.random.default_rng(seed)
    first, second = circle(30, 8)
    scores = sum(rng.normal(size=(30, classes))[code] * strength for code in (first, second))
    p = np.exp(scores + rng.normal(size=scores.shape))
    p /= p.sum(1, keepdims=True)
    a = analyze_redrawn(p, first, second, modalities=NAMES, replicates=20)
    assert sum(numbers(a)) == pytest.approx(a.information.value, abs=1e-9)
    for unique, marginal in zip(a.unique, a.marginal_information, strict=True):
        assert a.redundancy.value + unique.value == pytest.approx(marginal.value, abs=1e-9)
    b = analyze_redrawn(p, second, first, modalities=NAMES[::-1], replicates=20)
    assert b.modalities == ("text", "image")
    assert spell(a) == spell(b)


def test_a_model_that_only_reads_its_first_input(circle):
    first, second = circle()
    p = binary(3 * np.random.default_rng(0).normal(size=80))[first]
    a = analyze_redrawn(p, first, second, modalities=NAMES, replicates=200)
    known = (entr(p.mean(0)).sum() - entr(p).sum(1).mean()) / math.log(2)
    assert a.information.value == pytest.approx(known)
    assert numbers(a) == pytest.approx([0, known, 0, 0], abs=0.02)
    assert a.contribution[0].value == pytest.approx(1, abs=0.02)
    assert a.contribution[0].low > 0.9
    assert a.estimator == "model"


def test_a_model_that_compares_its_inputs(circle):
    rng = np.random.default_rng(1)
    first, second = circle()
    left, right = rng.permutation(80) % 2, rng.permutation(80) % 2
    p = binary(np.where(left[first] == right[second], 6.0, -6.0))
    a = analyze_redrawn(p, first, second, modalities=NAMES, replicates=200)
    assert numbers(a) == pytest.approx([0, 0, 0, 0.98], abs=0.04)
    assert not a.contribution[0].determined


def test_a_model_that_reads_each_input_for_one_bit_of_its_answer(circle):
    rng = np.random.default_rng(2)
    first, second = circle()
    left, right = rng.permutation(80) % 2, rng.permutation(80) % 2
    p = 0.996 * np.eye(4)[2 * left[first] + right[second]] + 0.001
    a = analyze_redrawn(p, first, second, modalities=NAMES, replicates=200)
    assert numbers(a) == pytest.approx([0, 1, 1, 0], abs=0.08)
    assert a.contribution[0].value == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("seed", range(3))
def test_the_bias_of_few_draws_is_taken_away(circle, seed):
    rng = np.random.default_rng(seed)
    first, second = circle(40, 10)
    p = rng.dirichlet(np.ones(3), size=400)
    naive = []
    for code in (first, second):
        mean = np.stack([p[code == value].mean(0) for value in range(40)])
        naive.append((entr(mean.mean(0)).sum() - entr(mean).sum(1).mean()) / math.log(2))
    a = analyze_redrawn(p, first, second, modalities=NAMES, replicates=50)
    found = [marginal.value for marginal in a.marginal_information]
    # With 10 partners of 39 a part of the noise is the function itself.
    assert found == pytest.approx([0, 0], abs=0.03)
    assert sum(map(abs, found)) < sum(naive) / 2
    assert a.information.value == pytest.approx(0.38, abs=0.05)


def test_a_design_that_repeats_itself_does_not_fool_the_correction(circle):
    """Every other input is alike: halves by turns would hold one kind of partner each."""
    first, second = circle(80, 20)
    a = analyze_redrawn(
        binary(np.where(second % 2 == 0, 4.0, -4.0)), first, second, modalities=NAMES, replicates=20
    )
    assert numbers(a) == pytest.approx([0, 0, a.information.value, 0], abs=0.05)


def test_an_input_that_never_changes_is_warned_of(circle):
    first, second = circle()
    p = binary(np.where(first % 2 == 0, 4.0, -4.0))
    a = analyze_redrawn(p, first, 0 * second, modalities=NAMES, replicates=20)
    assert numbers(a) == pytest.approx([0, a.information.value, 0, 0], abs=0.02)
    (caution,) = a.cautions
    assert caution.startswith(f"every run has the same {NAMES[1]}, so it has no information")
    assert analyze_redrawn(p, first, second, modalities=NAMES, replicates=20).cautions == ()


def test_all_pairs_need_no_correction():
    first, second = (side.ravel() for side in np.indices((20, 20)))
    p = np.random.default_rng(3).dirichlet(np.ones(3), size=400)
    a = analyze_redrawn(p, first, second, modalities=NAMES, replicates=20)
    for code, found in zip((first, second), a.marginal_information, strict=True):
        mean = np.stack([p[code == value].mean(0) for value in range(20)])
        known = (entr(mean.mean(0)).sum() - entr(mean).sum(1).mean()) / math.log(2)
        assert found.value == pytest.approx(known, abs=1e-9)


def test_base_only_rescales(circle):
    first, second = circle(30, 8)
    p = binary(np.random.default_rng(0).normal(size=240))
    bits, nats = (
        analyze_redrawn(p, first, second, modalities=NAMES, base=base, replicates=20)
        for base in (2, math.e)
    )
    assert numbers(nats) == pytest.approx([math.log(2) * x for x in numbers(bits)])
    assert nats.unit == "nat"


def test_a_model_that_is_sure_stays_finite(circle):
    first, second = circle(20, 6)
    p = np.eye(2)[np.random.default_rng(0).permutation(20)[first] % 2]
    a = analyze_redrawn(p, first, second, modalities=NAMES, replicates=20)
    assert a.unique[0].value == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"probability": np.full((180, 2), 0.4)}, "must be finite, >= 0 and sum to 1"),
        ({"probability": np.full((180, 2), np.nan)}, "must be finite, >= 0 and sum to 1"),
        ({"probability": np.tile([-0.5, 1.5], (180, 1))}, "must be finite, >= 0 and sum to 1"),
        ({"probability": np.full((180, 2), "a")}, "probabilities are <U1, not numbers"),
        ({"probability": np.full((179, 2), 0.5)}, r"one row per run; got \(179, 2\)"),
        ({"probability": np.full(180, 0.5)}, r"one row per run; got \(180,\)"),
        ({"first": np.arange(180)}, "some image was run with one text only; .*two partners"),
        ({"second": np.arange(180)}, "some text was run with one image only"),
    ],
)
def test_what_cannot_be_used_is_refused(circle, change, message):
    first, second = circle(30, 6)
    good = {"probability": np.full((180, 2), 0.5), "first": first, "second": second}
    with pytest.raises(InputError, match=message):
        analyze_redrawn(**(good | change), modalities=NAMES)

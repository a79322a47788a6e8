"""Identities that hold for every table, within the gap."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from modalprism.pid import (
    GATES,
    decompose,
    decompose_marginals,
    entropy,
    mutual_information,
    solve_union_information,
)

LAWS = settings(derandomize=True, deadline=None, max_examples=40)
FAST = {"tol": 1e-4, "max_iter": 300}
SOLVERS = pytest.mark.parametrize("solver", ["newton", "ipfp"])


@st.composite
def joints(draw, max_side=4):
    """Counts with many zeros: unused symbols, deterministic targets and single classes occur."""
    shape = tuple(draw(st.integers(1, max_side)) for _ in range(3))
    counts = draw(hnp.arrays(np.int64, shape, elements=st.integers(0, 6)))
    counts[tuple(draw(st.integers(0, side - 1)) for side in shape)] += 1
    return counts


def assert_same(first, second, *, swapped=False):
    """Check that two decompositions agree within their gaps."""
    within = first.gap + second.gap + 1e-12
    unique = second.unique[::-1] if swapped else second.unique
    assert first.redundancy == pytest.approx(second.redundancy, abs=within)
    assert first.unique == pytest.approx(unique, abs=within)
    assert first.synergy == pytest.approx(second.synergy, abs=within)
    assert first.information == pytest.approx(second.information, abs=1e-12)


@SOLVERS
@LAWS
@given(joints())
def test_atoms_add_up(solver, joint):
    d = decompose(joint, **FAST, solver=solver)
    assert d.redundancy + sum(d.unique) + d.synergy == pytest.approx(d.information, abs=1e-12)
    for m in (0, 1):
        marginal = mutual_information(joint.sum(1 - m) / joint.sum()) / math.log(2)
        assert d.redundancy + d.unique[m] == pytest.approx(marginal, abs=1e-12)
        assert d.marginal_information[m] == pytest.approx(marginal, abs=1e-12)
    assert d.lower <= d.upper == d.union_information
    # The union information lies between the larger marginal information and the joint one.
    assert d.upper >= max(d.marginal_information) - 1e-12
    assert d.lower <= d.information + 1e-12


@SOLVERS
@LAWS
@given(joints())
def test_swapping_the_sources_swaps_the_labels(solver, joint):
    swapped = decompose(joint.transpose(1, 0, 2), **FAST, solver=solver)
    assert_same(decompose(joint, **FAST, solver=solver), swapped, swapped=True)


@SOLVERS
@LAWS
@given(joints(), st.integers(0, 2**31))
def test_names_of_symbols_do_not_matter(solver, joint, seed):
    rng = np.random.default_rng(seed)
    relabelled = joint[np.ix_(*(rng.permutation(side) for side in joint.shape))]
    assert_same(
        decompose(joint, **FAST, solver=solver), decompose(relabelled, **FAST, solver=solver)
    )


@SOLVERS
@LAWS
@given(joints())
def test_unused_symbols_change_nothing(solver, joint):
    padded = np.pad(joint, ((1, 0), (0, 2), (1, 1)))
    first = decompose(joint, **FAST, solver=solver)
    second = decompose(padded, **FAST, solver=solver)
    assert_same(first, second)
    assert first.iterations == second.iterations


@LAWS
@given(joints(), st.floats(0.01, 100))
def test_counts_and_probabilities_are_the_same(joint, factor):
    assert_same(decompose(joint, **FAST), decompose(joint * factor, **FAST))


@LAWS
@given(joints())
def test_both_doors_agree(joint):
    first = decompose(joint, **FAST)
    second = decompose_marginals(joint.sum(1), joint.sum(0), first.information, **FAST)
    assert_same(first, second)
    without = decompose_marginals(joint.sum(1), joint.sum(0), **FAST)
    assert without.synergy is None
    assert without.information is None
    assert without.unique == second.unique
    assert all(map(math.isnan, without.share))


@LAWS
@given(hnp.arrays(np.int64, (4, 3), elements=st.integers(0, 6)).filter(lambda t: t.sum() > 0))
def test_sources_alike_have_nothing_unique(table):
    d = decompose_marginals(table, table, tol=1e-5, max_iter=2000)
    assert all(-1e-12 <= unique <= d.gap + 1e-12 for unique in d.unique)
    assert all(map(math.isnan, d.contribution))


@pytest.mark.parametrize("seed", range(4))
def test_a_target_apart_from_the_sources_has_no_atoms(random_joint, seed):
    sources = random_joint(seed, (4, 5, 1), zeros=0.3)
    target = random_joint(seed + 10, (1, 1, 3))
    d = decompose(sources * target)
    assert [d.redundancy, *d.unique, d.synergy] == pytest.approx([0] * 4, abs=1e-12)
    assert d.gap <= 1e-12
    assert d.solver == "closed form"
    assert d.iterations == 0


def test_one_class_has_no_information(random_joint):
    d = decompose(random_joint(0, (4, 5, 1)))
    assert [d.redundancy, *d.unique, d.synergy] == pytest.approx([0] * 4, abs=1e-12)
    assert all(map(math.isnan, d.share))


def test_a_target_that_copies_one_source_is_its_own():
    joint = np.zeros((4, 3, 4))
    joint[np.arange(4), :, np.arange(4)] = np.outer([1, 2, 3, 4], [0.2, 0.3, 0.5])
    d = decompose(joint)
    assert d.unique == pytest.approx((entropy(np.array([1, 2, 3, 4]) / 10) / math.log(2), 0))
    assert d.contribution == pytest.approx((1, 0))
    assert d.share == pytest.approx((1, 0))


@pytest.mark.parametrize(("base", "unit"), [(math.e, "nat"), (10, "base-10"), (2.5, "base-2.5")])
def test_base_only_rescales(random_joint, base, unit):
    joint = random_joint(1, (3, 3, 3))
    bits = decompose(joint, tol=1e-6)
    other = decompose(joint, base=base, tol=1e-6 / math.log2(base))
    factor = math.log2(base)
    assert bits.unit == "bit"
    assert other.unit == unit
    assert other.iterations == bits.iterations
    for name in ("redundancy", "synergy", "information", "lower", "upper", "gap"):
        expected = pytest.approx(getattr(bits, name), abs=1e-12)
        assert getattr(other, name) * factor == expected
    assert other.contribution == pytest.approx(bits.contribution)
    assert other.share == pytest.approx(bits.share)


def test_information_is_in_the_unit_of_the_base(random_joint):
    joint = random_joint(1, (3, 3, 3))
    d = decompose_marginals(joint.sum(1), joint.sum(0), 0.25, base=10)
    assert d.information == pytest.approx(0.25)


def test_synergy_may_be_negative_where_information_is_an_estimate():
    same = np.eye(2) / 2
    d = decompose_marginals(same, same, 0.9)
    assert d.synergy == pytest.approx(-0.1)
    assert d.redundancy + sum(d.unique) + d.synergy == pytest.approx(0.9)


def test_not_reaching_the_gap_is_reported(random_joint):
    d = decompose(random_joint(0, (20, 20, 5)), tol=1e-9, max_iter=3)
    assert not d.converged
    assert d.gap > 1e-9
    assert d.iterations == 3
    assert "not converged" in str(d)


def test_the_result_is_the_same_every_time(random_joint):
    joint = random_joint(4, (8, 9, 4))
    first, second = decompose(joint), decompose(joint)
    assert dataclasses.asdict(first) == dataclasses.asdict(second)


def test_input_is_left_alone(random_joint):
    joint = random_joint(4, (3, 3, 3)) * 7
    before = joint.copy()
    decompose(joint)
    decompose_marginals(joint.sum(1), joint.sum(0))
    np.testing.assert_array_equal(joint, before)


@LAWS
@given(joints())
def test_the_solvers_agree_within_their_gaps(joint):
    newton = decompose(joint, solver="newton", tol=1e-9)
    ipfp = decompose(joint, solver="ipfp", **FAST)
    assert newton.gap <= 1e-8
    assert_same(newton, ipfp)


@SOLVERS
@LAWS
@given(joints(), st.integers(1, 12))
def test_bounds_hold_at_any_iteration(solver, joint, max_iter):
    p1, p2 = joint.sum(1) / joint.sum(), joint.sum(0) / joint.sum()
    early = solve_union_information(p1, p2, solver=solver, tol=1e-14, max_iter=max_iter)
    exact = solve_union_information(p1, p2, solver="newton", tol=1e-9, max_iter=200)
    assert early.iterations <= max_iter
    assert early.lower <= exact.upper
    assert early.upper >= exact.lower
    q = early.coupling()
    assert q.min() >= 0
    np.testing.assert_allclose(q.sum(1), p1, atol=1e-12)
    np.testing.assert_allclose(q.sum(0), p2, atol=1e-12)


@LAWS
@given(joints(), st.floats(0.05, 0.95))
def test_merging_identical_states_changes_nothing(joint, fraction):
    doubled = np.concatenate([fraction * joint, (1 - fraction) * joint[:1]], axis=0)
    doubled[1 : len(joint)] = joint[1:]
    assert_same(decompose(joint, tol=1e-7), decompose(doubled, tol=1e-7))


@SOLVERS
@LAWS
@given(joints(max_side=3), joints(max_side=3))
def test_atoms_of_independent_products_add_up(solver, joint, other):
    product = np.einsum("abc,def->adbecf", joint, other).reshape(
        *(side * more for side, more in zip(joint.shape, other.shape, strict=True))
    )
    both = decompose(product, **FAST, solver=solver)
    parts = [decompose(table, tol=1e-7) for table in (joint, other)]
    within = both.gap + sum(d.gap for d in parts) + 1e-12
    assert both.redundancy == pytest.approx(sum(d.redundancy for d in parts), abs=within)
    assert both.synergy == pytest.approx(sum(d.synergy for d in parts), abs=within)
    for m in (0, 1):
        assert both.unique[m] == pytest.approx(sum(d.unique[m] for d in parts), abs=within)


@pytest.mark.parametrize("name", ["rdnxor", "rdnunqxor"])
def test_products_of_gates_have_the_atoms_of_both(name):
    d, known = decompose(GATES[name].joint, tol=1e-9), GATES[name].atoms
    assert d.redundancy == pytest.approx(known.redundancy, abs=1e-8)
    assert d.unique == pytest.approx(known.unique, abs=1e-8)
    assert d.synergy == pytest.approx(known.synergy, abs=1e-8)


@LAWS
@given(joints())
def test_atoms_are_not_below_zero_by_more_than_the_gap(joint):
    d = decompose(joint, **FAST)
    assert min(d.redundancy, *d.unique, d.synergy) >= -d.gap - 1e-12

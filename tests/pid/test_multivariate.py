"""More than two sources, and conditioning: the laws of one door hold behind the others."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from modalprism.errors import InputError
from modalprism.pid import decompose, mutual_information
from modalprism.pid.gates import GATES, THREE_SOURCE_GATES
from modalprism.pid.multivariate import (
    decompose_conditional,
    decompose_each_against_rest,
    decompose_pairs,
)

LAWS = settings(derandomize=True, deadline=None, max_examples=20)
FAST = {"tol": 1e-4, "max_iter": 300}


@st.composite
def joints(draw, axes, max_side=3):
    """Counts with many zeros, of so many axes."""
    shape = tuple(draw(st.integers(1, max_side)) for _ in range(axes))
    counts = draw(hnp.arrays(np.int64, shape, elements=st.integers(0, 4)))
    counts[tuple(draw(st.integers(0, side - 1)) for side in shape)] += 1
    return counts


def assert_same(first, second, *, swapped=False, within=1e-12):
    """Check that two decompositions agree within their gaps."""
    within += first.gap + second.gap
    unique = second.unique[::-1] if swapped else second.unique
    assert first.redundancy == pytest.approx(second.redundancy, abs=within)
    assert first.unique == pytest.approx(unique, abs=within)
    assert first.synergy == pytest.approx(second.synergy, abs=within)
    assert first.information == pytest.approx(second.information, abs=1e-12)


def assert_known(d, atoms):
    """Check a decomposition against known atoms, within its gap."""
    within = d.gap + 1e-9
    assert d.converged
    assert d.redundancy == pytest.approx(atoms.redundancy, abs=within)
    assert d.unique == pytest.approx(atoms.unique, abs=within)
    assert d.synergy == pytest.approx(atoms.synergy, abs=within)


def bits(table):
    """I(X;Y) in bits of counts with the target on the last axis."""
    return mutual_information(table.reshape(-1, table.shape[-1]) / table.sum()) / math.log(2)


@LAWS
@given(joints(3))
def test_two_sources_are_what_they_were(joint):
    d = decompose(joint, **FAST)
    first, second = decompose_each_against_rest(joint, **FAST)
    assert_same(first, d)
    assert_same(second, d, swapped=True)
    ((pair, of_pair),) = decompose_pairs(joint, **FAST).items()
    assert pair == (0, 1)
    assert_same(of_pair, d)


@LAWS
@given(joints(4))
def test_atoms_add_up_for_each_and_rest(joint):
    for m, d in enumerate(decompose_each_against_rest(joint, **FAST)):
        assert d.information == pytest.approx(bits(joint), abs=1e-12)
        assert d.redundancy + sum(d.unique) + d.synergy == pytest.approx(d.information, abs=1e-12)
        others = tuple({0, 1, 2} - {m})
        assert d.redundancy + d.unique[0] == pytest.approx(bits(joint.sum(others)), abs=1e-12)
        assert d.redundancy + d.unique[1] == pytest.approx(bits(joint.sum(m)), abs=1e-12)


@LAWS
@given(joints(4))
def test_atoms_add_up_for_pairs(joint):
    for (a, b), d in decompose_pairs(joint, **FAST).items():
        table = joint.sum(3 - a - b)
        assert d.information == pytest.approx(bits(table), abs=1e-12)
        assert d.redundancy + sum(d.unique) + d.synergy == pytest.approx(d.information, abs=1e-12)
        assert_same(d, decompose(table, **FAST))


@settings(LAWS, max_examples=8)
@given(joints(4), st.permutations(range(3)))
def test_permuting_the_sources_permutes_the_results(joint, order):
    permuted = joint.transpose(*order, 3)
    each, each_permuted = (decompose_each_against_rest(t, **FAST) for t in (joint, permuted))
    for new, old in enumerate(order):
        assert_same(each_permuted[new], each[old])
    pairs, pairs_permuted = (decompose_pairs(t, **FAST) for t in (joint, permuted))
    for a, b in pairs_permuted:
        old = (order[a], order[b])
        swapped = old[0] > old[1]
        assert_same(pairs_permuted[a, b], pairs[min(old), max(old)], swapped=swapped)


@LAWS
@given(joints(4))
def test_unused_states_change_nothing(joint):
    padded = np.pad(joint, ((1, 0), (0, 2), (1, 1), (0, 1)))
    for first, second in zip(
        decompose_each_against_rest(joint, **FAST),
        decompose_each_against_rest(padded, **FAST),
        strict=True,
    ):
        assert_same(first, second)


@pytest.mark.parametrize("name", THREE_SOURCE_GATES)
def test_gates_of_three_sources(name):
    known = THREE_SOURCE_GATES[name]
    for d, atoms in zip(decompose_each_against_rest(known.joint), known.against_rest, strict=True):
        assert_known(d, atoms)
    pairs = decompose_pairs(known.joint)
    assert list(pairs) == list(itertools.combinations(range(3), 2))
    for pair, d in pairs.items():
        assert_known(d, known.pairs[pair])


@pytest.mark.parametrize("n_sources", [2, 3, 6])
def test_parity_is_synergy_of_all_and_nothing_in_fewer(n_sources):
    states = list(itertools.product((0, 1), repeat=n_sources))
    joint = np.zeros((2,) * (n_sources + 1))
    for x in states:
        joint[(*x, sum(x) % 2)] = 1
    each = decompose_each_against_rest(joint)
    assert len(each) == n_sources
    for d in each:
        assert d.synergy == pytest.approx(1, abs=d.gap + 1e-12)
    for d in decompose_pairs(joint).values():
        assert d.information == pytest.approx(1 if n_sources == 2 else 0, abs=1e-12)


def test_copies_of_a_source_leave_a_sparse_rest():
    # The rest of 6 sources has 46,656 states, of which 6 are used.
    n_sources, n_states = 7, 6
    joint = np.zeros((n_states,) * (n_sources + 1))
    for state in range(n_states):
        joint[(state,) * (n_sources + 1)] = 1
    for d in decompose_each_against_rest(joint):
        assert d.redundancy == pytest.approx(math.log2(n_states))


@LAWS
@given(joints(3), joints(1))
def test_an_independent_condition_changes_nothing(joint, z):
    d = decompose_conditional(joint[..., None] * z, **FAST)
    assert_same(d, decompose(joint, **FAST))


@LAWS
@given(joints(4))
def test_conditional_atoms_keep_the_chain_rule(joint):
    d = decompose_conditional(joint, **FAST)
    x1x2z_y = np.moveaxis(joint, 3, 2)
    given_z = bits(x1x2z_y) - bits(x1x2z_y.sum((0, 1)))
    assert d.information == pytest.approx(given_z, abs=1e-12)
    assert d.redundancy + sum(d.unique) + d.synergy == pytest.approx(d.information, abs=1e-12)
    for m in (0, 1):
        marginal = bits(x1x2z_y.sum(1 - m)) - bits(x1x2z_y.sum((0, 1)))
        assert d.redundancy + d.unique[m] == pytest.approx(marginal, abs=1e-12)
    assert d.lower <= d.upper
    assert d.converged == (d.gap <= FAST["tol"])


@LAWS
@given(joints(4), st.randoms(use_true_random=False))
def test_names_of_conditions_do_not_matter(joint, random):
    order = list(range(joint.shape[3]))
    random.shuffle(order)
    assert_same(
        decompose_conditional(joint, **FAST), decompose_conditional(joint[..., order], **FAST)
    )


@LAWS
@given(joints(3))
def test_a_target_that_is_known_already_leaves_nothing(joint):
    z_is_y = joint[..., None] * np.eye(joint.shape[2])
    d = decompose_conditional(z_is_y, **FAST)
    atoms = (d.redundancy, *d.unique, d.synergy, d.information, d.gap)
    assert atoms == pytest.approx((0,) * 6, abs=1e-12)


@pytest.mark.parametrize("names", [("rdn", "xor"), ("and", "unq2", "diff"), ("w", "and", "rand")])
def test_a_condition_that_picks_a_gate_averages_their_atoms(names):
    weights = np.arange(1, len(names) + 1) / sum(range(1, len(names) + 1))
    gates = [GATES[name] for name in names]
    joint = np.stack([w * g.joint for w, g in zip(weights, gates, strict=True)], axis=-1)
    joint = np.insert(joint, 1, 0, axis=-1)  # a condition that never occurs
    d = decompose_conditional(joint, tol=1e-7)
    assert d.converged
    assert d.gap <= 1e-7
    within = d.gap + 1e-12
    assert d.redundancy == pytest.approx(weights @ [g.redundancy for g in gates], abs=within)
    assert d.unique == pytest.approx(weights @ [g.unique for g in gates], abs=within)
    assert d.synergy == pytest.approx(weights @ [g.synergy for g in gates], abs=within)
    assert d.information == pytest.approx(weights @ [g.information for g in gates])
    alone = [decompose(g.joint, tol=1e-7) for g in gates]
    assert d.iterations == sum(one.iterations for one in alone)
    assert d.lower == pytest.approx(weights @ [one.lower for one in alone], abs=1e-12)


def test_xor_is_unique_once_the_other_source_is_known():
    # Z = X2, which then is constant: all that is left is what X1 tells.
    joint = np.einsum("aby,bz->abyz", GATES["xor"].joint, np.eye(2))
    d = decompose_conditional(joint)
    assert (d.redundancy, *d.unique, d.synergy) == pytest.approx((0, 1, 0, 0), abs=1e-9)


def test_not_reaching_the_mean_gap_is_reported(random_joint):
    joint = random_joint(0, (12, 12, 4, 3))
    d = decompose_conditional(joint, tol=1e-9, max_iter=3)
    assert not d.converged
    assert d.gap > 1e-9
    assert d.iterations <= 9
    alone = [decompose(joint[..., z], tol=1e-9, max_iter=3) for z in range(3)]
    weights = joint.sum((0, 1, 2))
    assert d.gap == pytest.approx(weights @ [one.gap for one in alone])


def test_it_is_the_mean_gap_that_counts(random_joint):
    hard, easy = random_joint(0, (12, 12, 4)), np.zeros((12, 12, 4))
    easy[0, 0, 0] = easy[1, 1, 1] = 0.5
    short = decompose(hard, tol=1e-9, max_iter=3, solver="ipfp")
    tol = 0.75 * short.gap
    d = decompose_conditional(np.stack([hard, easy], axis=-1), tol=tol, max_iter=3, solver="ipfp")
    assert not decompose(hard, tol=tol, max_iter=3, solver="ipfp").converged
    assert d.gap == pytest.approx(short.gap / 2)
    assert d.converged


@pytest.mark.parametrize(
    "door", [decompose_each_against_rest, decompose_pairs, decompose_conditional]
)
def test_options_are_passed_on(random_joint, door):
    def results(**options):
        found = door(random_joint(1, (3, 4, 2, 3)), **options)
        if isinstance(found, dict):
            return list(found.values())
        return list(found) if isinstance(found, tuple) else [found]

    for nats, in_bits in zip(
        results(base=math.e, tol=1e-7, device="cpu", solver="auto"), results(), strict=True
    ):
        assert nats.unit == "nat"
        assert nats.gap <= 1e-7
        assert nats.information / math.log(2) == pytest.approx(in_bits.information)
    assert all(d.iterations <= 2 * 3 for d in results(max_iter=2))
    again = [dataclasses.asdict(d) for d in results()]
    assert again == [dataclasses.asdict(d) for d in results()]


def test_input_is_left_alone(random_joint):
    joint = random_joint(4, (3, 3, 3, 2)) * 7
    before = joint.copy()
    for door in (decompose_each_against_rest, decompose_pairs, decompose_conditional):
        door(joint)
    np.testing.assert_array_equal(joint, before)


MANY = [decompose_each_against_rest, decompose_pairs]
GOOD = np.ones((2, 2, 2, 2))


@pytest.mark.parametrize("door", MANY)
@pytest.mark.parametrize(
    ("joint", "message"),
    [
        (np.ones((2, 2)), "joint has shape (2, 2): pass a table of shape (n1, …, nM, C), with 2"),
        (1, "joint has shape (): pass a table of shape (n1, …, nM, C)"),
        ("and", "joint has shape ()"),
        ([[[1, 2]], [[3]]], "joint cannot be read as an array"),
        (np.full((2, 2, 2, 2), "a"), "joint holds <U1: pass real numbers of shape (n1, n2, n3, C)"),
        (np.ones((2, 0, 2, 2)), "joint has shape (2, 0, 2, 2): pass at least one cell"),
        (np.where(np.arange(2), GOOD, -1), "joint[0, 0, 0, 0] is -1: counts and probabilities"),
        (np.where(np.arange(2), np.nan, GOOD), "joint[0, 0, 0, 1] is nan: pass finite"),
        (GOOD * 0, "joint is zero everywhere"),
    ],
)
def test_bad_tables_of_many_sources_are_refused(door, joint, message):
    with pytest.raises(InputError) as refusal:
        door(joint)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("joint", "message"),
    [
        (np.ones((2, 2, 2)), "joint has shape (2, 2, 2): pass a table of shape (n1, n2, C, nZ)"),
        (np.ones((2,) * 5), "joint has shape (2, 2, 2, 2, 2): pass a table of shape (n1, n2, C"),
        ([[1], [2, 3]], "row 1 has 2; pass numbers of shape (n1, n2, C, nZ)"),
        (np.where(np.arange(2), GOOD, -1), "joint[0, 0, 0, 0] is -1: counts and probabilities"),
        (GOOD * 0, "joint is zero everywhere"),
    ],
)
def test_bad_conditional_tables_are_refused(joint, message):
    with pytest.raises(InputError) as refusal:
        decompose_conditional(joint)
    assert message in str(refusal.value)


@pytest.mark.parametrize("door", [*MANY, decompose_conditional])
@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"base": 1}, "base is 1"),
        ({"tol": 0}, "tol is 0"),
        ({"tol": None}, "tol is None"),
        ({"max_iter": 0}, "max_iter is 0"),
        ({"solver": "magic"}, "there is no solver 'magic'"),
        ({"device": "abacus"}, "device 'abacus' cannot be used"),
    ],
)
def test_bad_options_are_refused(door, option, message):
    with pytest.raises(InputError, match=message):
        door(GOOD, **option)

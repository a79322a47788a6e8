"""Pointwise atoms: they sum to the atoms, exactly, and are what the gates say they are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from modalprism.errors import InputError
from modalprism.pid import decompose, decompose_pointwise, gate, solve_union_information

LAWS = settings(derandomize=True, deadline=None, max_examples=40)
COUNTS = hnp.arrays(np.int64, st.tuples(*[st.integers(1, 4)] * 3), elements=st.integers(0, 6))


def mean(pointwise, values):
    return np.nansum(pointwise.probability * values)


@LAWS
@given(COUNTS.filter(np.any), st.sampled_from(["newton", "ipfp"]))
def test_means_are_the_atoms(joint, solver):
    pointwise = decompose_pointwise(joint, tol=1e-4, max_iter=300, solver=solver)
    d = pointwise.decomposition
    assert mean(pointwise, pointwise.redundancy) == pytest.approx(d.redundancy, abs=1e-12)
    assert mean(pointwise, pointwise.unique[0]) == pytest.approx(d.unique[0], abs=1e-12)
    assert mean(pointwise, pointwise.unique[1]) == pytest.approx(d.unique[1], abs=1e-12)
    assert mean(pointwise, pointwise.synergy) == pytest.approx(d.synergy, abs=1e-12)
    assert mean(pointwise, pointwise.information) == pytest.approx(d.information, abs=1e-12)
    for values in (pointwise.redundancy, *pointwise.unique, pointwise.synergy):
        np.testing.assert_array_equal(np.isnan(values), joint == 0)


@LAWS
@given(COUNTS.filter(np.any))
def test_atoms_of_a_cell_add_up_to_its_information(joint):
    pointwise = decompose_pointwise(joint)
    total = pointwise.redundancy + sum(pointwise.unique) + pointwise.synergy
    np.testing.assert_allclose(total, pointwise.information, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("rdn", (1, 0, 0, 0)), ("xor", (0, 0, 0, 1)), ("unq1", (0, 1, 0, 0)), ("copy", (0, 1, 1, 0))],
)
def test_cells_of_plain_gates_are_all_alike(name, expected):
    joint = gate(name).joint
    pointwise = decompose_pointwise(joint, tol=1e-9)
    used = joint > 0
    atoms = (pointwise.redundancy, *pointwise.unique, pointwise.synergy)
    for values, bits in zip(atoms, expected, strict=True):
        np.testing.assert_allclose(values[used], bits, atol=1e-6)


def test_swapping_the_sources_swaps_the_cells(random_joint):
    joint = random_joint(3, (4, 3, 3), zeros=0.2)
    first = decompose_pointwise(joint, tol=1e-9)
    second = decompose_pointwise(joint.transpose(1, 0, 2), tol=1e-9)
    for one, two in (
        (first.unique[0], second.unique[1]),
        (first.redundancy, second.redundancy),
        (first.synergy, second.synergy),
    ):
        np.testing.assert_allclose(one, two.transpose(1, 0, 2), atol=1e-5)


def test_the_union_is_the_log_ratio_of_the_coupling_where_that_lives(random_joint):
    joint = random_joint(2, (3, 4, 3))
    pointwise = decompose_pointwise(joint, tol=1e-9, base=np.e, solver="newton")
    i_union = pointwise.information - pointwise.synergy
    p1, p2 = joint.sum(1), joint.sum(0)
    q = solve_union_information(p1, p2, solver="newton", tol=1e-9, max_iter=100).coupling()
    pair = q.sum(2, keepdims=True)
    lives = np.broadcast_to(pair > 1e-3, joint.shape)
    ratio = np.log(q / pair / joint.sum((0, 1)))
    np.testing.assert_allclose(i_union[lives], ratio[lives], atol=1e-4)


def test_base_only_rescales(random_joint):
    joint = random_joint(3, (3, 3, 3))
    bits = decompose_pointwise(joint, tol=1e-8)
    nats = decompose_pointwise(joint, tol=1e-8 * np.log(2), base=np.e)
    assert nats.decomposition.unit == "nat"
    np.testing.assert_allclose(nats.synergy, bits.synergy * np.log(2), atol=1e-7)


def test_the_decomposition_is_that_of_the_front_door(random_joint):
    joint = random_joint(3, (3, 3, 3))
    assert decompose_pointwise(joint).decomposition == decompose(joint)


def test_a_bad_table_is_refused():
    with pytest.raises(InputError, match="pass a table of shape"):
        decompose_pointwise(np.ones((2, 2)))

"""Many problems together are what each is by itself, and stop one by one."""

import math

import numpy as np
import pytest

from modalprism.errors import InputError
from modalprism.pid import (
    decompose,
    decompose_batch,
    decompose_marginals,
    decompose_marginals_batch,
    gate,
)


@pytest.fixture
def joints(random_joint):
    """Tables of one shape: dense, sparse, of one class, and with unused symbols."""
    tables = [random_joint(seed, (5, 4, 3), zeros=0.2 * seed) for seed in range(4)]
    single = np.zeros((5, 4, 3))
    single[0, 0, 1] = single[2, 3, 1] = 1
    return np.stack([*tables, single, *(np.roll(table, 1, axis=0) for table in tables)])


def assert_agree(d, other):
    within = d.gap + other.gap + 1e-12
    assert d.redundancy == pytest.approx(other.redundancy, abs=within)
    assert d.unique == pytest.approx(other.unique, abs=within)
    assert d.information == pytest.approx(other.information, abs=1e-12)
    assert max(d.lower, other.lower) <= min(d.upper, other.upper) + 1e-12


@pytest.mark.parametrize("solver", ["auto", "newton", "ipfp"])
def test_a_batch_is_its_problems(joints, solver):
    batch = decompose_batch(joints, solver=solver, tol=1e-5)
    assert len(batch) == len(joints)
    for d, joint in zip(batch, joints, strict=True):
        assert d.converged
        assert d.gap <= 1e-5
        assert_agree(d, decompose(joint, tol=1e-8))


def test_easy_problems_stop_first(random_joint):
    hard = random_joint(0, (12, 12, 5))
    easy = random_joint(1, (12, 12, 1)) * random_joint(2, (1, 1, 5))
    first, second = decompose_batch(np.stack([hard, easy]), solver="ipfp", tol=1e-5)
    assert second.iterations < first.iterations


def test_order_does_not_matter(joints):
    forth = decompose_batch(joints, solver="ipfp", tol=1e-5)
    back = decompose_batch(joints[::-1], solver="ipfp", tol=1e-5)[::-1]
    for one, two in zip(forth, back, strict=True):
        assert_agree(one, two)


def test_both_doors_agree(joints):
    first = decompose_batch(joints, tol=1e-6, base=math.e)
    known = [d.information for d in first]
    second = decompose_marginals_batch(
        joints.sum(2), joints.sum(1), known, tol=1e-6, base=math.e, marginal_tolerance=1e-6
    )
    for one, two in zip(first, second, strict=True):
        assert_agree(one, two)
    without = decompose_marginals_batch(joints.sum(2), joints.sum(1), tol=1e-6)
    assert all(d.synergy is None for d in without)
    single = decompose_marginals(joints[0].sum(1), joints[0].sum(0), tol=1e-6)
    assert without[0].unique == pytest.approx(single.unique, abs=2e-6)


def test_max_iter_leaves_bounds_that_hold(joints):
    for d, joint in zip(decompose_batch(joints, max_iter=2, tol=1e-9), joints, strict=True):
        truth = decompose(joint, tol=1e-9)
        assert d.lower <= truth.upper
        assert d.upper >= truth.lower


def test_counts_are_normalised_one_by_one():
    first, second = decompose_batch([gate("xor").joint * 7, gate("and").joint])
    assert first.synergy == pytest.approx(1, abs=1e-6)
    assert second.synergy == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize(
    ("joints", "message"),
    [
        (np.ones((2, 2, 2)), r"pass a table of shape \(B, n1, n2, C\)"),
        (np.ones((0, 2, 2, 2)), "at least one cell on each axis"),
        (np.stack([np.ones((2, 2, 2)), np.zeros((2, 2, 2))]), r"joints\[1\] is zero everywhere"),
        (np.full((1, 2, 2, 2), np.nan), r"joints\[0, 0, 0, 0\] is nan"),
    ],
)
def test_bad_batches_are_refused(joints, message):
    with pytest.raises(InputError, match=message):
        decompose_batch(joints)


def test_bad_marginals_say_which_problem():
    good = np.eye(2)[None] / 2
    with pytest.raises(InputError, match="1 tables and p_x2y 2"):
        decompose_marginals_batch(good, np.concatenate([good, good]))
    skewed = np.array([[[0.7, 0], [0, 0.3]]])
    with pytest.raises(InputError, match=r"problem 1: p\(y\) differs"):
        decompose_marginals_batch(np.concatenate([good, good]), np.concatenate([good, skewed]))
    with pytest.raises(InputError, match="pass 1 finite numbers"):
        decompose_marginals_batch(good, good, [np.nan])
    with pytest.raises(InputError, match="not a sequence of numbers"):
        decompose_marginals_batch(good, good, "a")

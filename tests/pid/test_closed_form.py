"""Where one source is enough the answer is exact, and proven."""

import numpy as np
import pytest

from modalprism.pid import (
    GATES,
    decompose,
    decompose_batch,
    decompose_marginals,
    mutual_information,
)
from modalprism.pid.closed_form import closed_form
from modalprism.pid.solution import Problem


def solved(p1, p2, tol):
    return closed_form(Problem.of(p1[None], p2[None]), tol)


@pytest.mark.parametrize("name", ["rdn", "and", "xor", "w", "not_two", "sum", "reduced_or"])
def test_sources_alike_need_no_iteration(name):
    d = decompose(GATES[name].joint, tol=1e-12)
    assert d.solver == "closed form"
    assert d.iterations == 0
    assert d.unique == pytest.approx((0, 0), abs=2e-13)
    assert d.redundancy == pytest.approx(GATES[name].atoms.redundancy, abs=2e-13)


@pytest.mark.parametrize("seed", range(4))
def test_names_of_the_states_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    table = rng.integers(1, 9, size=(6, 3)).astype(float)
    d = decompose_marginals(table, table[rng.permutation(6)], tol=1e-12)
    assert d.solver == "closed form"
    assert d.unique == pytest.approx((0, 0), abs=2e-13)


@pytest.mark.parametrize("silent", [0, 1])
def test_a_source_that_tells_nothing_leaves_all_to_the_other(random_joint, silent):
    told = random_joint(0, (5, 1, 3)).squeeze(1)
    nothing = np.outer([0.2, 0.3, 0.5], told.sum(0))
    marginals = (nothing, told) if silent == 0 else (told, nothing)
    d = decompose_marginals(*marginals, tol=1e-12)
    assert d.solver == "closed form"
    assert d.unique[silent] == pytest.approx(0, abs=2e-13)
    assert d.unique[1 - silent] == pytest.approx(d.marginal_information[1 - silent], abs=2e-13)
    assert d.redundancy == pytest.approx(0, abs=2e-13)


def test_other_problems_are_left_to_the_solvers(random_joint):
    joint = random_joint(0, (4, 4, 3))
    p1, p2 = joint.sum(1), joint.sum(0)
    assert solved(p1, p2, 1e-6) is None
    assert solved(p1, np.concatenate([p1[:1] / 2, p1[:1] / 2, p1[1:]]), 1e-6) is None


def test_what_only_looks_alike_is_not_taken_for_it():
    p1 = np.array([[0.3, 0.2], [0.2, 0.3]])
    p2 = p1 + np.array([[1e-6, 0], [-1e-6, 0]])
    assert solved(p1, p2, 1e-12) is None


def test_its_bounds_and_its_coupling_are_those_of_any_other_answer():
    rng = np.random.default_rng(0)
    p1 = np.pad(rng.integers(0, 9, size=(6, 3)).astype(float), ((1, 0), (0, 1)))
    p1 /= p1.sum()
    order = rng.permutation(7)
    problem = Problem.of(p1[None], p1[order][None])
    (union,) = closed_form(problem, 1e-12).unions(problem.marginal_information)
    information = mutual_information(p1)
    assert union.lower < information < union.upper
    assert union.gap < 2e-13
    s = (np.exp(union.alpha) * p1.sum(0)) @ np.exp(union.beta).T
    assert s.max() <= 1
    q = union.coupling()
    np.testing.assert_array_equal(q.sum(1), p1)
    np.testing.assert_array_equal(q.sum(0), p1[order])


def test_in_a_batch_the_others_are_solved(random_joint):
    joints = np.stack([GATES["and"].joint, random_joint(0, (2, 2, 2))])
    first, second = decompose_batch(joints, tol=1e-9, solver="auto")
    assert first.solver == "closed form"
    assert second.solver == "newton"
    assert second.converged

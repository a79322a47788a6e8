"""Tables whose cells span 300 orders of magnitude: finite numbers, and bounds that hold."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from modalprism.pid import (
    decompose,
    decompose_batch,
    decompose_conditional,
    decompose_each_against_rest,
    decompose_marginals,
    decompose_pointwise,
    mutual_information,
    solve_union_information,
)
from modalprism.pid.coupling import Coupling
from modalprism.pid.information import pointwise_information
from modalprism.pid.ipfp import solve_ipfp
from modalprism.pid.newton_batch import solve_newton_batch
from modalprism.pid.solution import Problem
from modalprism.pid.stopping import Watch
from modalprism.pid.support import Support

LAWS = settings(derandomize=True, deadline=None, max_examples=60)
SMALLEST = np.finfo(np.float64).tiny


@st.composite
def joints(draw, max_side=4):
    """Draw cells from 1e-307 to 1, or 0; one is 1."""
    shape = tuple(draw(st.integers(1, max_side)) for _ in range(3))
    seed, span = draw(st.integers(0, 2**31)), draw(st.sampled_from([20, 150, 300, 307]))
    rng = np.random.default_rng(seed)
    table = 10.0 ** -rng.uniform(0, span, shape)
    table *= rng.random(shape) >= draw(st.sampled_from([0, 0.3, 0.7]))
    table[tuple(rng.integers(shape))] = 1
    return table / table.sum() * (table / table.sum() >= SMALLEST)


def exact_information(p):
    """I(X;Y) of a table (n, C) in nats, computed with 60 digits."""
    with localcontext() as context:
        context.prec = 60
        cells = [[Decimal(float(value)) for value in row] for row in p]
        p_x = [sum(row) for row in cells]
        p_y = [sum(column) for column in zip(*cells, strict=True)]
        terms = [
            cell * (cell.ln() - p_x[x].ln() - p_y[y].ln())
            for x, row in enumerate(cells)
            for y, cell in enumerate(row)
            if cell
        ]
        return float(sum(terms))


@LAWS
@given(joints())
def test_information_is_that_of_sixty_digits(joint):
    for table in (joint.sum(0), joint.sum(1), joint.reshape(-1, joint.shape[2])):
        assert mutual_information(table) == pytest.approx(exact_information(table), abs=1e-14)
        pointwise = pointwise_information(table)
        assert np.isfinite(pointwise[table > 0]).all()
        assert np.isnan(pointwise[table == 0]).all()


def test_information_of_the_smallest_numbers_is_finite():
    for tiny in (1e-160, 1e-300, SMALLEST, 5e-324):
        table = np.diag([0.5, 0.5, tiny])
        assert mutual_information(table) == pytest.approx(math.log(2), abs=1e-15)
        assert np.isfinite(pointwise_information(table).diagonal()).all()


def assert_certified(p1, p2, union):
    """Check both bounds against their definitions, in logarithms."""
    assert np.isfinite([union.lower, union.upper]).all()
    assert union.lower <= union.upper
    assert union.upper >= max(mutual_information(p1), mutual_information(p2)) - 1e-12
    with np.errstate(divide="ignore"):
        terms = np.log(p1.sum(0)) + union.alpha[:, None] + union.beta[None]
        assert logsumexp(terms, axis=2).max() <= 1e-12
    value = sum((p[p > 0] * v[p > 0]).sum() for p, v in ((p1, union.alpha), (p2, union.beta)))
    assert union.lower == pytest.approx(value, abs=1e-11)
    q = union.coupling()
    assert q.min() >= 0
    np.testing.assert_allclose(q.sum(1), p1, atol=1e-12)
    np.testing.assert_allclose(q.sum(0), p2, atol=1e-12)


@pytest.mark.parametrize("solver", ["newton", "ipfp", "auto"])
@LAWS
@given(joints(), st.sampled_from([1, 5, 200]), st.sampled_from([1e-9, 1e-4]))
def test_bounds_hold_whatever_the_solver_reaches(solver, joint, max_iter, tol):
    p1, p2 = joint.sum(1), joint.sum(0)
    union = solve_union_information(p1, p2, solver=solver, tol=tol, max_iter=max_iter)
    assert_certified(p1, p2, union)
    assert union.lower <= mutual_information(joint.reshape(-1, joint.shape[2])) + 1e-12


@pytest.mark.parametrize("solve", [solve_newton_batch, solve_ipfp])
@LAWS
@given(joints())
def test_bounds_of_a_batch_hold(solve, joint):
    p1, p2 = (np.stack([joint, joint**0.5 / (joint**0.5).sum()]).sum(axis) for axis in (2, 1))
    problem = Problem.of(p1, p2)
    support = Support.of(problem)
    used = support.restrict(problem)
    with Watch(1e-4, 200) as watch:
        solution = support.expand(solve(used.p_x1y, used.p_x2y, watch))
    for k, union in enumerate(solution.unions(problem.marginal_information)):
        assert_certified(p1[k], p2[k], union)


@LAWS
@given(joints(max_side=3))
def test_pointwise_atoms_are_finite_and_sum_to_the_atoms(joint):
    pointwise = decompose_pointwise(joint)
    used = pointwise.probability > 0
    d = pointwise.decomposition
    for cells, atom in ((pointwise.redundancy, d.redundancy), (pointwise.synergy, d.synergy)):
        assert np.isfinite(cells[used]).all()
        assert (pointwise.probability * cells)[used].sum() == pytest.approx(atom, abs=1e-9)


@LAWS
@given(joints(max_side=3), st.sampled_from([1e-320, 1e-200, 1e200, 1e300]))
def test_a_common_factor_changes_nothing(joint, factor):
    whole, scaled = decompose(joint), decompose(joint * factor)
    assert scaled.information == pytest.approx(whole.information, abs=1e-3)
    assert np.isfinite([scaled.lower, scaled.upper, *scaled.marginal_information]).all()
    if factor > 1:
        assert scaled.information == pytest.approx(whole.information, abs=1e-12)


@pytest.mark.parametrize("largest", [1e300, 1e308, np.finfo(np.float64).max])
def test_counts_whose_sum_overflows_are_counts(largest):
    xor = np.zeros((2, 2, 2))
    xor[[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0]] = largest
    assert decompose(xor).synergy == pytest.approx(1, abs=1e-9)
    assert decompose_batch([xor, xor])[1].synergy == pytest.approx(1, abs=1e-6)
    assert decompose_each_against_rest(xor)[0].synergy == pytest.approx(1, abs=1e-9)
    assert decompose_conditional(xor[..., None]).synergy == pytest.approx(1, abs=1e-9)
    both = np.diag([largest, largest])
    assert decompose_marginals(both, both).redundancy == pytest.approx(1, abs=1e-9)


def test_a_class_below_the_smallest_normal_number_is_left_out_of_both_marginals():
    first = np.array([[0.5, 0.0, SMALLEST / 2], [0.0, 0.5, SMALLEST / 2]])
    second = np.array([[0.5, 0.0, SMALLEST], [0.0, 0.5, 0.0]])
    d = decompose_marginals(first, second)
    assert d.redundancy == pytest.approx(1, abs=1e-9)


def test_any_iterate_rounds_to_a_finite_coupling():
    p = torch.tensor([[[0.25, 0.25], [0.5, 0.0]]], dtype=torch.float64)
    huge = torch.full((1, 2, 2), 1e300, dtype=torch.float64)
    for u, v, r in ((huge, huge, huge), (huge * torch.nan, huge, huge), (huge, huge, huge * 1e300)):
        q = Coupling.rounded(p, p, r, u, v)
        assert float(q.information()) >= mutual_information(p[0].numpy()) - 1e-12
        np.testing.assert_allclose(q.cells()[0].sum(0), p[0], atol=1e-12)


@pytest.mark.parametrize("solver", ["auto", "ipfp"])
def test_sparse_batches_have_upper_bounds(solver):
    rng = np.random.default_rng(0)
    tables = np.zeros((100, 10, 10, 10))
    for table in tables:
        np.add.at(table, tuple(rng.integers(10, size=(3, 20))), 1)
    ds = decompose_batch(tables, solver=solver, max_iter=10_000 if solver == "auto" else 300)
    assert all(math.isfinite(d.upper) for d in ds)
    if solver == "auto":
        assert all(d.converged for d in ds)

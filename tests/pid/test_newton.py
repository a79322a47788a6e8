"""Newton's method: machine precision on every kind of table, and honest where that ends."""

import math

import numpy as np
import pytest
import torch

from modalprism.pid import Reason, cost, solve_union_information
from modalprism.pid.newton import solve_newton
from modalprism.pid.newton_system import (
    DenseFactor,
    GaussSeidel,
    SingularError,
    StepSolver,
    System,
    conjugate_gradients,
)
from modalprism.pid.stopping import Watch

BILLIONTH_BIT = 1e-9 * math.log(2)


def solved(joint, tol=BILLIONTH_BIT, max_iter=200):
    return solve_union_information(
        joint.sum(1), joint.sum(0), solver="newton", tol=tol, max_iter=max_iter
    )


def assert_solved(joint):
    union = solved(joint)
    assert union.solver == "newton"
    assert union.reason is Reason.CONVERGED
    assert 0 <= union.gap <= BILLIONTH_BIT
    return union


def counts(seed, n, shape):
    rng = np.random.default_rng(seed)
    table = np.zeros(shape)
    np.add.at(table, tuple(rng.integers(0, side, n) for side in shape), 1)
    return table / n


def test_gates_to_a_billionth_of_a_bit(gate):
    joint, bits = gate
    union = assert_solved(joint)
    assert union.upper / math.log(2) == pytest.approx(bits["I"] - bits["S"], abs=1e-6)
    assert union.iterations <= 15


@pytest.mark.parametrize("zeros", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("shape", [(2, 9, 3), (9, 2, 3), (10, 10, 5), (20, 20, 10), (40, 30, 4)])
def test_random_tables_dense_and_sparse(random_joint, shape, zeros):
    assert_solved(random_joint(1, shape, zeros=zeros))


@pytest.mark.parametrize("concentration", [0.05, 0.2, 5.0])
@pytest.mark.parametrize("seed", range(3))
def test_skewed_tables(random_joint, seed, concentration):
    assert_solved(random_joint(seed, (12, 15, 6), concentration=concentration))


@pytest.mark.parametrize(
    ("n", "shape"), [(50, (10, 10, 10)), (1000, (10, 10, 10)), (300, (50, 40, 8)), (20, (9, 9, 2))]
)
def test_counts_with_empty_rows_columns_and_classes(n, shape):
    joint = np.pad(counts(0, n, shape), ((1, 0), (0, 1), (2, 0)))
    union = assert_solved(joint)
    assert np.isneginf(union.alpha[0]).all()
    assert np.isneginf(union.beta[:, :2]).all()


def test_four_thousand_unknowns(random_joint):
    joint = random_joint(0, (120, 80, 20))
    assert_solved(joint)


@pytest.mark.parametrize("shape", [(12, 10, 4), (30, 20, 6)])
def test_without_a_factorisation_it_comes_to_the_same(random_joint, shape, monkeypatch):
    joint = random_joint(2, shape, zeros=0.2)
    dense = solved(joint, tol=1e-7)
    monkeypatch.setattr(cost, "_LARGEST_FACTOR", 0)
    products = solved(joint, tol=1e-7)
    assert products.converged
    assert max(dense.lower, products.lower) <= min(dense.upper, products.upper)


@pytest.mark.parametrize("max_iter", [1, 2, 4, 7])
def test_bounds_hold_however_early_it_stops(random_joint, max_iter):
    joint = random_joint(0, (8, 6, 4), zeros=0.3)
    truth = assert_solved(joint)
    early = solved(joint, max_iter=max_iter)
    assert early.reason is Reason.ITERATIONS
    assert early.iterations == max_iter
    assert early.lower <= truth.upper
    assert early.upper >= truth.lower
    assert math.isfinite(early.gap)


def test_at_the_end_of_its_accuracy_it_says_so(random_joint):
    union = solved(random_joint(0, (10, 10, 5)), tol=1e-15)
    assert union.reason is Reason.ACCURACY
    assert not union.converged
    assert union.gap < 1e-9
    assert union.iterations < 60


@pytest.mark.parametrize("scale", [6.0, 30.0])
def test_posteriors_that_are_too_sharp_end_in_bounds_that_hold(random_posteriors, scale):
    p1, p2 = random_posteriors(1, 40, 5, scale=scale, correlation=0.9)
    union = solve_union_information(p1, p2, solver="newton", tol=1e-9, max_iter=200)
    other = solve_union_information(p1, p2, solver="ipfp", tol=1e-4, max_iter=3000)
    assert math.isfinite(union.gap)
    assert union.lower <= other.upper
    assert union.upper >= other.lower


def test_a_source_that_alone_tells_anything_is_the_start(random_joint):
    joint = random_joint(1, (4, 1, 3)) * random_joint(2, (1, 5, 1))
    union = solved(joint, tol=1e-12)
    assert union.converged
    assert union.iterations == 1


def test_swapping_the_sources_is_exact_where_their_sizes_differ(random_joint):
    joint = random_joint(3, (7, 4, 3))
    one, two = solved(joint), solved(joint.transpose(1, 0, 2))
    assert (one.lower, one.upper) == (two.lower, two.upper)
    np.testing.assert_array_equal(one.alpha, two.beta)
    np.testing.assert_allclose(one.coupling(), two.coupling().transpose(1, 0, 2), rtol=1e-12)


def test_a_nearly_impossible_state_ends_it_with_bounds():
    joint = np.zeros((3, 3, 2))
    joint[0, 0, 0] = joint[1, 1, 1] = 0.5
    joint[2, 2, 0] = 1e-300
    with Watch(1e-9, 50) as watch:
        solution = solve_newton(
            torch.from_numpy(joint.sum(1))[None], torch.from_numpy(joint.sum(0))[None], watch
        )
    assert solution.reasons[0] in (Reason.ACCURACY, Reason.CONVERGED)
    assert float(solution.lower) <= math.log(2) + 1e-9
    assert float(solution.upper) >= math.log(2) - 1e-9


@pytest.fixture
def system():
    """A system like those of the solver, with a cell outside the support."""
    rng = np.random.default_rng(0)
    A, B, R, W = (rng.random(shape) + 0.1 for shape in ((5, 3), (4, 3), (5, 4), (5, 4)))
    A[0, 1] = B[2, 2] = 0
    return System(A, B, R, W, R @ B, R.T @ A)


def as_matrix(system):
    """The system written out, by its products with unit vectors."""
    (n1, C), n2 = system.A.shape, system.B.shape[0]
    columns = []
    for unit in np.eye((n1 + n2) * C):
        first, second, _ = system.product(
            unit[: n1 * C].reshape(n1, C), unit[n1 * C :].reshape(n2, C)
        )
        columns.append(np.concatenate([first.ravel(), second.ravel()]))
    return np.array(columns).T


def test_blocks_and_products_are_of_one_matrix(system):
    matrix = as_matrix(system)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-14)
    assert np.linalg.eigvalsh(matrix).min() > -1e-12
    first, second = system.blocks()
    for x in range(5):
        block = matrix[3 * x : 3 * x + 3, 3 * x : 3 * x + 3]
        np.testing.assert_allclose(first[x], block + np.diag(system.A[x] == 0), atol=1e-14)
    for x in range(4):
        block = matrix[15 + 3 * x : 18 + 3 * x, 15 + 3 * x : 18 + 3 * x]
        np.testing.assert_allclose(second[x], block + np.diag(system.B[x] == 0), atol=1e-14)
    np.testing.assert_allclose(system.cross().reshape(15, 12), matrix[:15, 15:], atol=1e-14)


@pytest.mark.parametrize("preconditioner", [DenseFactor, GaussSeidel])
def test_the_step_solves_the_system(system, preconditioner):
    rng = np.random.default_rng(1)
    right = system.product(rng.normal(size=(5, 3)), rng.normal(size=(4, 3)))[:2]
    (d_alpha, d_beta, d_s), solved = conjugate_gradients(
        system, preconditioner(system), *right, 1e-12, 100
    )
    assert solved
    first, second, change = system.product(d_alpha, d_beta)
    np.testing.assert_allclose(first, right[0], atol=1e-11)
    np.testing.assert_allclose(second, right[1], atol=1e-11)
    np.testing.assert_allclose(d_s, change, atol=1e-12)


def test_a_system_that_is_not_definite_is_refused(system):
    system.W[:] = -1e3
    with pytest.raises(SingularError):
        DenseFactor(system)


def test_a_factorisation_takes_over_where_sweeps_do_not_do(system, monkeypatch):
    rng = np.random.default_rng(1)
    right = system.product(rng.normal(size=(5, 3)), rng.normal(size=(4, 3)))[:2]
    monkeypatch.setattr(cost, "sweeping_seconds", lambda *_: 0.0)
    monkeypatch.setattr(cost, "sweep_seconds", lambda *_: 1.0)
    step = StepSolver(system, 0.1)
    for _ in range(2):
        first, second, _ = system.product(*step(*right, 1e-12)[:2])
        np.testing.assert_allclose(first, right[0], atol=1e-11)
        np.testing.assert_allclose(second, right[1], atol=1e-11)

"""The iterative solver: one problem or a batch, in float32 or float64, however it has to stop."""

import math
import signal

import numpy as np
import pytest
import torch

from modalprism.pid.acceleration import Momentum
from modalprism.pid.certificate import feasible_potentials
from modalprism.pid.ipfp import solve_ipfp
from modalprism.pid.stopping import Reason, Watch

PLAIN = Momentum(relaxation=1.0, delay=math.inf)


def solve(p_x1y, p_x2y, *, tol=1e-4, max_iter=3000, time_limit=None, **options):
    """Solve a batch, or one problem as a batch of one."""
    tables = [torch.as_tensor(np.asarray(table)) for table in (p_x1y, p_x2y)]
    tables = [table if table.ndim == 3 else table[None] for table in tables]
    with Watch(tol, max_iter, time_limit) as watch:
        return solve_ipfp(*tables, watch, **options)


def marginals(joints):
    joints = np.stack(joints)
    return joints.sum(2), joints.sum(1)


def assert_proven(p_x1y, p_x2y, solution):
    """Check potentials and couplings against their definitions, and the bounds against them."""
    bounds, cells = solution, solution.coupling.cells()
    alpha, beta = bounds.alpha.numpy(), bounds.beta.numpy()
    np.testing.assert_allclose(cells.sum(2), p_x1y, atol=1e-13)
    np.testing.assert_allclose(cells.sum(1), p_x2y, atol=1e-13)
    assert cells.min() >= 0
    for k, (p1, p2) in enumerate(zip(p_x1y, p_x2y, strict=True)):
        s = (np.exp(alpha[k]) * p1.sum(0)) @ np.exp(beta[k]).T
        assert s.max() <= 1 + 1e-12
        assert np.isfinite(alpha[k][p1 > 0]).all()
        assert np.isfinite(beta[k][p2 > 0]).all()
        value = (p1[p1 > 0] * alpha[k][p1 > 0]).sum() + (p2[p2 > 0] * beta[k][p2 > 0]).sum()
        assert float(bounds.lower[k]) == pytest.approx(value, abs=1e-12)
        q = cells[k]
        independent = q.sum(2, keepdims=True) * q.sum((0, 1))
        information = (q[q > 0] * np.log(q[q > 0] / independent[q > 0])).sum()
        assert float(bounds.upper[k]) <= information + 1e-10
    assert (bounds.lower <= bounds.upper + 1e-12).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("acceleration", [Momentum(), PLAIN, Momentum(1.9, math.inf)])
def test_bounds_hold_at_any_iteration(random_joint, acceleration, dtype):
    tables = marginals([random_joint(seed, (6, 5, 4), zeros=0.3) for seed in range(3)])
    best = solve(*tables, tol=1e-8, max_iter=20_000)
    for max_iter in (1, 2, 3, 7, 30, 200):
        early = solve(*tables, tol=1e-14, max_iter=max_iter, acceleration=acceleration, dtype=dtype)
        assert_proven(*tables, early)
        assert (early.lower <= best.upper).all()
        assert (early.upper >= best.lower).all()
        assert (early.iterations <= max_iter).all()


def test_a_batch_is_solved_as_its_problems_are(random_joint):
    joints = [random_joint(k, (7, 6, 4), zeros=0.15 * (k % 4)) for k in range(8)]
    tables = marginals(joints)
    batch = solve(*tables)
    assert_proven(*tables, batch)
    assert batch.reasons == (Reason.CONVERGED,) * 8
    for k in range(8):
        one = solve(tables[0][k], tables[1][k])
        assert float(batch.lower[k]) <= float(one.upper)
        assert float(batch.upper[k]) >= float(one.lower)


def test_each_problem_stops_by_itself(random_joint):
    easy = random_joint(0, (6, 1, 1)) * random_joint(1, (1, 5, 4))
    hard = random_joint(2, (6, 5, 4))
    batch = solve(*marginals([hard, easy, hard, easy]), tol=1e-6)
    assert batch.reasons == (Reason.CONVERGED,) * 4
    assert batch.iterations[1] == batch.iterations[3] == 1
    assert batch.iterations[0] == batch.iterations[2] > 10
    torch.testing.assert_close(batch.lower[0], batch.lower[2], rtol=0, atol=1e-12)


def test_a_batch_larger_than_a_chunk_keeps_its_order(random_joint, monkeypatch):
    joints = [random_joint(k, (4, 3, 3), zeros=0.1 * k) for k in range(5)]
    tables = marginals(joints)
    whole = solve(*tables)
    monkeypatch.setattr("modalprism.pid.ipfp._CHUNK_ELEMENTS", 24)
    chunks = solve(*tables)
    assert_proven(*tables, chunks)
    torch.testing.assert_close(chunks.upper, whole.upper, rtol=0, atol=1e-4)


def test_unused_symbols_of_one_problem_change_nothing(random_joint):
    small, large = random_joint(0, (4, 3, 2)), random_joint(1, (6, 5, 4))
    padded = np.pad(small, ((1, 1), (0, 2), (2, 0)))
    tables = marginals([padded, large])
    batch = solve(*tables, tol=1e-6)
    assert_proven(*tables, batch)
    one = solve(small.sum(1), small.sum(0), tol=1e-6)
    assert float(batch.lower[0]) <= float(one.upper)
    assert float(batch.upper[0]) >= float(one.lower)
    assert batch.alpha[0, 0].isneginf().all()
    assert batch.beta[0, :, 0].isneginf().all()
    alone = solve(padded.sum(1), padded.sum(0), tol=1e-6)
    assert alone.iterations == one.iterations
    assert float(alone.upper) == pytest.approx(float(one.upper), abs=1e-12)


def test_mean_potentials_help_where_cells_are_zero(random_joint, monkeypatch):
    """They were nan as soon as one cell of a marginal was 0, and so never any help."""
    p1, p2 = marginals([random_joint(3, (40, 40, 12), zeros=0.9)])
    assert (p1 == 0).any()
    offered = []

    def keep(_, alpha, beta):
        offered.append((alpha, beta))

    monkeypatch.setattr("modalprism.pid.solution.Bounds.offer_potentials", keep)
    solve(p1, p2, tol=1e-14, max_iter=20)
    assert len(offered) >= 4  # The last potentials and their means, at several iterations
    for alpha, beta in offered:
        assert alpha[torch.as_tensor(p1) > 0].isfinite().all()
        assert beta[torch.as_tensor(p2) > 0].isfinite().all()
        assert alpha[torch.as_tensor(p1) == 0].isneginf().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_marginals_of_a_wide_range_neither_underflow_nor_break_the_bounds(dtype):
    rng = np.random.default_rng(0)
    tables = [10.0 ** rng.uniform(-30, 0, size=(30, 6)) for _ in range(2)]
    for table in tables:
        table[0] = 1e-3  # No class may vanish.
        for _ in range(500):
            table *= np.full(6, 1 / 6) / table.sum(0)
    assert min((t / t.sum(1, keepdims=True)).min() for t in tables) < 1e-20
    solution = solve(*tables, tol=1e-4, dtype=dtype)
    assert solution.reasons == (Reason.CONVERGED,)
    assert_proven(tables[0][None], tables[1][None], solution)


def test_float32_serves_a_tolerance_it_can_reach(random_posteriors):
    tables = random_posteriors(0, 60, 5, scale=3.0, correlation=0.5)
    single = solve(*tables, tol=1e-4)
    double = solve(*tables, tol=1e-4, dtype=torch.float64)
    assert single.coupling.reference.dtype == torch.float32
    assert double.coupling.reference.dtype == torch.float64
    for solution in (single, double):
        assert solution.reasons == (Reason.CONVERGED,)
        assert_proven(tables[0][None], tables[1][None], solution)
    assert solve(*tables, tol=1e-5).coupling.reference.dtype == torch.float64


def test_float64_takes_over_where_float32_stands_still(random_joint, monkeypatch):
    monkeypatch.setattr("modalprism.pid.ipfp._PATIENCE32", (1, 50))
    tables = marginals([random_joint(0, (3, 3, 2)), random_joint(1, (3, 3, 2))])
    solution = solve(*tables, tol=1e-9, max_iter=5000, dtype=torch.float32)
    assert solution.coupling.reference.dtype == torch.float64
    assert solution.reasons == (Reason.CONVERGED,) * 2
    assert_proven(*tables, solution)


def test_the_floor_of_accuracy_is_reported(monkeypatch):
    monkeypatch.setattr("modalprism.pid.ipfp._PATIENCE64", (1, 20))
    same = np.array([[0.3, 0.1], [0.2, 0.4]])
    solution = solve(same, same, tol=1e-18)
    assert solution.reasons == (Reason.ACCURACY,)
    assert float(solution.gap) < 1e-5
    assert_proven(same[None], same[None], solution)


def test_time_and_iterations_are_limited(random_joint):
    tables = marginals([random_joint(k, (8, 8, 4)) for k in range(3)])
    late = solve(*tables, tol=1e-14, time_limit=0.0)
    assert late.reasons == (Reason.TIME,) * 3
    short = solve(*tables, tol=1e-14, max_iter=5)
    assert short.reasons == (Reason.ITERATIONS,) * 3
    for solution in (late, short):
        assert_proven(*tables, solution)


def test_an_interrupt_leaves_bounds_that_hold(random_joint):
    class Interrupting(Momentum):
        def advance(self, *tables):
            super().advance(*tables)
            signal.raise_signal(signal.SIGINT)

    tables = marginals([random_joint(0, (8, 8, 4))])
    solution = solve(*tables, tol=1e-14, acceleration=Interrupting())
    assert solution.reasons == (Reason.INTERRUPT,)
    assert int(solution.iterations) == 2
    assert_proven(*tables, solution)


def test_the_certificate_is_evaluated_rarely(random_posteriors, monkeypatch):
    calls = []
    certify = feasible_potentials

    def counted(*tables):
        calls.append(tables)
        return certify(*tables)

    monkeypatch.setattr("modalprism.pid.solution.feasible_potentials", counted)
    solution = solve(*random_posteriors(0, 100, 6), tol=1e-4)
    assert solution.reasons == (Reason.CONVERGED,)
    assert len(calls) <= 0.15 * int(solution.iterations)

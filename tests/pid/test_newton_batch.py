"""Newton's method on a batch: each problem as by itself, whatever the others are."""

import math

import numpy as np
import pytest
import torch

from modalprism.pid import Reason, decompose_batch, memory, solve_union_information
from modalprism.pid.newton_batch import BatchSystem, solve_newton_batch
from modalprism.pid.newton_system import System
from modalprism.pid.stopping import Watch

BILLIONTH_BIT = 1e-9 * math.log(2)
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def solve(joints, *, tol=BILLIONTH_BIT, max_iter=100):
    joints = np.stack(joints)
    p1, p2 = (torch.as_tensor(table, device=DEVICE) for table in (joints.sum(2), joints.sum(1)))
    with Watch(tol, max_iter) as watch:
        return p1, p2, solve_newton_batch(p1, p2, watch)


def assert_proven(p1, p2, solution):
    cells = solution.coupling.cells()
    np.testing.assert_allclose(cells.sum(2), p1.cpu(), atol=1e-13)
    np.testing.assert_allclose(cells.sum(1), p2.cpu(), atol=1e-13)
    assert cells.min() >= 0
    bounds = solution
    s = (bounds.alpha.exp() * p1.sum(1, keepdim=True)) @ bounds.beta.exp().mT
    assert float(s.max()) <= 1 + 1e-12
    assert (bounds.lower <= bounds.upper + 1e-12).all()


@pytest.mark.parametrize("shape", [(2, 9, 3), (9, 2, 3), (6, 6, 5), (12, 10, 4)])
@pytest.mark.parametrize("zeros", [0.0, 0.5])
def test_a_batch_is_solved_as_its_problems_are(random_joint, shape, zeros):
    joints = [random_joint(seed, shape, zeros=zeros) for seed in range(6)]
    p1, p2, solution = solve(joints)
    assert_proven(p1, p2, solution)
    assert solution.reasons == (Reason.CONVERGED,) * 6
    for k, joint in enumerate(joints):
        one = solve_union_information(joint.sum(1), joint.sum(0), tol=1e-9, max_iter=10_000)
        assert float(solution.upper[k]) >= one.lower - 1e-12
        assert float(solution.lower[k]) <= one.upper + 1e-12
    assert (solution.iterations <= 40).all()


def test_gates(gate):
    joint, bits = gate
    p1, p2, solution = solve([joint, joint])
    assert_proven(p1, p2, solution)
    union = bits["I"] - bits["S"]
    np.testing.assert_allclose(solution.upper.cpu() / math.log(2), union, atol=1e-6)
    assert solution.reasons == (Reason.CONVERGED,) * 2


def test_a_problem_that_does_not_use_all_symbols(random_joint):
    padded = np.pad(random_joint(0, (4, 3, 2)), ((1, 1), (0, 2), (2, 0)))
    small = random_joint(0, (4, 3, 2))
    p1, p2, solution = solve([padded, random_joint(1, (6, 5, 4))])
    assert_proven(p1, p2, solution)
    assert solution.reasons == (Reason.CONVERGED,) * 2
    _, _, one = solve([small])
    assert float(solution.upper[0]) == pytest.approx(float(one.upper), abs=1e-9)


def test_bounds_hold_wherever_it_stops(random_joint):
    joints = [random_joint(seed, (6, 5, 4), zeros=0.3) for seed in range(3)]
    _, _, best = solve(joints)
    for max_iter in (1, 2, 4, 8):
        p1, p2, early = solve(joints, tol=1e-14, max_iter=max_iter)
        assert_proven(p1, p2, early)
        assert early.reasons == (Reason.ITERATIONS,) * 3
        assert (early.lower <= best.upper).all()
        assert (early.upper >= best.lower).all()


def test_where_rounding_ends_the_progress_it_says_so(random_joint):
    p1, p2, solution = solve([random_joint(0, (5, 4, 3))], tol=1e-18, max_iter=1000)
    assert_proven(p1, p2, solution)
    assert solution.reasons == (Reason.ACCURACY,)


def test_chunks_keep_the_order(random_joint, monkeypatch):
    joints = [random_joint(k, (4, 3, 3)) for k in range(5)]
    _, _, whole = solve(joints)
    for name in ("_CHUNK_ELEMENTS", "_DEVICE_CHUNK_ELEMENTS"):
        monkeypatch.setattr(f"modalprism.pid.newton_batch.{name}", 2 * 4 * 3 * 9)
    _, _, chunks = solve(joints)
    torch.testing.assert_close(chunks.upper, whole.upper, rtol=0, atol=1e-9)


def test_the_factor_solves_the_system():
    """Against the product with the system of one problem, which is written independently."""
    rng = np.random.default_rng(0)
    A, B = rng.random((3, 5, 3)), rng.random((3, 4, 3))
    A[0, 1, 2] = B[1, 2, 0] = 0.0
    R, W = rng.random((3, 5, 4)), 10.0 ** rng.uniform(-2, 2, (3, 5, 4))
    batch = BatchSystem(*(torch.as_tensor(table, device=DEVICE) for table in (A, B, R, W)))
    x1, x2 = rng.random(A.shape) * (A > 0), rng.random(B.shape) * (B > 0)
    systems = [
        System(*table, table[2] @ table[1], table[2].T @ table[0])
        for table in zip(A, B, R, W, strict=True)
    ]
    products = [
        system.product(*x) for system, x in zip(systems, zip(x1, x2, strict=True), strict=True)
    ]
    right = (torch.as_tensor(np.stack([p[k] for p in products]), device=DEVICE) for k in (0, 1))
    d1, d2, d_s = (table.cpu().numpy() for table in batch.solve(*right))
    assert batch.sound.all()
    for k, system in enumerate(systems):
        again = system.product(d1[k], d2[k])
        for ours, theirs in zip((*again[:2], d_s[k]), products[k], strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def test_what_a_gpu_cannot_factorise_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda _: 79 * 2**30)
    needed = memory.newton_bytes((5_000, 5_000, 20), 1, torch.device("cuda"))
    assert not memory.fits(needed, torch.device("cuda"))


@pytest.mark.skipif(DEVICE == "cpu", reason="there is no GPU here")
def test_the_public_face_takes_it_to_a_gpu(random_joint):
    joints = [random_joint(k, (6, 5, 4)) for k in range(4)]
    there = decompose_batch(joints, solver="newton", device="cuda", tol=1e-9)
    here = decompose_batch(joints, solver="newton", tol=1e-9)
    for one, other in zip(there, here, strict=True):
        assert one.upper == pytest.approx(other.upper, abs=2e-9)

"""The truth from elsewhere: two independent solvers, written differently, on small problems."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import xlogy

from modalprism.pid import solve_union_information


def conditional_information(q, p_y):
    """I_q(X1X2;Y) of a coupling (n1, n2, C), in nats."""
    return xlogy(q, q).sum() - xlogy(q.sum(2), q.sum(2)).sum() - xlogy(p_y, p_y).sum()


def solve_by_programming(joint):
    """Minimise over the cells of the coupling with SLSQP."""
    p1, p2 = joint.sum(1), joint.sum(0)
    p_y = p1.sum(0)
    shape = joint.shape
    cells = np.eye(joint.size).reshape(joint.size, *shape)
    constraints = np.concatenate(
        [cells.sum(2).reshape(joint.size, -1), cells.sum(1).reshape(joint.size, -1)], axis=1
    ).T
    # Keep independent rows only: the marginals repeat p(y).
    _, singular, rows = np.linalg.svd(constraints)
    basis = rows[: int((singular > 1e-10).sum())]
    start = (p1[:, None] * p2[None] / p_y).ravel()

    def gradient(flat):
        q = flat.reshape(shape).clip(1e-15)
        return np.log(q / q.sum(2, keepdims=True)).ravel()

    found = minimize(
        lambda flat: conditional_information(flat.reshape(shape).clip(0), p_y),
        start,
        jac=gradient,
        method="SLSQP",
        bounds=[(0, 1)] * joint.size,
        constraints={"type": "eq", "fun": lambda f: basis @ (f - start), "jac": lambda _: basis},
        options={"maxiter": 2000, "ftol": 1e-14},
    )
    assert found.success, found.message
    return found.fun


def solve_by_plain_fitting(joint, steps=3000, inner=3):
    """Alternate proportional fitting of the whole tensor with its mixture over y."""
    p_y = joint.sum((0, 1))
    a, b = joint.sum(1) / p_y, joint.sum(0) / p_y
    r = joint.sum((1, 2))[:, None] * joint.sum((0, 2))
    q = np.repeat(r[:, :, None], p_y.size, axis=2)
    for _ in range(steps):
        for _ in range(inner):
            q *= (a / q.sum(1))[:, None]
            q *= (b / q.sum(0))[None]
        mixture = q @ p_y
        q *= (mixture / r)[:, :, None]  # a new r under the scalings found so far
        r = mixture
    for _ in range(2000):
        q *= (a / q.sum(1))[:, None]
        q *= (b / q.sum(0))[None]
    return conditional_information(q * p_y, p_y)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("shape", [(2, 2, 2), (3, 3, 2), (2, 4, 3)])
def test_agrees_with_a_general_program(random_joint, seed, shape):
    joint = random_joint(seed, shape, concentration=0.7)
    union = solve_union_information(joint.sum(1), joint.sum(0), tol=1e-8, max_iter=20_000)
    reference = solve_by_programming(joint)
    assert union.converged
    assert union.lower - 1e-7 <= reference
    assert union.upper == pytest.approx(reference, abs=1e-7)


@pytest.mark.parametrize(("seed", "shape"), [(0, (4, 5, 3)), (1, (6, 3, 4)), (2, (5, 5, 5))])
def test_agrees_with_a_long_plain_run(random_joint, seed, shape):
    joint = random_joint(seed, shape)
    union = solve_union_information(joint.sum(1), joint.sum(0), tol=1e-8, max_iter=20_000)
    reference = solve_by_plain_fitting(joint)
    assert union.lower <= reference
    assert union.upper == pytest.approx(reference, abs=5e-7)

"""The bounds prove themselves, at every stopping point and on awkward tables."""

import numpy as np
import pytest
import torch

from modalprism.pid import mutual_information, solve_union_information
from modalprism.pid.certificate import feasible_potentials
from modalprism.pid.coupling import Coupling

SHAPES = [
    ((2, 2, 2), 0.0),
    ((3, 4, 2), 0.4),
    ((10, 6, 5), 0.6),
    ((6, 10, 5), 0.0),
    ((1, 5, 3), 0.0),
    ((12, 12, 20), 0.8),
]


def assert_certified(p1, p2, union):
    """Check the dual potentials against their definition."""
    s = (np.exp(union.alpha) * p1.sum(0)) @ np.exp(union.beta).T
    assert s.max() <= 1
    value = (p1[p1 > 0] * union.alpha[p1 > 0]).sum() + (p2[p2 > 0] * union.beta[p2 > 0]).sum()
    assert union.lower == pytest.approx(value, abs=1e-12)
    assert union.lower <= union.upper
    assert union.alpha.shape == p1.shape
    assert union.beta.shape == p2.shape
    assert union.alpha.dtype == union.beta.dtype == np.float64
    assert np.isfinite(union.alpha[p1 > 0]).all()
    assert np.isfinite(union.beta[p2 > 0]).all()


@pytest.mark.parametrize(("shape", "zeros"), SHAPES)
def test_every_stopping_point_brackets_a_long_run(random_joint, shape, zeros):
    joint = random_joint(7, shape, zeros=zeros)
    p1, p2 = joint.sum(1), joint.sum(0)
    best = solve_union_information(p1, p2, tol=1e-8, max_iter=20_000)
    assert best.converged
    assert_certified(p1, p2, best)
    for max_iter in (1, 2, 3, 5, 10, 100):
        union = solve_union_information(p1, p2, tol=1e-14, max_iter=max_iter)
        assert_certified(p1, p2, union)
        assert union.lower <= best.upper
        assert union.upper >= best.lower
        assert union.iterations <= max_iter


def test_gates_are_certified(gate):
    joint, _ = gate
    p1, p2 = joint.sum(1), joint.sum(0)
    assert_certified(p1, p2, solve_union_information(p1, p2, tol=1e-7, max_iter=500))


@pytest.mark.parametrize("scale", [0.3, 2.0, 8.0, 30.0])
@pytest.mark.parametrize("correlation", [0.0, 0.95])
def test_posteriors_reach_a_useful_gap(random_posteriors, scale, correlation):
    p1, p2 = random_posteriors(3, 96, 6, scale=scale, correlation=correlation)
    union = solve_union_information(p1, p2, tol=1e-3, max_iter=500)
    assert union.converged
    assert union.upper - union.lower <= 1e-3
    assert_certified(p1, p2, union)


def test_any_potentials_and_any_iterate_give_bounds(random_joint):
    joints = [random_joint(seed, (5, 4, 3), zeros=0.2) for seed in (5, 6)]
    p1 = torch.tensor(np.stack([joint.sum(1) for joint in joints]))
    p2 = torch.tensor(np.stack([joint.sum(0) for joint in joints]))
    p_y = p1.sum(1, keepdim=True)
    best = [
        solve_union_information(*(p[k].numpy() for p in (p1, p2)), tol=1e-9, max_iter=200)
        for k in (0, 1)
    ]
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        alpha = torch.randn(p1.shape, generator=generator, dtype=torch.float64) * 3
        beta = torch.randn(p2.shape, generator=generator, dtype=torch.float64) * 3
        lower, alpha, beta = feasible_potentials(p1, p2, alpha, beta)
        assert float(((alpha.exp() * p_y) @ beta.exp().mT).max()) <= 1
        r = torch.rand((2, 5, 4), generator=generator, dtype=torch.float64)
        u = torch.rand(p1.shape, generator=generator, dtype=torch.float64) * (p1 > 0)
        v = torch.rand(p2.shape, generator=generator, dtype=torch.float64) * (p2 > 0)
        upper = Coupling.rounded(p1, p2, r, u, v).information()
        for k in (0, 1):
            assert lower[k] <= best[k].upper
            assert upper[k] >= best[k].lower


@pytest.mark.parametrize("solver", ["newton", "ipfp"])
@pytest.mark.parametrize("max_iter", [1, 4, 300])
def test_the_coupling_has_the_marginals_and_attains_the_upper_bound(random_joint, solver, max_iter):
    joint = np.pad(random_joint(5, (9, 4, 3), zeros=0.3), ((1, 0), (0, 2), (0, 1)))
    p1, p2 = joint.sum(1), joint.sum(0)
    union = solve_union_information(p1, p2, solver=solver, tol=1e-7, max_iter=max_iter)
    q = union.coupling()
    assert q.shape == joint.shape
    assert q.min() >= 0
    np.testing.assert_allclose(q.sum(1), p1, atol=1e-12)
    np.testing.assert_allclose(q.sum(0), p2, atol=1e-12)
    information = mutual_information(q.reshape(-1, q.shape[2]))
    assert union.lower - 1e-12 <= information <= union.upper + 1e-12 or max_iter < 300
    assert information >= union.upper - 1e-12


def test_bounds_do_not_depend_on_their_blocks(random_joint, monkeypatch):
    joint = random_joint(5, (9, 4, 3))
    p1, p2 = joint.sum(1), joint.sum(0)
    whole = solve_union_information(p1, p2, solver="ipfp", tol=1e-14, max_iter=5)
    monkeypatch.setattr("modalprism.pid.coupling._BLOCK_ELEMENTS", 25)
    blocks = solve_union_information(p1, p2, solver="ipfp", tol=1e-14, max_iter=5)
    assert blocks.upper == pytest.approx(whole.upper, abs=1e-14)
    assert blocks.lower == pytest.approx(whole.lower, abs=1e-14)
    np.testing.assert_allclose(blocks.coupling(), whole.coupling(), atol=1e-14)


@pytest.mark.parametrize("tiny", [1e-12, 1e-100, 1e-200, 1e-300])
def test_tiny_cells_neither_overflow_nor_break_the_bounds(tiny):
    joint = np.full((3, 3, 3), tiny)
    joint[0, 0, 0] = joint[1, 1, 1] = 0.4
    joint[2, 2, 2] = 0.2
    joint[0, 1, 2] = 0
    p1, p2 = joint.sum(1), joint.sum(0)
    union = solve_union_information(p1, p2, tol=1e-6, max_iter=2000)
    assert_certified(p1, p2, union)
    entropy = -(0.8 * np.log(0.4) + 0.2 * np.log(0.2))
    assert union.lower <= entropy + 1e-9
    assert union.upper == pytest.approx(entropy, abs=1e-5)


def test_a_symbol_of_tiny_probability_is_carried():
    joint = np.zeros((3, 3, 2))
    joint[0, 0, 0] = joint[1, 1, 1] = 0.5
    joint[2, 2, 0] = 1e-300
    p1, p2 = joint.sum(1), joint.sum(0)
    union = solve_union_information(p1, p2, tol=1e-9, max_iter=100)
    assert union.converged
    assert_certified(p1, p2, union)

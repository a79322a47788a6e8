"""Solvers are objects: those of the package, a user's own, and those of other packages."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from modalprism.errors import InputError
from modalprism.pid import (
    IPFP,
    Auto,
    Momentum,
    Newton,
    Reason,
    decompose,
    decompose_batch,
    gate,
    solve_batch,
)
from modalprism.pid.coupling import Coupling
from modalprism.pid.solution import Bounds
from modalprism.pid.torch_backend import TorchBackend

# The best potential of source 1 alone, and the sources coupled independently given y.
OUTSIDE = """
from dataclasses import dataclass

import torch

from modalprism.pid import Bounds, Reason
from modalprism.pid.coupling import Coupling


@dataclass(frozen=True)
class Independent:
    def __call__(self, problem, watch):
        first, second = problem.p_x1y, problem.p_x2y
        bounds = Bounds(first, second)
        p_y, p_x1 = first.sum(1, keepdim=True), first.sum(2, keepdim=True)
        bounds.offer_potentials((first / p_x1 / p_y).log(), torch.zeros_like(second))
        reference = first.new_ones(len(problem), *problem.shape[:2])
        coupling = Coupling.rounded(first, second, reference, first, second / p_y)
        bounds.offer_coupling(coupling)
        return bounds.solution(coupling, 1, Reason.ITERATIONS, "independent")

    def needed_bytes(self, shape, batch, tol, device):
        return 0
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Put a distribution on the path that registers a solver."""
    info = tmp_path / "outside-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[modalprism.solvers]\nindependent = outside_solver:Independent\n"
    )
    (tmp_path / "outside_solver.py").write_text(OUTSIDE)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("package")
def test_a_solver_of_another_package_is_certified(random_joint):
    joints = np.stack([random_joint(seed, (4, 3, 3)) for seed in range(3)])
    for d, joint in zip(decompose_batch(joints, solver="independent"), joints, strict=True):
        truth = decompose(joint, tol=1e-9)
        assert (d.solver, d.stopped) == ("independent", Reason.ITERATIONS)
        assert d.lower <= truth.upper
        assert d.upper >= truth.lower


@pytest.mark.parametrize(
    ("name", "solver"),
    [
        ("newton", Newton()),
        ("ipfp", IPFP()),
        ("auto", Auto()),
        ("ipfp", IPFP(Momentum(1.3, 3.0), TorchBackend(), torch.float32)),
    ],
)
def test_a_name_is_short_for_the_default_object(random_joint, name, solver):
    joint = random_joint(0, (6, 5, 4))
    by_name, by_object = (decompose(joint, solver=one, tol=1e-4) for one in (name, solver))
    assert dataclasses.astuple(by_name) == dataclasses.astuple(by_object)


def test_the_options_of_a_solver_matter(random_joint):
    joint = random_joint(0, (20, 20, 6))
    plain = decompose(joint, solver=IPFP(Momentum(1.0, math.inf)), tol=1e-3)
    assert plain.iterations > 2 * decompose(joint, solver="ipfp", tol=1e-3).iterations
    short = decompose(joint, solver=Newton(boundary=0.5), tol=1e-6)
    assert short.iterations > decompose(joint, solver="newton", tol=1e-6).iterations


@pytest.mark.parametrize("solver", [None, Newton, 3, len])
def test_what_is_no_solver_is_refused(solver):
    with pytest.raises(InputError, match=r"solver is .*: pass one of 'auto', 'newton', 'ipfp', or"):
        decompose(gate("and").joint, solver=solver)


def test_auto_solves_what_proportional_fitting_is_slow_on(random_joint):
    joints = np.stack([random_joint(seed, (10, 10, 10), zeros=0.5) for seed in range(30)])
    joints[3] = np.where(np.random.default_rng(0).random((10, 10, 10)) < 0.02, 1, 0)
    joints[3] /= joints[3].sum()
    unions = solve_batch(joints.sum(2), joints.sum(1), tol=1e-4, max_iter=2_000)
    assert all(union.converged for union in unions)
    assert {union.solver for union in unions} >= {"ipfp"}


def test_bounds_are_proven_whatever_is_offered(random_joint):
    joint = torch.as_tensor(random_joint(0, (4, 3, 2)))[None]
    first, second = joint.sum(2), joint.sum(1)
    truth = decompose(joint[0], base=math.e, tol=1e-9)
    generator = torch.Generator().manual_seed(0)
    bounds = Bounds(first, second)
    for _ in range(5):
        alpha, beta = (torch.randn(p.shape, generator=generator).double() for p in (first, second))
        bounds.offer_potentials(alpha, beta)
        r, u, v = (
            torch.rand(p.shape, generator=generator).double() for p in (joint, first, second)
        )
        bounds.offer_coupling(Coupling.rounded(first, second, r.sum(3), u, v))
        assert float(bounds.lower) <= truth.upper
        assert float(bounds.upper) >= truth.lower

"""What does not fit is refused before it is allocated; auto takes what does."""

import numpy as np
import pytest
import torch

from modalprism.errors import InputError
from modalprism.pid import Reason, decompose, decompose_batch, memory
from modalprism.pid.ipfp import solve_ipfp
from modalprism.pid.stopping import Watch

GIB, CPU = 2**30, torch.device("cpu")


@pytest.fixture
def free(monkeypatch):
    """Pretend that so many GiB are free, and that it is always worth asking."""
    monkeypatch.setattr(memory, "_SMALL", 0)
    return lambda gib: monkeypatch.setattr(memory, "available_bytes", lambda _: int(gib * GIB))


def test_newton_needs_more_and_says_what_to_do(free, random_joint):
    free(0.04)
    joint = random_joint(0, (80, 80, 10))
    with pytest.raises(InputError, match=r"80 × 80 states takes 0\.\d GiB .*solver=\"ipfp\""):
        decompose(joint, solver="newton")
    d = decompose(joint, tol=1e-4)
    assert d.solver == "ipfp"
    assert d.converged


def test_a_batch_that_is_too_large_is_refused(free):
    free(0.05)
    joints = np.ones((3000, 20, 20, 2))
    with pytest.raises(InputError, match=r"3,000 problems of 20 × 20 .*fewer of them at a time"):
        decompose_batch(joints, solver="ipfp")


def test_where_the_system_does_not_say_nothing_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda _: None)
    assert memory.fits(10**16, CPU)
    memory.check_fits(10**16, (10**7, 10**7, 2), 1, CPU)


def test_memory_grows_with_every_size():
    shape = 50, 40, 5
    least = memory.newton_bytes(shape, 1, CPU)
    for larger in ((60, 40, 5), (50, 50, 5), (50, 40, 6)):
        assert memory.newton_bytes(larger, 1, CPU) > least
    assert memory.ipfp_bytes(shape, 1, CPU) < least
    assert memory.ipfp_bytes(shape, 10, CPU) > memory.ipfp_bytes(shape, 1, CPU)


def test_fifty_thousand_states_fit_one_card_of_80_gb(monkeypatch):
    """Three float32 tables of 10 GB; once they are float64, 60 GB and one of them twice."""
    card, shape = torch.device("cuda"), (50_000, 50_000, 16)
    table = 50_000**2 * 4
    needed = memory.ipfp_bytes(shape, 1, card, tol=1e-4)
    assert 3 * table < needed < 3.3 * table
    assert needed + memory.WIDENING_BYTES * 50_000**2 < 80e9
    assert memory.ipfp_bytes(shape, 1, card, tol=1e-6) < 80e9
    monkeypatch.setattr(memory, "available_bytes", lambda _: 79 * GIB)
    memory.check_fits(needed, shape, 1, card)
    shape = 90_000, 90_000, 16
    with pytest.raises(InputError, match=r"90,000 × 90,000 states takes 92\.\d GiB and 79\.0 GiB"):
        memory.check_fits(memory.ipfp_bytes(shape, 1, card, 1e-4), shape, 1, card)


def test_the_count_is_what_torch_allocates(random_posteriors):
    """The largest amount alive at once, by the profiler, is what was said beforehand."""
    n, n_classes = 1_500, 4
    tables = [torch.as_tensor(t)[None] for t in random_posteriors(0, n, n_classes)]
    for dtype, tol in ((torch.float32, 1e-2), (torch.float64, 1e-5)):
        with (
            torch.profiler.profile(profile_memory=True) as profile,
            Watch(tol, 4) as watch,
        ):
            solve_ipfp(*tables, watch, dtype=dtype)
        alive = most = 0
        for event in sorted(profile.profiler.kineto_results.events(), key=lambda e: e.start_ns()):
            if event.name() == "[memory]":
                alive += event.nbytes()
                most = max(most, alive)
        needed = memory.ipfp_bytes((n, n, n_classes), 1, CPU, tol)
        assert 0.5 * needed < most <= needed


def test_without_room_float32_does_not_become_float64(monkeypatch, random_joint):
    monkeypatch.setattr("modalprism.pid.ipfp._PATIENCE32", (1, 20))
    monkeypatch.setattr("modalprism.pid.ipfp.fits", lambda *_: False)
    joint = torch.as_tensor(random_joint(0, (3, 3, 2)))[None]
    with Watch(1e-12, 5_000) as watch:
        solution = solve_ipfp(joint.sum(2), joint.sum(1), watch, dtype=torch.float32)
    assert solution.coupling.reference.dtype == torch.float32
    assert solution.reasons == (Reason.ACCURACY,)
    assert 0 <= float(solution.gap) < 1e-3

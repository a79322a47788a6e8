"""The compiled sweep does what torch does, to the last bit the same whatever the threads."""

import logging
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

pytest.importorskip("numba", reason="Numba, which compiles the sweep, is not installed")

import numba

from modalprism.pid import backends, numba_backend, numba_kernel
from modalprism.pid.acceleration import MirrorStep, Momentum, PlainStep
from modalprism.pid.ipfp import solve_ipfp
from modalprism.pid.iterate import LOG_RANGE, Iterate
from modalprism.pid.numba_backend import NumbaBackend
from modalprism.pid.stopping import Reason, Watch
from modalprism.pid.torch_backend import TorchBackend, sweep

CPU = torch.device("cpu")


def marginals(random_joint, batch, shape, zeros=0.3):
    joints = torch.stack(
        [torch.as_tensor(random_joint(k, shape, zeros=zeros)) for k in range(batch)]
    )
    return joints.sum(2), joints.sum(1)


def started(tables, backend):
    """Return an iterate as the solver starts it."""
    iterate = Iterate(*tables, torch.float32)
    sweep(iterate, backend)
    return iterate


def moved(tables, backend, *, measure=True, updates=4, refit=True):
    """All that a run leaves behind: an update, and a fit, time and again."""
    iterate = started(tables, backend)
    batch = iterate.kernel.shape[0]
    log_r, previous = torch.zeros_like(iterate.kernel), torch.zeros_like(iterate.kernel)
    progress = []
    for age in range(updates):
        weight = torch.full((batch, 1, 1), age / (age + 3.0))
        step = MirrorStep(iterate, Momentum(), log_r, previous, weight, measure=measure)
        sweep(iterate, backend, step, refit=refit)
        log_r, previous = previous, log_r
        progress.append(step.progress)
        fitted = iterate.fitted
        sweep(iterate, backend)
    return [iterate.kernel, iterate.u, iterate.v, fitted, log_r, previous, *progress]


@pytest.mark.parametrize(
    ("batch", "shape"),
    [
        (1, (70, 130, 5)),
        (3, (9, 7, 4)),
        (1, (33, 65, 17)),
        (1, (1, 200, 1)),
        (1, (300, 1, 2)),
        (2, (270, 96, 24)),
        (1, (8, 32, 40)),
    ],
)
@pytest.mark.parametrize("measure", [False, True])
@pytest.mark.parametrize("zeros", [0.0, 0.3])
def test_equals_torch(random_joint, batch, shape, measure, zeros):
    tables = marginals(random_joint, batch, shape, zeros)
    torchs = moved(tables, TorchBackend(), measure=measure)
    ours = moved(tables, NumbaBackend(), measure=measure)
    for our, their in zip(ours, torchs, strict=True):
        torch.testing.assert_close(our, their, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("refit", [False, True])
def test_the_plain_step_equals_torch(random_joint, refit):
    results = []
    for backend in (TorchBackend(), NumbaBackend()):
        iterate = started(marginals(random_joint, 2, (40, 50, 6)), backend)
        for _ in range(3):
            sweep(iterate, backend, PlainStep(iterate), refit=refit)
        results.append((iterate.kernel, iterate.u, iterate.v, iterate.fitted))
    for ours, torchs in zip(results[1], results[0], strict=True):
        torch.testing.assert_close(ours, torchs, rtol=2e-5, atol=2e-6)


def test_another_step_goes_through_torch(random_joint):
    results = []
    for backend in (TorchBackend(), NumbaBackend()):
        iterate = started(marginals(random_joint, 1, (9, 7, 4)), backend)
        iterate.kernel.fill_(1.0)
        sweep(
            iterate, backend, lambda tile, s, iterate=iterate: iterate.kernel[tile].mul_(s).sqrt_()
        )
        results.append((iterate.kernel, iterate.u, iterate.v))
    torch.testing.assert_close(results[0], results[1])


def test_the_threads_do_not_matter(random_joint, monkeypatch):
    tables = marginals(random_joint, 2, (700, 70, 5))
    assert len(numba_backend._strips(700)) > 3
    results = []
    for threads in (1, 1, 2, 3):
        monkeypatch.setattr(numba_backend, "available_threads", lambda threads=threads: threads)
        results.append(moved(tables, NumbaBackend()))
    for result in results[1:]:
        assert all(map(torch.equal, result, results[0]))


@pytest.mark.parametrize("n_rows", [1, 8, 127, 255, 256, 257, 1000, 4096, 50_001])
def test_strips_are_whole_tiles_of_rows(n_rows):
    strips = numba_backend._strips(n_rows)
    assert [s.start for s in strips] == [0, *(s.stop for s in strips[:-1])]
    assert strips[-1].stop == n_rows
    assert all(s.start % numba_kernel.ROWS == 0 and s.stop > s.start for s in strips)


def test_the_bounds_hold_and_enclose_those_of_torch(random_joint):
    tables = marginals(random_joint, 2, (20, 17, 4))
    with Watch(1e-7, 5_000) as watch:
        tight = solve_ipfp(*tables, watch)
    with Watch(1e-3, 500) as watch:
        solution = solve_ipfp(*tables, watch, backend=NumbaBackend(), dtype=torch.float32)
    assert solution.reasons == (Reason.CONVERGED,) * 2
    assert (solution.lower <= tight.upper).all()
    assert (solution.upper >= tight.lower).all()


@pytest.mark.parametrize("tiny", [1e-30, 1e-200])
def test_what_is_too_small_for_float32_does_not_underflow(tiny):
    p = torch.rand(1, 20, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64) ** 3
    p[0, ::3, 1], p[0, 1::3, 2], p[0, 5] = tiny, 0.0, tiny
    p /= p.sum()
    ours = moved((p, p), NumbaBackend(), updates=60)
    torchs = moved((p, p), TorchBackend(), updates=60)
    for our, their in zip(ours[:4], torchs[:4], strict=True):
        assert our.isfinite().all()
        assert float(our[our > 0].min()) >= torch.finfo(torch.float32).tiny
        assert torch.equal(our == 0, their == 0)


def applied(operation, numbers):
    """One of a vector's functions, of many numbers."""

    @numba_kernel._routine
    def apply(build, source, target):
        vector = numba_kernel._Memory(build, source).load()
        numba_kernel._Memory(build, target).store(getattr(vector, operation)())

    @numba.njit
    def loop(numbers, results):
        for start in range(0, len(numbers), 16):
            apply(numbers[start:].ctypes.data, results[start:].ctypes.data)

    numbers = np.asarray(numbers, np.float32)
    numbers = np.concatenate([numbers, np.ones(-len(numbers) % 16, np.float32)])
    results = np.empty_like(numbers)
    loop(numbers, results)
    exact = getattr(np, operation)(numbers.astype(np.float64))
    return np.abs(results - exact) / np.spacing(np.abs(exact).astype(np.float32))


def test_the_logarithm_errs_by_less_than_two_units_in_the_last_place():
    rng = np.random.default_rng(0)
    least = np.sqrt(np.finfo(np.float32).tiny)
    spread = np.exp(rng.uniform(np.log(least), 80.0, 400_000))
    near_one = 1.0 + rng.uniform(-0.5, 1.0, 400_000) ** 3
    edges = [least, 0.5, np.sqrt(0.5), 1.0, np.nextafter(np.float32(1), 0), np.sqrt(2.0), 2.0, 1e30]
    assert applied("log", np.concatenate([spread, near_one, edges])).max() < 2.0


def test_the_exponential_errs_by_less_than_two_units_in_the_last_place():
    rng = np.random.default_rng(0)
    low, high = LOG_RANGE[torch.float32]
    numbers = [rng.uniform(low, high, 400_000), rng.uniform(-1, 1, 400_000) ** 5, [low, high, 0.0]]
    assert applied("exp", np.concatenate(numbers)).max() < 2.0


def test_large_float32_tables_are_swept_by_numba():
    large, small = (1 << 10, 5, 1 << 10), (200, 20, 200)
    assert isinstance(backends.backend_for(CPU, torch.float32, large), NumbaBackend)
    for dtype, shape in ((torch.float32, small), (torch.float64, large)):
        assert type(backends.backend_for(CPU, dtype, shape)) is TorchBackend


def test_without_numba_torch_sweeps(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "modalprism.pid.numba_backend", None)
    with caplog.at_level(logging.DEBUG, "modalprism.pid"):
        backend = backends.backend_for(CPU, torch.float32, (1 << 10, 5, 1 << 10))
    assert type(backend) is TorchBackend
    assert [record.levelname for record in caplog.records] == ["DEBUG"]


def test_where_nothing_can_be_kept_it_is_compiled_each_time(monkeypatch, caplog):
    asked = []

    def njit(_signature, *, nogil, cache=False):
        assert nogil
        asked.append(cache)
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(numba_backend, "numba", SimpleNamespace(njit=njit))
    with caplog.at_level(logging.DEBUG, "modalprism.pid"):
        assert numba_backend.compiled_sweep.__wrapped__() is numba_kernel.sweep_strip
    assert asked == [True, False]
    assert "no locator" in caplog.text

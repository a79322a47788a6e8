"""The GPU's kernel does what torch does: on a GPU where there is one, else in Triton's interpreter.

`conftest` chooses the interpreter, which has to happen before Triton is imported.
"""

from types import SimpleNamespace

import pytest
import torch

pytest.importorskip("triton", reason="Triton, which the kernel is written in, is not installed")

from modalprism.pid import triton_backend
from modalprism.pid.acceleration import MirrorStep, Momentum, PlainStep
from modalprism.pid.ipfp import solve_ipfp
from modalprism.pid.iterate import Iterate
from modalprism.pid.stopping import Reason, Watch
from modalprism.pid.torch_backend import TorchBackend, sweep
from modalprism.pid.triton_backend import TritonBackend

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def marginals(random_joint, batch, shape, zeros=0.3):
    joints = torch.stack(
        [torch.as_tensor(random_joint(k, shape, zeros=zeros)) for k in range(batch)]
    ).to(DEVICE)
    return joints.sum(2), joints.sum(1)


def started(tables, backend):
    """Return an iterate as the solver starts it."""
    iterate = Iterate(*tables, torch.float32)
    sweep(iterate, backend)
    return iterate


@pytest.mark.parametrize(
    ("batch", "shape"),
    [(1, (70, 130, 5)), (3, (9, 7, 4)), (1, (33, 65, 17)), (1, (1, 200, 1))],
)
@pytest.mark.parametrize("measure", [False, True])
def test_the_kernel_equals_torch(random_joint, monkeypatch, batch, shape, measure):
    monkeypatch.setattr("modalprism.pid.triton_backend._PROGRAMS", 8)  # Several tiles a chunk.
    tables = marginals(random_joint, batch, shape)
    results = []
    for backend in (TorchBackend(), TritonBackend()):
        iterate = started(tables, backend)
        log_r, previous = torch.zeros_like(iterate.kernel), torch.zeros_like(iterate.kernel)
        progress = []
        for age in range(4):
            weight = torch.full((batch, 1, 1), age / (age + 3.0), device=DEVICE)
            step = MirrorStep(iterate, Momentum(), log_r, previous, weight, measure=measure)
            sweep(iterate, backend, step)
            log_r, previous = previous, log_r
            progress.append(step.progress)
        results.append(
            (iterate.kernel, iterate.u, iterate.v, iterate.fitted, log_r, previous, *progress)
        )
    for ours, torchs in zip(results[1], results[0], strict=True):
        torch.testing.assert_close(ours, torchs, rtol=2e-4, atol=2e-5)


def test_the_bounds_hold_and_enclose_those_of_torch(random_joint):
    tables = marginals(random_joint, 2, (20, 17, 4))
    with Watch(1e-3, 500) as watch:
        solution = solve_ipfp(*tables, watch, backend=TritonBackend(), dtype=torch.float32)
    assert solution.reasons == (Reason.CONVERGED,) * 2
    with Watch(1e-7, 5_000) as watch:
        tight = solve_ipfp(*tables, watch, backend=TorchBackend())
    assert (solution.lower <= tight.upper).all()
    assert (solution.upper >= tight.lower).all()


def test_what_is_too_small_for_float32_does_not_underflow():
    p = torch.rand(1, 20, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64) ** 3
    p[0, ::3, 1], p[0, 1::3, 2], p[0, 5] = 1e-200, 0.0, 1e-200
    p = (p / p.sum()).to(DEVICE)
    iterate, backend = started((p, p), TritonBackend()), TritonBackend()
    tables = torch.zeros_like(iterate.kernel), torch.zeros_like(iterate.kernel)
    weight = torch.full((1, 1, 1), 0.8, device=DEVICE)
    for _ in range(40):
        step = MirrorStep(iterate, Momentum(), *tables, weight, measure=True)
        sweep(iterate, backend, step)
        tables = tables[::-1]
    for table in (iterate.kernel, iterate.u, iterate.v, iterate.fitted):
        assert table.isfinite().all()
        assert float(table[table > 0].min()) >= torch.finfo(torch.float32).tiny


@pytest.mark.parametrize("refit", [False, True])
def test_a_plain_step_equals_torch(random_joint, refit):
    tables = marginals(random_joint, 2, (70, 130, 5))
    results = []
    for backend in (TorchBackend(), TritonBackend()):
        iterate = started(tables, TorchBackend())
        swept = backend.sweep(iterate, PlainStep(iterate), refit=refit)
        results.append((*swept, iterate.kernel, backend.fit_rows(iterate)))
    for ours, torchs in zip(results[1], results[0], strict=True):
        torch.testing.assert_close(ours, torchs, rtol=2e-5, atol=1e-6)


def test_another_step_goes_through_torch(random_joint):
    results = []
    for backend in (TorchBackend(), TritonBackend()):
        iterate = started(marginals(random_joint, 1, (9, 7, 4)), TorchBackend())

        def square(tile, s, kernel=iterate.kernel):
            kernel[tile].mul_(s.square_())

        results.append((*backend.sweep(iterate, square, refit=True), iterate.kernel))
    for ours, torchs in zip(results[1], results[0], strict=True):
        torch.testing.assert_close(ours, torchs)


@pytest.mark.parametrize(
    ("kilobytes", "classes", "expected"),
    [(227, 16, (3, 3, 4, 2)), (99, 64, (2, 1, 2, 2)), (16, 16, (1, 1, 1, 1))],
)
def test_a_card_with_less_shared_memory_has_fewer_stages(monkeypatch, kilobytes, classes, expected):
    card = SimpleNamespace(shared_memory_per_block_optin=kilobytes << 10)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: card)
    gpu = torch.device("cuda")
    tables = (1, 1, 1, 3)
    every = (triton_backend._ACROSS, triton_backend._DOWN, triton_backend._PLAIN)
    every += (triton_backend._EXTRAPOLATED,)
    stages = [
        tiles.stages_on(gpu, classes, count) for tiles, count in zip(every, tables, strict=True)
    ]
    assert tuple(stages) == expected

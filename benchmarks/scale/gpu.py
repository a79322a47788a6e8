"""A GPU's sweeps against its own roofline, and problems solved on it.

    PYTHONPATH=benchmarks python benchmarks/scale/gpu.py [n] [classes]

The roofline is the longer of two times measured in the same run: copying one n × n table once, and
as many operations as the three products R V, U Vᵀ and Rᵀ U have at the speed of a large square
product in single precision. A plain sweep is R ← R ∘ (U Vᵀ) and one scaling of U and V; the
accelerated one, which is what the solver does, fits U once more and keeps ln R and the one before.
Beside the roofline stands what a sweep's own reads and writes would take, each half a copy: three
of the plain one (R twice read, once written), and seven of the accelerated one (R read to fit U and
for the last product, two tables read and three written by the step). Milliseconds are medians of
five by the card's own events.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from solvers.problems import posteriors

from modalprism.pid import decompose_batch, decompose_marginals
from modalprism.pid.acceleration import MirrorStep, Momentum, PlainStep
from modalprism.pid.backends import backend_for
from modalprism.pid.iterate import Iterate
from modalprism.pid.memory import ipfp_bytes
from modalprism.pid.torch_backend import TorchBackend, sweep

GPU = torch.device("cuda")
TURNS = 5
SQUARE = 8_192
# Tables read by fitting U, read and written by the step, and read by the last product.
PLAIN_TABLES, ACCELERATED_TABLES = 2 + 1, 1 + 5 + 1


def milliseconds(work: Callable[[], object]) -> float:
    """Median of a few runs, after one that is not counted."""
    work()
    times = []
    for _ in range(TURNS):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        work()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return sorted(times)[TURNS // 2]


def sweeps(n: int, n_classes: int) -> None:
    """Print what a sweep takes beside the roofline."""
    tables = torch.rand(2, 1, n, n_classes, dtype=torch.float64, device=GPU) + 0.1
    for _ in range(50):
        tables /= tables.sum(3, keepdim=True) * n
        tables /= tables.sum(2, keepdim=True) * n_classes
    chosen = backend_for(GPU, torch.float32, (n, n_classes, n))
    iterate = Iterate(*tables, torch.float32)
    sweep(iterate, chosen)
    pair = [torch.zeros_like(iterate.kernel) for _ in range(2)]
    square = torch.rand(SQUARE, SQUARE, device=GPU)
    weight = torch.full((1, 1, 1), 0.5, device=GPU)

    def accelerated(*, measure: bool) -> None:
        step = MirrorStep(iterate, Momentum(), *pair, weight, measure=measure)
        sweep(iterate, chosen, step)
        pair.reverse()

    copy = milliseconds(lambda: pair[0].copy_(iterate.kernel))
    pair[0].zero_()
    products = milliseconds(lambda: square @ square) * 3 * n * n * n_classes / SQUARE**3
    roofline = max(copy, products)
    rows = {
        "copy of R": (copy, copy),
        "three products at peak": (products, products),
        "U fitted to R": (milliseconds(lambda: chosen.fit_rows(iterate)), copy / 2),
        "plain sweep": (
            milliseconds(lambda: sweep(iterate, chosen, PlainStep(iterate), refit=False)),
            PLAIN_TABLES * copy / 2,
        ),
        "accelerated sweep": (
            milliseconds(lambda: accelerated(measure=False)),
            ACCELERATED_TABLES * copy / 2,
        ),
        "accelerated sweep that measures": (
            milliseconds(lambda: accelerated(measure=True)),
            (ACCELERATED_TABLES + 1) * copy / 2,
        ),
    }
    torch_only = TorchBackend()
    step = PlainStep(iterate)
    rows["plain sweep, torch"] = (
        milliseconds(lambda: torch_only.sweep(iterate, step, refit=False)),
        PLAIN_TABLES * copy / 2,
    )
    print(f"\n{n:,} × {n:,} × {n_classes}, float32, by {type(chosen).__name__}\n")
    print("| | ms | of the roofline | of what its own reads and writes take |")
    print("|---|---|---|---|")
    for name, (took, floor) in rows.items():
        print(f"| {name} | {took:.2f} | {roofline / took:.0%} | {floor / took:.0%} |", flush=True)


def solves(sizes: tuple[int, ...], n_classes: int) -> None:
    """Print what it takes from marginals to a certified answer."""
    print("\n| posteriors | gap asked for | seconds | iterations | gap | memory, GB | counted |")
    print("|---|---|---|---|---|---|---|")
    for n in sizes:
        problem = posteriors(f"{n:,} × {n:,} × {n_classes}", n, n_classes, 1e-3)
        torch.cuda.reset_peak_memory_stats()
        begin = time.perf_counter()
        d = decompose_marginals(
            problem.p_x1y, problem.p_x2y, tol=problem.tol, solver="ipfp", device="cuda"
        )
        seconds = time.perf_counter() - begin
        memory = torch.cuda.max_memory_allocated() / 1e9
        counted = ipfp_bytes((n, n, n_classes), 1, GPU, problem.tol * np.log(2))
        print(
            f"| {problem.name} | 1e-3 bit | {seconds:.2f} | {d.iterations} | {d.gap:.1e} "
            f"| {memory:.1f} | {counted / 1e9:.1f} |",
            flush=True,
        )


def batches() -> None:
    """Print many small problems at once, on the card and on the processor."""
    joints = np.random.default_rng(0).gamma(1.0, size=(1_000, 20, 20, 10))
    print("\n| 1,000 × (20 × 20 × 10) to 1e-4 bit | seconds | largest gap |")
    print("|---|---|---|")
    for device, solver in (("cuda", "newton"), ("cuda", "ipfp"), ("cpu", "auto")):
        decompose_batch(joints[:10], tol=1e-4, device=device, solver=solver)
        begin = time.perf_counter()
        answers = decompose_batch(joints, tol=1e-4, device=device, solver=solver)
        seconds = time.perf_counter() - begin
        gap = max(d.gap for d in answers)
        print(f"| {device}, {solver} | {seconds:.2f} | {gap:.1e} |", flush=True)


def main() -> None:
    """Print all tables."""
    n, n_classes = (int(text) for text in [*sys.argv[1:], "50000", "16"][:2])
    print(f"{torch.cuda.get_device_name()}; torch {torch.__version__}; seed 0")
    torch.manual_seed(0)
    sweeps(n, n_classes)
    torch.cuda.empty_cache()
    solves((5_000, n // 2, n), n_classes)
    batches()


if __name__ == "__main__":
    main()

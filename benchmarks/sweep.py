"""One sweep by torch and by Numba, against three separate products and against the roofline.

    OMP_NUM_THREADS=1 python benchmarks/sweep.py [n] [classes]
    OMP_NUM_THREADS=1 python benchmarks/sweep.py --solve

A plain sweep is one update of R and one scaling of U and V, in float32: R ← R ∘ (U Vᵀ),
U ← A ⊘ (R V), V ← B ⊘ (Rᵀ U). The accelerated one is what the solver does: it fits U once more
first, which is a fourth product, and extrapolates ln R, which takes a logarithm and an exponential
of every cell and two more tables. The roofline is, for both, the longer of two times measured in
the same run: copying R once, and as many operations as three products have at the speed of a large
square product. The works take turns, so that what else the machine does disturbs them alike; wall
and processor time (of all threads) are each the best of many turns.

With --solve: two problems from marginals to a certified answer, by either backend.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from solvers.problems import dense, posteriors
from torch import Tensor

from modalprism.pid.acceleration import MirrorStep, Momentum, PlainStep
from modalprism.pid.ipfp import solve_ipfp
from modalprism.pid.iterate import Iterate
from modalprism.pid.numba_backend import NumbaBackend
from modalprism.pid.stopping import Watch
from modalprism.pid.threads import one_thread
from modalprism.pid.torch_backend import Backend, TorchBackend, sweep

TURNS = 25
Times = tuple[float, float]


def best(works: dict[str, Callable[[], object]], turns: int) -> dict[str, Times]:
    """Milliseconds of the fastest turn of each, by the clock and by the processor."""
    times: dict[str, list[Times]] = {name: [] for name in works}
    for _ in range(turns + 1):  # The first is not counted.
        for name, work in works.items():
            begin, spent = time.perf_counter(), time.process_time()
            work()
            spent = time.process_time() - spent
            times[name].append((1e3 * (time.perf_counter() - begin), 1e3 * spent))
    return {name: tuple(map(min, zip(*taken[1:], strict=True))) for name, taken in times.items()}


def sweeps(tables: Tensor, backend: Backend) -> tuple[Callable[[], None], ...]:
    """Make the plain and the accelerated sweep of one backend."""
    iterate = Iterate(*tables, torch.float32)
    sweep(iterate, backend)
    weight = torch.full((1, 1, 1), 0.5)
    pair = [torch.zeros_like(iterate.kernel) for _ in range(2)]

    def plain() -> None:
        with one_thread():  # As in the solver; the compiled sweep knows how many there were.
            sweep(iterate, backend, PlainStep(iterate), refit=False)

    def accelerated() -> None:
        with one_thread():
            step = MirrorStep(iterate, Momentum(), *pair, weight, measure=False)
            sweep(iterate, backend, step)
        pair.reverse()

    return plain, accelerated


def machine() -> str:
    """Name the processor and the threads."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    name = f"{len(names)} × {names[0]}" if names else platform.processor()
    return f"{name}; threads: {torch.get_num_threads()}"


def compare_sweeps(n: int, n_classes: int) -> None:
    """Print one table."""
    generator = torch.Generator().manual_seed(0)
    tables = torch.rand(2, 1, n, n_classes, generator=generator, dtype=torch.float64) + 0.1
    for _ in range(50):
        tables /= tables.sum(3, keepdim=True) * n
        tables /= tables.sum(2, keepdim=True) * n_classes
    plain, accelerated = sweeps(tables, TorchBackend())
    compiled_plain, compiled_accelerated = sweeps(tables, NumbaBackend())
    r = torch.ones(n, n)
    other = torch.empty_like(r)
    u, v = (table[0].float() for table in tables)
    a, b = u.clone(), v.clone()

    def separate() -> None:
        u_new = a / (r @ v)
        v_new = b / (r.mT @ u_new)
        torch.mul(r, u_new @ v_new.mT, out=other)

    side = min(n, 2048)
    square = torch.rand(side, side, generator=generator)
    works = {
        "copy of R": lambda: other.copy_(r),
        "three products at peak": lambda: square @ square,
        "three separate products": separate,
        "plain sweep, torch": plain,
        "plain sweep, Numba": compiled_plain,
        "accelerated sweep, torch": accelerated,
        "accelerated sweep, Numba": compiled_accelerated,
    }
    times = best(works, TURNS)
    products = n * n * n_classes * 3 / side**3
    wall, spent = times["three products at peak"]
    times["three products at peak"] = wall * products, spent * products
    roofline = [
        max(times["copy of R"][clock], times["three products at peak"][clock]) for clock in range(2)
    ]
    print(f"{n} × {n} × {n_classes}, float32, best of {TURNS}; {machine()}\n")
    print("| | ms | of the roofline | ms of processor | of the roofline |")
    print("|---|---|---|---|---|")
    for name, taken in times.items():
        cells = [f"{taken[k]:.1f} | {roofline[k] / taken[k]:.0%}" for k in range(2)]
        print(f"| {name} | {' | '.join(cells)} |")


def compare_solves() -> None:
    """Print seconds from marginals to a certified answer."""
    print(f"Seconds, best of 5; {machine()}\n")
    print("| | by torch | processor | by Numba | processor |")
    print("|---|---|---|---|---|")
    for problem in (
        dense("200×200×20 dense, 1e-4 bit", (200, 200, 20), 1e-4),
        posteriors("1,000×1,000×10 posteriors, 1e-3 bit", 1_000, 10, 1e-3),
        posteriors("2,000×2,000×10 posteriors, 1e-3 bit", 2_000, 10, 1e-3),
    ):
        tables = [torch.from_numpy(p)[None] for p in (problem.p_x1y, problem.p_x2y)]

        def solve(backend: Backend, tables=tables, tol=problem.tol) -> None:
            with one_thread(), Watch(tol * np.log(2), 10_000) as watch:
                solve_ipfp(*tables, watch, backend=backend)

        by = {"torch": TorchBackend(), "Numba": NumbaBackend()}
        times = best({name: lambda s=s, solve=solve: solve(s) for name, s in by.items()}, 5)
        cells = [f"{1e-3 * taken:.2f}" for name in by for taken in times[name]]
        print(f"| {problem.name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    if "--solve" in sys.argv:
        compare_solves()
    else:
        compare_sweeps(*(int(text) for text in [*sys.argv[1:], "4096", "16"][:2]))

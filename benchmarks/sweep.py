"""One plain sweep, fused, against three separate products and against the roofline.

    python benchmarks/sweep.py [n] [classes]

A plain sweep is one update of R and one scaling of U and V, in float32: R ← R ∘ (U Vᵀ),
U ← A ⊘ (R V), V ← B ⊘ (Rᵀ U). The roofline is the longer of two times measured in the same run:
copying R once, and as many operations as the three products have at the speed of a large square
product. All are the best of several, in milliseconds; compare them within one run only.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import torch

from modalprism.pid.sweep import Iterate

REPEATS = 15


def best(work: Callable[[], object]) -> float:
    """Milliseconds of the fastest of several runs."""
    work()
    seconds = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return 1e3 * min(seconds)


def main() -> None:
    """Print one table."""
    n, n_classes = (int(text) for text in [*sys.argv[1:], "4096", "16"][:2])
    generator = torch.Generator().manual_seed(0)
    tables = torch.rand(2, 1, n, n_classes, generator=generator, dtype=torch.float64) + 0.1
    for _ in range(50):
        tables /= tables.sum(3, keepdim=True) * n
        tables /= tables.sum(2, keepdim=True) * n_classes
    iterate = Iterate(*tables, torch.float32)

    def fused() -> None:
        iterate.update(lambda tile, s: iterate.kernel[tile].mul_(s), refit=False)

    fused_time = best(fused)
    r = iterate.kernel[0].clone()
    u, v = iterate.u[0].contiguous(), iterate.v[0].mT.contiguous()
    a, b = u.clone(), v.clone()

    def separate() -> None:
        u_new = a / (r @ v)
        v_new = b / (r.mT @ u_new)
        torch.mul(r, u_new @ v_new.mT, out=other)

    other = torch.empty_like(r)
    separate_time = best(separate)
    copy_time = best(lambda: other.copy_(r))
    side = min(n, 2048)
    square = torch.rand(side, side, generator=generator)
    rate = 2 * side**3 / best(lambda: square @ square)
    product_time = 3 * 2 * n * n * n_classes / rate
    roofline = max(copy_time, product_time)
    print(f"{n} × {n} × {n_classes}, float32, {torch.get_num_threads()} threads, best of {REPEATS}")
    print("| | ms | of the roofline |")
    print("|---|---|---|")
    for name, milliseconds in (
        ("copy of R", copy_time),
        ("three products at peak", product_time),
        ("fused sweep", fused_time),
        ("three separate products", separate_time),
    ):
        print(f"| {name} | {milliseconds:.1f} | {roofline / milliseconds:.0%} |")


if __name__ == "__main__":
    main()

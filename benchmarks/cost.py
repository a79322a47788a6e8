"""Measured times of the solvers beside the predictions of `modalprism.pid.cost`.

    python benchmarks/cost.py

Dense random tables (gamma, seed 0), one thread, best of up to five runs of a solver that may spend
a minute. Seconds; the last columns are the time of "auto" and its ratio to the faster solver.
"""

from __future__ import annotations

import math
import time

import numpy as np

from modalprism.pid import cost, solve_union_information

SHAPES = (
    (10, 10, 5),
    (20, 20, 10),
    (50, 50, 10),
    (100, 100, 4),
    (300, 50, 10),
    (200, 200, 20),
    (500, 500, 10),
)
TOLERANCES = (1e-2, 1e-4, 1e-6)  # bits
BUDGET, SPEND, ROUNDS = 60.0, 3.0, 5


def measured(solver: str, joint: np.ndarray, tol: float) -> float:
    """Seconds of the fastest run; infinite where it does not converge in time."""
    marginals = joint.sum(1), joint.sum(0)
    seconds: list[float] = []
    while len(seconds) < ROUNDS and sum(seconds) < SPEND:
        started = time.perf_counter()
        union = solve_union_information(
            *marginals, solver=solver, tol=tol, max_iter=10**6, time_limit=BUDGET
        )
        seconds.append(time.perf_counter() - started)
        if not union.converged:
            return math.inf
    return min(seconds)


def main() -> None:
    """Print one row a shape and a tolerance."""
    print("| shape | gap, bit | newton | expected | ipfp | expected | auto | times the better |")
    print("|---|---|---|---|---|---|---|---|")
    for shape in SHAPES:
        joint = np.random.default_rng(0).gamma(1.0, size=shape)
        joint /= joint.sum()
        for bits in TOLERANCES:
            tol = bits * math.log(2)
            seconds = {name: measured(name, joint, tol) for name in ("newton", "ipfp")}
            expected = {
                "newton": cost.newton_seconds(*shape, tol),
                "ipfp": cost.ipfp_seconds(*shape, tol),
            }
            chosen = cost.cheapest(*shape, tol)
            cells = (f"{seconds[name]:.3g} | {expected[name]:.3g}" for name in seconds)
            loss = seconds[chosen] / min(seconds.values())
            size = "×".join(map(str, shape))
            print(
                f"| {size} | {bits:g} | {' | '.join(cells)} | {chosen} | {loss:.1f} |", flush=True
            )


if __name__ == "__main__":
    main()

"""Union information that merging rows into states loses, and the part that is corrected.

    python benchmarks/merging.py

Posteriors of a label with ten classes seen through noise, n = 600, seed 0. The truth is the union
information of all rows without merging. In bits.
"""

from __future__ import annotations

import math

import numpy as np

from modalprism.estimation.atoms import Coupling, couple
from modalprism.estimation.states import merge_rows

N, CLASSES, SEED = 600, 10, 0
RELATIONS = ("one is weak", "one contains the other", "equals")


def posterior(rng: np.random.Generator, noise: float, label: np.ndarray) -> np.ndarray:
    """Posteriors of the label, scaled so that every class is equally likely."""
    position = 2 * np.eye(CLASSES)
    seen = position[label] + noise * rng.normal(size=(N, CLASSES))
    scores = -((seen[:, None] - position) ** 2).sum(-1) / (2 * noise**2)
    table = np.exp(scores - scores.max(1, keepdims=True)) + 1e-6
    for _ in range(1000):
        table /= table.mean(0)
        table /= table.sum(1, keepdims=True)
    return table


def main() -> None:
    """Print one row a relation and a number of states."""
    label = np.repeat(np.arange(CLASSES), N // CLASSES)
    print(f"n = {N}, {CLASSES} classes, seed {SEED}, bit")
    print("| sources | states | lost by the sources | error as merged | error as given back |")
    print("|---|---|---|---|---|")
    for relation in RELATIONS:
        rng = np.random.default_rng(SEED)
        first = posterior(rng, 1.0, label)
        second = {
            "one is weak": lambda rng=rng: posterior(rng, 3.0, label),
            "one contains the other": lambda first=first: 0.6 * first + 0.4 / CLASSES,
            "equals": lambda rng=rng: posterior(rng, 1.0, label),
        }[relation]()

        def solve(most: int, first=first, second=second) -> Coupling:
            states = merge_rows(first, most=most), merge_rows(second, most=most)
            return couple(states, tol=1e-3)

        truth = solve(N).information
        for most in (50, 100, 200, 300):
            few = solve(most)
            found = few.information
            numbers = (few.loss, found - few.merge_correction - truth, found - truth)
            cells = " | ".join(f"{number / math.log(2):+.3f}" for number in numbers)
            print(f"| {relation} | {most} | {cells} |")


if __name__ == "__main__":
    main()

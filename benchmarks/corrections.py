"""Errors of the atoms under each bias correction, on tables with known atoms.

    python benchmarks/corrections.py [--tables 20]

The tables are gates whose source symbols are split at random into several codes and replaced by a
random code in part of the rows, informative sources with many symbols, and noise. The truth is the
decomposition of the distribution from which the rows are drawn. In bits; seed 0.
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from modalprism.estimation.atoms import split_information
from modalprism.estimation.codebook.tables import (
    GAP_TOLERANCE,
    MOST_ITERATIONS,
    Coded,
    Codes,
    adjust,
    informations,
)
from modalprism.pid.gates import gate
from modalprism.pid.solve import solve_union_information

SEED = 0
ATOMS = ("R", "U1", "U2", "S")
PERMUTATIONS, BLOCKS, PARTITIONS = 100, 20, 5

Array = NDArray[np.float64]
Correction = Callable[[Coded, np.random.Generator], Array]
"""Coded rows and a generator → I(X₁;Y), I(X₂;Y), I(X₁X₂;Y), I_Q in nats, shape (4,)."""


def plug_in(coded: Coded, rng: np.random.Generator) -> Array:  # noqa: ARG001  (one signature)
    """Return the informations as they are counted."""
    return informations(coded.table()[None])[0][:, 0]


def miller_madow(coded: Coded, rng: np.random.Generator) -> Array:  # noqa: ARG001
    """Take off Miller's bias of an entropy, (K − 1)/2n for K filled cells (Miller 1955).

    I(X;Y) = H(X) + H(Y) − H(XY) is then lower by (K_xy − K_x − K_y + 1)/2n. The union information
    is that of its optimal coupling, whose filled cells are those with at least half a row in them.
    """
    table = coded.table()
    p = table / table.sum()
    union = solve_union_information(
        p.sum(1), p.sum(0), tol=GAP_TOLERANCE, max_iter=MOST_ITERATIONS
    ).coupling()
    n1, n2, classes = coded.shape
    excess = [
        (cells > least).sum() - (cells.sum(1) > least).sum() - (cells.sum(0) > least).sum() + 1
        for cells, least in (
            (table.sum(1), 0.0),
            (table.sum(0), 0.0),
            (table.reshape(n1 * n2, classes), 0.0),
            (union.reshape(n1 * n2, classes) * coded.n, 0.5),
        )
    ]
    corrected: Array = informations(table[None])[0][:, 0] - np.array(excess) / (2 * coded.n)
    return corrected


def null_level(coded: Coded, rng: np.random.Generator, permutations: int = PERMUTATIONS) -> Array:
    """Return what the codes seem to tell about a target that they do not know.

    The mean informations, shape (4,), over permutations of the target against both codes jointly;
    blocks of rows are permuted whole, so that rows that belong together raise the level as they
    raise the bias.
    """
    first, second = coded.codes
    orders = (coded.permutation(rng) for _ in range(permutations))
    tables = np.stack([coded.count(first[order], second[order]) for order in orders])
    level: Array = informations(tables)[0].mean(1)
    return level


def shuffled(coded: Coded, rng: np.random.Generator) -> Array:
    """Take off the null level, see `null_level`."""
    return plug_in(coded, rng) - null_level(coded, rng)


def adjusted(coded: Coded, rng: np.random.Generator) -> Array:
    """Take off as much of the null level as there is left to know, see `adjust`."""
    return adjust(plug_in(coded, rng), null_level(coded, rng), coded.ceiling)


def _part_weights(parts: list[Codes], n: int) -> Array:
    weights = np.zeros((len(parts), n))
    for weight, part in zip(weights, parts, strict=True):
        weight[part] = 1.0
    return weights


def _deal(coded: Coded, parts: int, rng: np.random.Generator) -> list[Codes]:
    """Deal the blocks of rows out to parts at random."""
    order = rng.permutation(len(coded.blocks))
    return [
        np.concatenate([coded.blocks[block] for block in share])
        for share in np.array_split(order, min(parts, len(order)))
    ]


def jackknife(coded: Coded, rng: np.random.Generator) -> Array:
    """Leave out a twentieth of the blocks at a time (Quenouille 1956): g θ − (g − 1) mean θ₋ⱼ."""
    left_out = 1 - _part_weights(_deal(coded, BLOCKS, rng), coded.n)
    weights = np.concatenate([np.ones((1, coded.n)), left_out])
    values, _ = informations(np.stack([coded.table(weight) for weight in weights]))
    g = len(left_out)
    corrected: Array = g * values[:, 0] - (g - 1) * values[:, 1:].mean(1)
    return corrected


def extrapolated(coded: Coded, rng: np.random.Generator) -> Array:
    """Extrapolate to n = ∞ by a parabola in 1/n through all rows, halves and quarters.

    θ(n) = θ + a/n + b/n² (Strong et al. 1998, doi:10.1103/PhysRevLett.80.197) gives
    θ = 8/3 θ(n) − 2 θ(n/2) + 1/3 θ(n/4), the parts averaged over five ways to deal.
    """
    halves, quarters = (
        [part for _ in range(PARTITIONS) for part in _deal(coded, parts, rng)] for parts in (2, 4)
    )
    weights = np.concatenate(
        [np.ones((1, coded.n)), _part_weights(halves, coded.n), _part_weights(quarters, coded.n)]
    )
    values, _ = informations(np.stack([coded.table(weight) for weight in weights]))
    whole, half, quarter = np.split(values, [1, 1 + len(halves)], axis=1)
    corrected: Array = 8 / 3 * whole.mean(1) - 2 * half.mean(1) + quarter.mean(1) / 3
    return corrected


CORRECTIONS = {
    "none": plug_in,
    "Miller–Madow": miller_madow,
    "shuffle": shuffled,
    "jackknife": jackknife,
    "extrapolation": extrapolated,
    "adjusted": adjusted,
}


def spread(joint: np.ndarray, codes: tuple[int, int], noise: float) -> np.ndarray:
    """Split symbols into codes, and exchange each source's for a random one in part of the rows."""
    for axis, k in enumerate(codes):
        channel = np.zeros((joint.shape[axis], k))
        channel[np.arange(k) % joint.shape[axis], np.arange(k)] = 1
        channel /= channel.sum(1, keepdims=True)
        channel = (1 - noise) * channel + noise / k
        joint = np.moveaxis(np.tensordot(joint, channel, (axis, 0)), -1, axis)
    return joint


def noise_table(k1: int, k2: int, classes: int) -> np.ndarray:
    """Independent, with codes and classes that are not equally likely."""
    parts = [np.arange(1, k + 1) ** -0.5 for k in (k1, k2, classes)]
    parts = [part / part.sum() for part in parts]
    return np.einsum("i,j,k->ijk", *parts)


def channel_table(k: int, classes: int, noises: tuple[float, float]) -> np.ndarray:
    """Two sources that see the class through noise, each by itself."""
    first, second = (
        (1 - noise) * np.eye(k)[np.arange(classes) % k] + noise / k for noise in noises
    )
    return np.einsum("yi,yj->ijy", first, second) / classes


def problems() -> dict[str, dict[str, np.ndarray]]:
    """Return the distributions by kind."""
    gates = ("rdn", "unq1", "xor", "and", "copy", "sum")
    return {
        "noise": {
            f"noise {k1}×{k2}×{c}": noise_table(k1, k2, c)
            for k1, k2, c in ((3, 3, 2), (10, 10, 2), (5, 5, 10), (10, 10, 10), (20, 5, 4))
        },
        "gates": {f"{g} {k}": spread(gate(g).joint, (k, k), 0) for g in gates for k in (4, 10)},
        "noisy gates": {
            f"{g} {k} noisy": spread(gate(g).joint, (k, k), 0.3) for g in gates for k in (4, 10)
        },
        "channels": {
            f"channels {k}×{k}×{c} {noises}": channel_table(k, c, noises)
            for k, c, noises in (
                (10, 10, (0.2, 0.6)),
                (10, 10, (0.2, 1.0)),
                (10, 10, (0.6, 0.6)),
                (20, 4, (0.5, 0.8)),
                (5, 5, (0.5, 1.0)),
            )
        },
    }


def errors(
    joint: np.ndarray, n: int, tables: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return the errors of the four atoms, (tables, 4) in bits, by correction."""
    truth = split_information(*informations(joint[None])[0][:, 0])[:4]
    found = defaultdict(list)
    for _ in range(tables):
        first, second, label = np.unravel_index(
            rng.choice(joint.size, n, p=joint.ravel()), joint.shape
        )
        coded = Coded.of((first, second), np.eye(joint.shape[2])[label], {})
        for name, correction in CORRECTIONS.items():
            found[name].append(split_information(*correction(coded, rng))[:4] - truth)
    return {name: np.array(rows) / math.log(2) for name, rows in found.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tables", type=int, default=20)
    parser.add_argument("--sizes", type=int, nargs="*", default=[200, 1000, 5000, 20000])
    parser.add_argument("--each", action="store_true", help="every distribution by itself")
    options = parser.parse_args()
    rng = np.random.default_rng(SEED)
    heads = " | ".join(f"bias {atom}" for atom in ATOMS)
    print(f"| distributions | n | correction | {heads} | largest bias | RMSE |")
    print("|---|---|---|---|---|---|---|---|---|")
    for kind, joints in problems().items():
        for n in options.sizes:
            found = {name: errors(joint, n, options.tables, rng) for name, joint in joints.items()}
            groups = {name: [name] for name in joints} if options.each else {kind: list(joints)}
            for group, members in groups.items():
                for correction in CORRECTIONS:
                    rows = np.stack([found[name][correction] for name in members])
                    bias = rows.mean(1)
                    mean = " | ".join(f"{value:+.3f}" for value in bias.mean(0))
                    rmse = math.sqrt((rows**2).mean())
                    print(
                        f"| {group} | {n} | {correction} | {mean} |"
                        f" {np.abs(bias).max():.3f} | {rmse:.3f} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()

"""How far each correction's atoms are from the true ones, on tables whose atoms are known.

    python benchmarks/corrections.py [--tables 20]

Gates, each source's symbol split at random into several codes and exchanged for a random one in
part of the rows; informative sources of many symbols; and noise. The truth is the decomposition of
the distribution that the rows are drawn from. In bits; seed 0.
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict

import numpy as np

from modalprism.estimation.atoms import split_information
from modalprism.estimation.codebook.corrections import CORRECTIONS
from modalprism.estimation.codebook.tables import Coded, informations
from modalprism.pid.gates import gate

SEED = 0
ATOMS = ("R", "U1", "U2", "S")


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

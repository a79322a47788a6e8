"""Ways to take the bias from the informations of a counted table.

A table of n rows has too much information: empty cells look like knowledge. What is counted from
independent noise in 10×10×10 cells reads as two bits with 200 rows. Each function here estimates
all four informations without that: I(X₁;Y), I(X₂;Y), I(X₁X₂;Y), and the union information, which
is solved anew for every table that a correction looks at. All have one signature, `Correction`;
`adjusted` is the estimator's, and `benchmarks/corrections.py` compares it with the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from modalprism.estimation.codebook.tables import (
    GAP_TOLERANCE,
    MOST_ITERATIONS,
    Coded,
    Codes,
    informations,
)
from modalprism.pid.solve import solve_union_information

Array = NDArray[np.float64]
Correction = Callable[[Coded, np.random.Generator], Array]
"""Coded rows and a generator → I(X₁;Y), I(X₂;Y), I(X₁X₂;Y), I_Q in nats, shape (4,)."""

PERMUTATIONS: Final = 100
BLOCKS: Final = 20
_PARTITIONS: Final = 5
_NOTHING: Final = 1e-9  # nats


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


def adjust(plug: Array, level: Array, ceiling: float) -> Array:
    """Move the null level to 0 and leave the ceiling where it is; see `adjusted`.

    Parameters
    ----------
    plug : ndarray, shape (4,) or (4, B)
        Informations as counted, in nats.
    level : ndarray, shape (4,)
        What they are where the target is noise.
    ceiling : float
        What they are where the codes tell all that rows do.
    """
    level = level.reshape(4, *(1,) * (plug.ndim - 1))
    room = ceiling - level
    # No room: every cell has one row, and the table can tell nothing from everything.
    return np.where(room > _NOTHING, ceiling * (plug - level) / np.maximum(room, _NOTHING), 0.0)


def adjusted(coded: Coded, rng: np.random.Generator) -> Array:
    """Take off as much of the null level as there is left to know.

    Of a target that the codes know, nothing is counted too much: there is no information above
    H(Y). Of one they do not know, the null level E is. In between, the bias follows what they leave
    open, and

        I* = H(Y) (I − E) / (H(Y) − E)

    reads 0 for noise and H(Y) for a copy: the adjusted mutual information of Vinh, Epps and Bailey
    (2010, JMLR 11:2837), not divided by its maximum, and here for the union information as well.
    """
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
        [part for _ in range(_PARTITIONS) for part in _deal(coded, parts, rng)] for parts in (2, 4)
    )
    weights = np.concatenate(
        [np.ones((1, coded.n)), _part_weights(halves, coded.n), _part_weights(quarters, coded.n)]
    )
    values, _ = informations(np.stack([coded.table(weight) for weight in weights]))
    whole, half, quarter = np.split(values, [1, 1 + len(halves)], axis=1)
    corrected: Array = 8 / 3 * whole.mean(1) - 2 * half.mean(1) + quarter.mean(1) / 3
    return corrected


CORRECTIONS: Final[Mapping[str, Correction]] = MappingProxyType(
    {
        "none": plug_in,
        "Miller–Madow": miller_madow,
        "shuffle": shuffled,
        "jackknife": jackknife,
        "extrapolation": extrapolated,
        "adjusted": adjusted,
    }
)

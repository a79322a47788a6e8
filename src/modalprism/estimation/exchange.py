"""Blocks of rows that are exchangeable under the null hypothesis, and permutations of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from modalprism.errors import InputError
from modalprism.estimation.folds import connected_groups

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

FEWEST_BLOCKS: Final = 8
"""Eight blocks have 40,320 orders and 256 patterns of signs; fewer cannot bear a test."""
ENOUGH_BLOCKS: Final = 20
MANY_BLOCKS: Final = 40
"""Blocks from which on they change places within their folds alone."""


def exchangeable_blocks(groups: Mapping[str, Any], n: int) -> tuple[Rows, ...]:
    """Divide the rows into independent blocks.

    The blocks are the connected components of the groups. If crossing groups leave fewer than 20
    components, the blocks are the groups of the column that has the most groups.

    Raises
    ------
    InputError
        If that column has fewer than 8 groups as well.

    Examples
    --------
    >>> len(exchangeable_blocks({"picture": np.arange(60) // 2}, 60))
    30
    """
    parts = [connected_groups(groups, n)]
    parts += sorted(
        (np.unique(column, return_inverse=True)[1].astype(np.int64) for column in groups.values()),
        key=lambda code: -int(code.max()),
    )[:1]
    enough = (part for part in parts if part.max() + 1 >= ENOUGH_BLOCKS)
    block = next(enough, parts[-1])
    if groups and block.max() + 1 < FEWEST_BLOCKS:
        raise InputError(
            f"the groups make {block.max() + 1} independent blocks of all {n:,} rows, too few for "
            f"a test; give rows of at least {FEWEST_BLOCKS} groups, or name fewer group columns",
            parameter="groups",
        )
    order = np.argsort(block, kind="stable").astype(np.int64)
    return tuple(np.split(order, np.flatnonzero(np.diff(block[order])) + 1))


def laid_out(blocks: Sequence[Rows], rng: np.random.Generator) -> Rows:
    """Lay blocks out in a random order, each rotated by a random offset, (n,).

    Neighbours in a block remain neighbours, except for one pair. The rotation is needed because
    swapping blocks with identical label sequences (ten true pairs, then ten false ones) changes
    nothing.

    Examples
    --------
    >>> laid_out([np.array([0, 1, 2]), np.array([3])], np.random.default_rng(1)).tolist()
    [1, 2, 0, 3]
    """
    lengths = np.array([len(block) for block in blocks])
    order = rng.permutation(len(blocks))
    length = lengths[order]
    turn = np.repeat(rng.integers(length), length)
    begin = np.repeat((np.cumsum(lengths) - lengths)[order], length)
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(length) - length, length)
    laid: Rows = np.concatenate(blocks)[begin + (within + turn) % np.repeat(length, length)]
    return laid


@dataclass(frozen=True)
class Exchange:
    """Blocks of rows that are permuted.

    Blocks change places within folds, because a fold's scores do not depend on its targets. Where
    there are too few for that, they change places with all others.

    Attributes
    ----------
    fold : ndarray of int64, shape (n,)
    blocks : tuple of ndarray of int64
        Rows that stay together; each block is in one fold.
    """

    fold: Rows
    blocks: tuple[Rows, ...]

    def permutations(self, count: int, rng: np.random.Generator) -> Rows:
        """Draw permutations of the blocks, each rotated, (count, n)."""
        orders = np.empty((count, len(self.fold)), dtype=np.int64)
        fold_of = np.array([self.fold[block[0]] for block in self.blocks])
        if len(self.blocks) < MANY_BLOCKS:
            fold_of = np.zeros_like(fold_of)
        for fold in np.unique(fold_of):
            members = [self.blocks[number] for number in np.flatnonzero(fold_of == fold)]
            before = np.concatenate(members)
            for order in orders:
                order[before] = laid_out(members, rng)
        return orders

    def signs(self, count: int, rng: np.random.Generator) -> Array:
        """Draw one sign per block, (count, blocks)."""
        return rng.choice([-1.0, 1.0], size=(count, len(self.blocks)))

    def sums(self, values: Array) -> Array:
        """Sum values (n,) over every block, (blocks,)."""
        return np.array([values[block].sum() for block in self.blocks])

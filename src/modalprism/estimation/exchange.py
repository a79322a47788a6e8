"""Which rows may change places when nothing is told: blocks, and orders of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from modalprism.estimation.folds import connected_groups

Rows = NDArray[np.int64]

FEWEST_BLOCKS: Final = 20


def exchangeable_blocks(groups: Mapping[str, Any], n: int) -> tuple[Rows, ...]:
    """Part the rows into blocks that do not depend on each other.

    They are the connected components of the groups. Where crossing groups tie (nearly) everything
    together, fewer than 20 of them, they are the groups of the column that has the most; and where
    that has fewer than 20 as well, the rows themselves.

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
    block = next((part for part in parts if part.max() + 1 >= FEWEST_BLOCKS), np.arange(n))
    order = np.argsort(block, kind="stable").astype(np.int64)
    return tuple(np.split(order, np.flatnonzero(np.diff(block[order])) + 1))


def laid_out(blocks: Sequence[Rows], rng: np.random.Generator) -> Rows:
    """Lay blocks out in a random order, each turned by a random number of its rows, (n,).

    Neighbours in a block remain so, all but two. Were blocks not turned, blocks that have the same
    answers in the same order (ten true pairs, then ten false ones) would only change places with
    their likes, and no answer with another.

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

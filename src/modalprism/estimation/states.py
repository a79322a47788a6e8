"""Merging of rows with similar posteriors into few states.

Every row is a state of its own source, and p(y|x) is all that the decomposition sees of it. Let s
be the state of a row x. Merging loses I(X;Y) − I(S;Y) = I(X;Y|S), the mean divergence of the rows'
posteriors from that of their state, and it can only lose (data processing). What it loses of the
union information lies between nothing and both sources' losses together:

    I_Q(S₁,S₂) ≤ I_Q(X₁,X₂) ≤ I_Q(S₁,S₂) + I(X₁;Y|S₁) + I(X₂;Y|S₂).

docs/million.md has the proof. Proven bounds of the states' union information are therefore bounds
of all rows', once the losses are added above.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy
from sklearn.cluster import KMeans
from sklearn.metrics import pairwise_distances_argmin

Array = NDArray[np.float64]
Blocks = Callable[[], Iterator[Array]]
"""Gives all rows' posteriors, (b, C), a block at a time, in the same order every time."""

SAMPLE: Final = 20_000
"""Rows in which k-means finds the states' centres."""
_ITERATIONS: Final = 20
_DIGITS: Final = 12
"""Posteriors that agree to so many digits are equal."""
_ROUNDING: Final = 1e-12


@dataclass(frozen=True)
class States:
    """A source's rows, merged into states.

    Attributes
    ----------
    joint : ndarray of float64, shape (states, C)
        p(state, y); sums to 1.
    of_row : ndarray of int64, shape (n,)
        Number of the state that a row belongs to.
    loss : float
        I(rows;Y) − I(states;Y) ≥ 0, in nats.
    """

    joint: Array
    of_row: NDArray[np.int64]
    loss: float


def merge_blocks(blocks: Blocks, n: int, *, most: int, seed: int = 0) -> States:
    """Merge rows p(y|x) of equal weight into at most `most` states.

    Equal rows are one state. Further merging is by k-means in a random sample of the rows, on the
    square roots, whose squared distance (Hellinger) is the divergence to second order. Every row
    then joins the nearest centre.

    Parameters
    ----------
    blocks : callable
        Called twice.
    n : int
        Number of rows.
    most : int
    seed : int

    Returns
    -------
    States
        Its `joint` and `loss` are sums over all rows, exact to rounding.

    Examples
    --------
    >>> rows = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8]])
    >>> states = merge_blocks(lambda: iter([rows[:1], rows[1:]]), 3, most=2)
    >>> states.of_row.tolist(), states.loss
    ([1, 1, 0], 0.0)
    """
    chosen = np.sort(np.random.default_rng(seed).permutation(n)[:SAMPLE])
    sample, begin = [], 0
    for block in blocks():
        first, last = np.searchsorted(chosen, (begin, begin + len(block)))
        sample.append(block[chosen[first:last] - begin])
        begin += len(block)
    centres = _centres(np.concatenate(sample), most, seed)

    joint = np.zeros(centres.shape)
    of_row = np.empty(n, dtype=np.int64)
    negative_entropy, begin = 0.0, 0
    for block in blocks():
        state = pairwise_distances_argmin(np.sqrt(block), centres)
        of_row[begin : begin + len(block)] = state
        for label in range(centres.shape[1]):
            joint[:, label] += np.bincount(state, block[:, label], minlength=len(centres))
        negative_entropy += float(xlogy(block, block).sum())
        begin += len(block)
    joint /= n
    used = np.flatnonzero(joint.sum(1))
    joint, of_row = joint[used], np.searchsorted(used, of_row)
    conditional = joint / joint.sum(1, keepdims=True)
    loss = negative_entropy / n - float(xlogy(joint, conditional).sum())
    return States(joint, of_row, loss if loss > _ROUNDING else 0.0)


def merge_rows(posterior: Array, *, most: int, seed: int = 0) -> States:
    """Merge rows p(y|x), shape (n, C), that are in memory; see `merge_blocks`."""
    return merge_blocks(lambda: iter([posterior]), len(posterior), most=most, seed=seed)


def _centres(sample: Array, most: int, seed: int) -> Array:
    """Return roots of posteriors around which rows are merged, (at most `most`, C)."""
    unique, weight = np.unique(sample.round(_DIGITS), axis=0, return_counts=True)
    roots: Array = np.sqrt(unique)
    if len(roots) <= most:
        return roots
    means = KMeans(most, init="k-means++", n_init=1, max_iter=_ITERATIONS, random_state=seed)
    found: Array = means.fit(roots, sample_weight=weight).cluster_centers_
    return found

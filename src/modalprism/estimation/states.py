"""Merging of rows with similar posteriors into few states.

Every row is a state of its source, and the decomposition depends on it only through p(y|x). Let s
be the state of a row x. Merging loses I(X;Y) − I(S;Y) = I(X;Y|S) ≥ 0, the mean divergence of the
rows' posteriors from that of their state (data processing). The loss of union information is
between zero and the sum of both sources' losses:

    I_Q(S₁,S₂) ≤ I_Q(X₁,X₂) ≤ I_Q(S₁,S₂) + I(X₁;Y|S₁) + I(X₂;Y|S₂).

docs/million.md has the proof. Proven bounds on the states' union information are therefore bounds
for all rows, after adding the losses to the upper bound.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import pairwise_distances_argmin

Array = NDArray[np.float64]
Blocks = Callable[[], Iterator[Array]]
"""Function that yields blocks of posteriors, (b, C), in the same order on every call."""

SAMPLE: Final = 20_000
"""Number of rows for the k-means centres of the states."""
_ITERATIONS: Final = 20
_DIGITS: Final = 12
"""Number of digits to which equal posteriors agree."""
_ROUNDING: Final = 1e-12


@dataclass(frozen=True)
class States:
    """Rows of a source, merged into states.

    Attributes
    ----------
    joint : ndarray of float64, shape (states, C)
        p(state, y); sums to 1.
    of_row : ndarray of int64, shape (n,)
        State of each row.
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
        Blocks of posteriors; called twice.
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
    """Merge rows p(y|x), shape (n, C), in memory; see `merge_blocks`."""
    return merge_blocks(lambda: iter([posterior]), len(posterior), most=most, seed=seed)


def _centres(sample: Array, most: int, seed: int) -> Array:
    """Return the centres, square roots of posteriors, (at most `most`, C)."""
    unique, weight = np.unique(sample.round(_DIGITS), axis=0, return_counts=True)
    roots: Array = np.sqrt(unique)
    if len(roots) <= most:
        return roots
    means = KMeans(most, init="k-means++", n_init=1, max_iter=_ITERATIONS, random_state=seed)
    # Posteriors that nearly agree may leave fewer different centres, which is as good.
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
        found: Array = means.fit(roots, sample_weight=weight).cluster_centers_
    return found

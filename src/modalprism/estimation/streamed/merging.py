"""Few states instead of a million rows, and exactly what that loses.

Let s be the state of a row x. Merging loses I(X;Y) − I(S;Y) = I(X;Y|S), the mean divergence of the
rows' posteriors from that of their state, and it can only lose (data processing). What it loses of
the union information lies between nothing and both sources' losses together:

    I_Q(S₁,S₂) ≤ I_Q(X₁,X₂) ≤ I_Q(S₁,S₂) + I(X₁;Y|S₁) + I(X₂;Y|S₂).

docs/million.md has the proof. Proven bounds of the states' union information are therefore bounds
of all rows', once the losses are added above.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr, xlogy
from sklearn.cluster import KMeans

from modalprism.estimation.states import States
from modalprism.estimation.streamed.source import stretches

Array = NDArray[np.float64]
Blocks = Callable[[], Iterator[Array]]
"""Gives all rows' posteriors, (b, C), a block at a time, in the same order every time."""

SAMPLE: Final = 40_000
"""Rows that say where the states lie."""
_ITERATIONS: Final = 10
_ROUNDING: Final = 1e-12
_DIGITS: Final = 5
"""Roots that agree so far are one centre: what lies between them loses about 1e-10."""
_AT_A_TIME: Final = 1 << 20
"""Distances of rows from centres that are in memory at a time."""


def merge_blocks(blocks: Blocks, n: int, *, most: int, seed: int = 0) -> States:
    """Merge rows p(y|x) of equal weight into at most `most` states.

    The states are cells around centres that k-means finds in a random sample of the rows, on square
    roots as `states.merge_rows` does; every row then joins the nearest.

    Parameters
    ----------
    blocks : callable
    n : int
        Rows.
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

    classes = centres.shape[1]
    joint = np.zeros((len(centres), classes))
    of_row = np.empty(n, dtype=np.int64)
    negative_entropy, begin = 0.0, 0
    for block in blocks():
        state = nearest(np.sqrt(block), centres)
        of_row[begin : begin + len(block)] = state
        for label in range(classes):
            joint[:, label] += np.bincount(state, block[:, label], minlength=len(centres))
        negative_entropy += float(xlogy(block, block).sum())
        begin += len(block)
    joint /= n
    used = np.flatnonzero(joint.sum(1))
    joint, of_row = joint[used], np.searchsorted(used, of_row)
    conditional = joint / joint.sum(1, keepdims=True)
    loss = negative_entropy / n - float(xlogy(joint, conditional).sum())
    return States(joint, of_row, loss if loss > _ROUNDING else 0.0)


def _centres(sample: Array, most: int, seed: int) -> Array:
    """Return roots of posteriors around which rows are merged, (at most `most`, C)."""
    roots, weight = np.unique(np.sqrt(sample).round(_DIGITS), axis=0, return_counts=True)
    if len(roots) <= most:
        return roots
    start = roots[
        np.random.default_rng(seed).choice(len(roots), most, False, weight / weight.sum())
    ]
    means = KMeans(most, init=start, n_init=1, max_iter=_ITERATIONS, random_state=seed)
    found: Array = means.fit(roots, sample_weight=weight).cluster_centers_
    return found


def nearest(rows: Array, centres: Array) -> NDArray[np.int64]:
    """Return the number of every row's nearest centre, (b,)."""
    points, lengths = centres.astype(np.float32), np.square(centres).sum(1).astype(np.float32)
    found = np.empty(len(rows), dtype=np.int64)
    for start, stop in stretches(len(rows), max(1, _AT_A_TIME // len(centres))):
        distance = rows[start:stop].astype(np.float32) @ points.T
        distance *= -2
        distance += lengths
        found[start:stop] = distance.argmin(1)
    return found


def divergence_lost(posterior: Array, states: States) -> float:
    """Return what merging lost, as the rows' mean divergence from their states, in nats.

    The same as `States.loss`, for rows that are at hand: the definition, to compare with.

    Examples
    --------
    >>> rows = np.array([[0.9, 0.1], [0.7, 0.3]])
    >>> states = merge_blocks(lambda: iter([rows]), 2, most=2)
    >>> divergence_lost(rows, states)
    0.0
    """
    conditional = states.joint / states.joint.sum(1, keepdims=True)
    return float(rel_entr(posterior, conditional[states.of_row]).sum() / len(posterior))

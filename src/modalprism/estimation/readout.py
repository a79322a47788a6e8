"""Read-out of held-out log-odds: calibrate, merge, couple and decompose.

Rows are read in blocks, and every fit uses all rows: each value, gradient or curvature is one pass
over the blocks. A sample in memory is one block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from modalprism.estimation.atoms import Coupling, RowTerms, couple
from modalprism.estimation.calibration import (
    Stack,
    fit_stack,
    information_difference,
    matching_distance,
    most_likely,
    most_likely_nonnegative,
)
from modalprism.estimation.states import merge_blocks
from modalprism.estimation.target import Target

Array = NDArray[np.float64]
Rows = slice | NDArray[np.int64]
Scores = Callable[[Rows], list[Array]]
"""Function from row indices to the scores of several probes, each (b, C)."""
Centred = tuple[Array, Array]
"""Scores (K, b, C), centred in every row, and targets (b, C)."""

FIRST, SECOND, BOTH, PRODUCTS = range(4)
"""Log-odds of the first source, the second, and both, and the increment by products."""
FIRST_ROWS: Final = 20_000


@dataclass(frozen=True)
class HeldOut:
    """Held-out log-odds of rows.

    Attributes
    ----------
    logits : ndarray of float32, shape (n, 4, C)
        Log-odds of the `FIRST` source, the `SECOND`, `BOTH`, and the increment of `PRODUCTS`.
    target : Target
    """

    logits: NDArray[np.float32]
    target: Target

    def scores(self, rows: Rows, kind: int) -> Array:
        """Return the log-odds of one kind for some rows, (b, C)."""
        return self.logits[rows, kind].astype(np.float64)


@dataclass(frozen=True)
class Reading:
    """Atoms of a sample, and the terms of their replicates and tests, in nats.

    Attributes
    ----------
    value : ndarray, shape (8,)
        In the order of `ATOMS`.
    terms : RowTerms
    coupling : Coupling
    difference, distance : float
        As `calibration_difference` and `matching_distance` of an analysis.
    """

    value: Array
    terms: RowTerms
    coupling: Coupling
    difference: float
    distance: float


def read_out(held_out: HeldOut, *, states: int, tol: float, seed: int) -> Reading:
    """Calibrate all rows, couple both sources' states, and combine them with the joint probe.

    Parameters
    ----------
    held_out : HeldOut
    states : int
        Largest number of states per source after merging.
    tol : float
        Bound on the solver's gap, in nats.
    seed : int
    """
    target = held_out.target
    calibrations = [calibrate(_of_kind(held_out, kind), target) for kind in (FIRST, SECOND)]

    def log_p(rows: Rows, kind: int) -> Array:
        return calibrations[kind].log_probabilities([held_out.scores(rows, kind)])

    def posteriors(kind: int) -> Callable[[], Iterator[Array]]:
        return lambda: (np.exp(log_p(rows, kind)) for rows, _ in target.blocks())

    first, second = (
        merge_blocks(posteriors(kind), len(target), most=states, seed=seed)
        for kind in (FIRST, SECOND)
    )
    coupling = couple((first, second), tol=tol)

    def scores(rows: Rows) -> list[Array]:
        both = held_out.scores(rows, BOTH)
        return [log_p(rows, FIRST), log_p(rows, SECOND), both, coupling.potential(rows)]

    frequency = target.frequency()
    joint = most_likely_nonnegative(
        4, lambda used: fit_blocks(lambda rows: [scores(rows)[k] for k in used], target), frequency
    )
    terms, differences, distances = [], np.zeros(2), np.zeros(2)
    for rows, wanted in target.blocks():
        said = scores(rows)
        log_posteriors = (said[0], said[1], joint.log_probabilities(said))
        terms.append(RowTerms.of(wanted, log_posteriors, said[3], frequency))
        part = len(wanted) / len(target)
        for kind in (FIRST, SECOND):
            differences[kind] += part * information_difference(said[kind], wanted)
            distances[kind] += part * matching_distance(held_out.scores(rows, kind), said[kind])
    whole = RowTerms.joined(terms)
    return Reading(
        value=whole.atoms(coupling.information),
        terms=whole,
        coupling=coupling,
        difference=float(np.abs(differences).max()),
        distance=float(distances.max()),
    )


def calibrate(scores: Scores, target: Target) -> Stack:
    """Fit the slope and biases that calibrate one probe; see `calibration`."""
    frequency = target.frequency()
    speaks = sum(
        float(((wanted - frequency) * centred[0]).sum())
        for centred, wanted in _centred(scores, target)
    )
    # The loss is convex: if it does not decrease at slope 0, its minimum over s >= 0 is there.
    if speaks <= 0:
        return Stack(np.zeros(1), np.log(frequency))
    return fit_blocks(scores, target)


def fit_blocks(scores: Scores, target: Target) -> Stack:
    """Fit slopes and biases to all rows by maximum likelihood; see `calibration.fit_stack`.

    A first fit to a subset of many rows saves steps of the fit to all.
    """
    centred = _centred(scores, target)
    squares = sum(np.square(block).sum((1, 2)) for block, _ in centred)
    scale = np.maximum(np.sqrt(squares / (len(target) * target.classes)), 1e-12)
    start = None
    if len(target) > 2 * FIRST_ROWS:
        some = np.sort(np.random.default_rng(0).permutation(len(target))[:FIRST_ROWS])
        start = fit_stack(scores(some), target.rows(some), tolerance=1e-5)
    scaled = _in_passes(
        lambda: ((block / scale[:, None, None], wanted) for block, wanted in centred), target
    )
    return most_likely(scaled, scale, start=start)


def _of_kind(held_out: HeldOut, kind: int) -> Scores:
    return lambda rows: [held_out.scores(rows, kind)]


def _centred(scores: Scores, target: Target) -> Iterable[Centred]:
    return _in_passes(
        lambda: (
            (np.stack([z - z.mean(1, keepdims=True) for z in scores(rows)]), wanted)
            for rows, wanted in target.blocks()
        ),
        target,
    )


@dataclass(frozen=True)
class _Passes:
    """Blocks that are recomputed in every pass."""

    blocks: Callable[[], Iterator[Centred]]

    def __iter__(self) -> Iterator[Centred]:
        return self.blocks()


def _in_passes(blocks: Callable[[], Iterator[Centred]], target: Target) -> Iterable[Centred]:
    """Compute a single block once, and several blocks in every pass, with one in memory."""
    return list(blocks()) if target.is_one_block else _Passes(blocks)

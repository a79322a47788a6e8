"""Held-out log-odds of all rows: calibrated, coupled and added up, a block at a time.

The fits are those of `calibration`, on all rows; they go through the blocks once for every step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from modalprism.estimation.atoms import CoupledStates, RowTerms, couple_states
from modalprism.estimation.calibration import (
    Stack,
    fit_stack,
    matching_distance,
    most_likely,
    most_likely_nonnegative,
)
from modalprism.estimation.states import States
from modalprism.estimation.streamed.merging import merge_blocks
from modalprism.estimation.streamed.target import Target

Array = NDArray[np.float64]
Where = slice | NDArray[np.int64]
Scores = Callable[[Where], list[Array]]
"""From some rows to what several probes say of them, each (b, C)."""


FIRST_ROWS: Final = 20_000


@dataclass(frozen=True)
class HeldOut:
    """Log-odds of rows by probes that have not seen them.

    Attributes
    ----------
    logits : ndarray of float32, shape (n, 4, C)
        Of the first source, of the second, of both, and what products add.
    target : Target
    """

    logits: NDArray[np.float32]
    target: Target

    def scores(self, where: Where, kind: int) -> Array:
        """Return some rows' log-odds of a kind, (b, C)."""
        return self.logits[where, kind].astype(np.float64)


@dataclass(frozen=True)
class _Centred:
    """Blocks of scores that are centred in every row, and divided by a scale."""

    scores: Scores
    target: Target
    scale: Array | None = None

    def __iter__(self) -> Iterator[tuple[Array, Array]]:
        for where, target in self.target.blocks():
            centred = np.stack([z - z.mean(1, keepdims=True) for z in self.scores(where)])
            yield centred if self.scale is None else centred / self.scale[:, None, None], target


def fit_blocks(scores: Scores, target: Target) -> Stack:
    """Fit slopes and biases to all rows by maximum likelihood; see `calibration.fit_stack`.

    A fit to some of the rows comes first: from there the rest is a few steps.
    """
    squares = sum(np.square(centred).sum((1, 2)) for centred, _ in _Centred(scores, target))
    scale = np.maximum(np.sqrt(squares / (len(target) * target.classes)), 1e-12)
    start = None
    if len(target) > 2 * FIRST_ROWS:
        some = np.sort(np.random.default_rng(0).permutation(len(target))[:FIRST_ROWS])
        start = fit_stack(scores(some), target.rows(some), tolerance=1e-5)
    return most_likely(_Centred(scores, target, scale), scale, start=start)


def calibration_of(scores: Scores, target: Target) -> Stack:
    """Return the slope and biases that calibrate one probe; see `calibration.calibrate`."""
    frequency = target.frequency()
    speaks = 0.0
    for centred, wanted in _Centred(scores, target):
        speaks += float(((wanted - frequency) * centred[0]).sum())
    if speaks <= 0:
        return Stack(np.zeros(1), np.log(frequency))
    return fit_blocks(scores, target)


@dataclass(frozen=True)
class Read:
    """What all rows tell, in nats.

    Attributes
    ----------
    terms : RowTerms
    information : ndarray, shape (3,)
        Held out: of the first source, of the second, and of both.
    coupled : CoupledStates
    states : two of States
    calibration : two of Stack
    difference, distance : float
        As `calibration_difference` and `matching_distance` of an analysis.
    """

    terms: RowTerms
    information: Array
    coupled: CoupledStates
    states: tuple[States, States]
    calibration: tuple[Stack, Stack]
    difference: float
    distance: float

    def potential(self, where: Where) -> Array:
        """Return α' + β of some rows, (b, C); see `atoms.Coupled`."""
        first, second = self.states
        alpha, beta = self.coupled.alpha, self.coupled.beta
        rows: Array = alpha[first.of_row[where]] + beta[second.of_row[where]]
        return rows


def read_blocks(held_out: HeldOut, *, most_states: int, tol: float, seed: int) -> Read:
    """Calibrate all rows, couple both sources' states, and let the joint probe add to them.

    Parameters
    ----------
    held_out : HeldOut
    most_states : int
        Of a source.
    tol : float
        Bound on the solver's gap, in nats.
    seed : int
    """
    target = held_out.target

    def of_source(kind: int) -> Scores:
        return lambda where: [held_out.scores(where, kind)]

    stacks = [calibration_of(of_source(kind), target) for kind in (0, 1)]

    def log_p(where: Where, kind: int) -> Array:
        return stacks[kind].log_probabilities(of_source(kind)(where))

    def posteriors(kind: int) -> Callable[[], Iterator[Array]]:
        return lambda: (np.exp(log_p(where, kind)) for where, _ in target.blocks())

    first, second = (
        merge_blocks(posteriors(kind), len(target), most=most_states, seed=seed) for kind in (0, 1)
    )
    coupled = couple_states((first, second), tol=tol)

    def together(where: Where) -> list[Array]:
        potential = coupled.alpha[first.of_row[where]] + coupled.beta[second.of_row[where]]
        return [log_p(where, 0), log_p(where, 1), held_out.scores(where, 2), potential]

    frequency = target.frequency()
    joint = most_likely_nonnegative(
        4,
        lambda used: fit_blocks(lambda where: [together(where)[k] for k in used], target),
        frequency,
    )
    summed = _sum_up(together, joint, held_out, frequency)
    return Read(
        terms=summed.terms,
        information=summed.information,
        coupled=coupled,
        states=(first, second),
        calibration=(stacks[0], stacks[1]),
        difference=float(np.abs(summed.differences).max()),
        distance=float(summed.distances.max()),
    )


@dataclass(frozen=True)
class _Sums:
    terms: RowTerms
    information: Array
    differences: Array
    distances: Array


def _sum_up(together: Scores, joint: Stack, held_out: HeldOut, frequency: Array) -> _Sums:
    target = held_out.target
    n = len(target)
    losses, surprise, potential = np.empty((3, n)), np.empty(n), np.empty(n)
    differences, distances = np.zeros(2), np.zeros(2)
    for where, wanted in target.blocks():
        scores = together(where)
        log_p: Sequence[Array] = [scores[0], scores[1], joint.log_probabilities(scores)]
        for kind, each in enumerate(log_p):
            losses[kind, where] = -(wanted * each).sum(1)
        for kind, each in enumerate(log_p[:2]):
            differences[kind] += float(((wanted - np.exp(each)) * each).sum()) / n
            moved = matching_distance(held_out.scores(where, kind), each)
            distances[kind] += moved * len(wanted) / n
        surprise[where] = -(wanted @ np.log(frequency))
        potential[where] = (wanted * scores[3]).sum(1)
    terms = RowTerms(surprise, losses[0], losses[1], losses[2], potential)
    return _Sums(terms, surprise.mean() - losses.mean(1), differences, distances)

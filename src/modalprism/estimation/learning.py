"""Learning curve: dependence of the atoms on the training rows of the probes.

A bootstrap of held-out rows does not refit the probes. Probes fitted to other rows would give other
values, and probes fitted to more rows larger ones. Nested cross-fitting includes such fits: for
each other fold, each row is predicted by probes fitted to (K−2)/K of all rows instead of (K−1)/K,
and the K−1 predictions use different rows.

Information that is not yet learnt decreases about as 1/rows (Hestness et al. 2017,
arXiv:1712.00409, report powers near it). The gain from (K−2)/K to (K−1)/K of the rows is then
1/(K−2) of the gain from (K−1)/K to ∞. Far from the limit the law is nearer to
1/√rows, which gives about twice as much for K = 5. The growth is bounded by this larger value, by
the largest possible information, and for one source by that of both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modalprism.estimation.atoms import split_information

Array = NDArray[np.float64]
Logits = NDArray[np.float32]


@dataclass(frozen=True)
class Learning:
    """Variation and growth of the atoms with the training rows, in nats.

    Attributes
    ----------
    deviations : ndarray, shape (8, K − 1)
        Atoms of each fit with fewer rows, minus their mean.
    growth : ndarray, shape (8,)
        Largest growth by the learning curve; for informations at least 0.
    """

    deviations: Array
    growth: Array

    def replicate(self, count: int, seed: int) -> Array:
        """Draw changes of the atoms with other and more training rows, (8, count).

        Each draw adds a random combination of the deviations and a random fraction of the growth.
        The combination has the covariance of one fit and of K−2 times the mean of all, on which the
        growth depends. The fraction is random because the curve only bounds the growth.
        """
        rng = np.random.default_rng(seed)
        turns = self.deviations.shape[1]
        spread = math.sqrt((1 + (turns - 1) ** 2 / turns) / max(turns - 1, 1))
        noise = spread * rng.normal(size=(turns, count))
        drawn: Array = self.deviations @ noise + self.growth[:, None] * rng.random(count)
        return drawn


def learning_of(
    value: Array,
    turns: Sequence[Logits],
    atoms_of: Callable[[Logits], Array],
    *,
    folds: int,
    ceiling: float,
) -> Learning:
    """Compare atoms with those of probes fitted to fewer rows.

    Parameters
    ----------
    value : ndarray, shape (8,)
        Atoms, in nats.
    turns : sequence of ndarray, shape (n, 4, C)
        Held-out scores, see `HeldOut`, for every other fold.
    atoms_of : callable
        Function from scores to atoms.
    folds : int
        K.
    ceiling : float
        Largest possible information, in nats; see `Target.ceiling`.
    """
    fewer = np.stack([atoms_of(logits) for logits in turns], axis=1)
    mean = fewer.mean(1)
    promise = 1 / (math.sqrt((folds - 1) / (folds - 2)) - 1)
    promised = np.maximum(promise * (value[4:] - mean[4:]), 0.0)
    both = min(promised[0], max(ceiling - value[4], 0.0))
    one, other, union = np.minimum(promised[1:], np.maximum(value[4] + both - value[5:], 0.0))
    return Learning(fewer - mean[:, None], split_information(one, other, both, union))

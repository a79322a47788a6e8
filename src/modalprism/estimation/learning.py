"""Learning curve: how the atoms depend on the rows that the probes were fitted to.

A bootstrap of held-out rows keeps the probes as they were fitted. Probes fitted to other rows would
read other values, and probes fitted to more rows would read more. Nested cross-fitting has such
fits already: in the turn of another fold, each row is predicted by probes that saw (K−2)/K of all
rows instead of (K−1)/K, and the K−1 turns use different rows.

Information that is not yet learnt decreases about as 1/rows (Hestness et al. 2017,
arXiv:1712.00409, report powers near it). The gain from (K−2)/K to (K−1)/K of the rows is then
1/(K−2) of the gain from (K−1)/K to ∞. Where probes are far from the limit the law is nearer to
1/√rows, which gives about twice as much for K = 5. The growth is bounded by this larger value, by
the information that there is, and for one source by that of both.
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
    """How the atoms vary and grow with the rows that probes learn from; in nats.

    Attributes
    ----------
    deviations : ndarray, shape (8, K − 1)
        Atoms in each turn with fewer rows, less their mean.
    growth : ndarray, shape (8,)
        The most that the learning curve still promises; of the informations not below 0.
    """

    deviations: Array
    growth: Array

    def replicate(self, count: int, seed: int) -> Array:
        """Draw what other rows to learn from, and more of them, would change, (8, count).

        Random combinations of the deviations, with the covariance of one turn and of K−2 times the
        mean of all, which is what the growth hangs on; and a random part of the growth, since the
        curve bounds it and does not tell it.
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
    """Compare atoms with those of probes that learnt from fewer rows.

    Parameters
    ----------
    value : ndarray, shape (8,)
        Atoms as they are read, in nats.
    turns : sequence of ndarray, shape (n, 4, C)
        Held-out scores, see `HeldOut`, in every other turn.
    atoms_of : callable
        From scores to atoms.
    folds : int
        K.
    ceiling : float
        Information that there is, in nats: what the target's uncertainty leaves to know.
    """
    fewer = np.stack([atoms_of(logits) for logits in turns], axis=1)
    mean = fewer.mean(1)
    promise = 1 / (math.sqrt((folds - 1) / (folds - 2)) - 1)
    promised = np.maximum(promise * (value[4:] - mean[4:]), 0.0)
    both = min(promised[0], max(ceiling - value[4], 0.0))
    one, other, union = np.minimum(promised[1:], np.maximum(value[4] + both - value[5:], 0.0))
    return Learning(fewer - mean[:, None], split_information(one, other, both, union))

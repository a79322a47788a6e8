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
from typing import Final

import numpy as np
from numpy.typing import NDArray

from modalprism.estimation.atoms import split_information

Array = NDArray[np.float64]
Logits = NDArray[np.float32]
_NORMAL: Final = 1.96
"""Deviations of a normal distribution that 95 % are within."""


@dataclass(frozen=True)
class Learning:
    """Variation and growth of the atoms with the training rows, in nats.

    Attributes
    ----------
    deviations : ndarray, shape (8, K − 1)
        Atoms of each fit with fewer rows, minus their mean.
    growth : ndarray, shape (8,)
        Largest growth by the learning curve; for informations at least 0.
    unread : ndarray, shape (2,)
        What weak signals in each source may have besides; see `unread_information`.
    synergy : float
        As it is read, if positive.
    """

    deviations: Array
    growth: Array
    unread: Array
    synergy: float

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
        one, other = unread = self.unread[:, None] * rng.random((2, count))
        union = np.where(rng.random((2, count)) < 0.5, unread, 0.0).sum(0)
        # The joint probe may have read it, which is synergy by mistake.
        read = np.where(rng.random(count) < 0.5, np.minimum(union, self.synergy), 0.0)
        return drawn + split_information(one, other, union - read, union)


def unread_information(
    value: Array,
    resampled: Array,
    freedom: Sequence[float],
    *,
    n: int,
    classes: int,
    ceiling: float,
) -> Array:
    r"""Bound the information that a source may have beyond what weak signals let a probe read.

    A linear probe with p weights, fitted to m rows, reads about I² / (I + p/2m) of a weak signal of
    I nats: its direction is known as well as the signal stands out from noise, and the noise of p
    weights costs p/2m nats (Akaike 1974, doi:10.1109/TAC.1974.1100705). Solved for I, with the
    upper end r of what is read,

    .. math:: I = r/2 + \sqrt{r^2/4 + r\,p/2m}.

    r is at least 2·1.96²/n: the mean of n log-likelihood ratios with information r has a standard
    deviation of √(2r/n), and does not differ from 0 below that. The noise shrinks with the share of
    the ceiling that is left.

    Parameters
    ----------
    value : ndarray, shape (8,)
        Atoms, in nats.
    resampled : ndarray, shape (8, replicates)
    freedom : two of float
        Effective dimensions per row that probes are fitted to.
    n, classes : int
    ceiling : float
        In nats.

    Returns
    -------
    ndarray, shape (2,)
        In nats.
    """
    read = np.maximum(value[5:7], 0.0)
    high = np.minimum(read + np.maximum(np.quantile(resampled[5:7], 0.975, axis=1), 0.0), ceiling)
    least = 2 * _NORMAL**2 / n
    lifted = np.maximum(high, least)
    noise = np.asarray(freedom) * (classes - 1) / 2 * np.maximum(1 - lifted / ceiling, 0.0)
    there = lifted / 2 + np.sqrt(lifted**2 / 4 + lifted * noise)
    bound: Array = np.clip(there - lifted + (lifted - high), 0.0, np.maximum(ceiling - read, 0.0))
    return bound


def learning_of(
    value: Array,
    turns: Sequence[Logits],
    atoms_of: Callable[[Logits], Array],
    *,
    folds: int,
    ceiling: float,
    unread: Array,
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
    unread : ndarray, shape (2,)
    """
    fewer = np.stack([atoms_of(logits) for logits in turns], axis=1)
    mean = fewer.mean(1)
    promise = 1 / (math.sqrt((folds - 1) / (folds - 2)) - 1)
    promised = np.maximum(promise * (value[4:] - mean[4:]), 0.0)
    both = min(promised[0], max(ceiling - value[4], 0.0))
    one, other, union = np.minimum(promised[1:], np.maximum(value[4] + both - value[5:], 0.0))
    return Learning(
        fewer - mean[:, None],
        split_information(one, other, both, union),
        unread,
        max(float(value[3]), 0.0),
    )

"""Recalibration of a probe's log-odds by maps of log-probabilities and probabilities.

Confidence has a class structure: of four classes that are two bits, a source may be sure of one bit
and know nothing of the other. A matrix of slopes (Dirichlet calibration, Kull et al. 2019) does not
sharpen the noise of the unknown bit together with the known one. And it has a shape: where the
classes come in steps (a bit that excludes an answer, or leaves it open), a probe that is linear is
too sure beyond the step. Probabilities saturate, and can flatten it. Where there are rows enough to
choose it by, a map that bends is tried as well: it takes out noise of a source that tells all of
some rows and nothing of others.

A map of many classes can itself overfit. A weak ridge, a strong one and no map are tried, and the
one that does best in rows that it was not fitted to is taken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modalprism.estimation.calibration import fit_stack
from modalprism.estimation.crossfit import CrossFit
from modalprism.estimation.features import RadialBasis
from modalprism.estimation.logistic import LogisticFits, fit_logistic

Array = NDArray[np.float64]

RIDGES: Final = (1e-3, 1e-1)
ITERATIONS: Final = 100


@dataclass(frozen=True)
class Scale:
    """One centre a column, and one deviation of all columns together.

    Attributes
    ----------
    centre : Tensor, shape (D,)
    deviation : Tensor, shape ()
    """

    centre: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, scores: Tensor, seen: Tensor) -> Scale:
        """Fit it to the rows of scores (n, D) whose weight `seen`, (n,), is 1 and not 0."""
        weight, count = seen[:, None], seen.sum()
        centre = (scores * weight).sum(0) / count
        spread = ((scores - centre).square() * weight).sum()
        deviation = (spread / (count * scores.shape[1])).sqrt()
        return cls(centre, deviation.clamp_min(1e-6))

    def __call__(self, scores: Tensor) -> Tensor:
        """Bring scores to it."""
        return (scores - self.centre) / self.deviation


@dataclass(frozen=True)
class Scores:
    """Features of a map: log-probabilities, probabilities, and radial basis functions if it bends.

    Attributes
    ----------
    bound : int
        Rows that support a probability, see `bounded`.
    scales : two of Scale
    bends : RadialBasis, optional
        Radial basis functions of the roots of probabilities, whose distance is Hellinger's.
    """

    bound: int
    scales: tuple[Scale, Scale]
    bends: RadialBasis | None = None

    @classmethod
    def of(cls, logits: Tensor, seen: Tensor, bound: int) -> Scores:
        """Fit the scales to rows of logits (n, C), see `Scale.of`."""
        one, other = (Scale.of(block, seen) for block in _blocks(logits, bound))
        return cls(bound, (one, other))

    def __call__(self, logits: Tensor) -> Tensor:
        """Return them of logits (..., n, C), shape (..., n, D)."""
        blocks = _blocks(logits, self.bound)
        straight = [scale(z) for scale, z in zip(self.scales, blocks, strict=True)]
        return torch.cat([*straight, *([self.bends(_roots(logits))] if self.bends else [])], -1)


def _blocks(logits: Tensor, bound: int) -> tuple[Tensor, Tensor]:
    return centred(logits, bound), torch.softmax(logits, -1)


def _roots(logits: Tensor) -> Tensor:
    return torch.softmax(logits, -1).sqrt()


def bounded(logits: Tensor, n: int) -> Tensor:
    """Return log-probabilities of logits (..., C), none below −ln(nC).

    n rows support no smaller probability. An answer that is given once, and so is unknown to
    the probe whose turn it is, would otherwise cost one row more than all others may tell, and the
    common slope would take their confidence away to spare it.
    """
    log_probability = torch.log_softmax(logits, -1)
    return log_probability.clamp_min(-math.log(n * logits.shape[-1]))


def centred(logits: Tensor, n: int) -> Tensor:
    """Return `bounded` log-probabilities less their mean over the classes."""
    log_probability = bounded(logits, n)
    return log_probability - log_probability.mean(-1, keepdim=True)


def losses_and_slope(logits: Tensor, target: Tensor) -> tuple[Array, float]:
    """Return the losses (nats) of logits (n, C) at the best slope and biases, and that slope."""
    scores, wanted = (values.numpy().astype(np.float64) for values in (logits, target))
    stack = fit_stack([scores], wanted, tolerance=1e-5)
    return -(wanted * stack.log_probabilities([scores])).sum(1), float(stack.slopes[0])


def choose_map(tried: Sequence[Tensor], target: Tensor, bound: int) -> tuple[int, float]:
    """Return the number of the map, each (n, C), that loses least, and its slope.

    The last is no map. Another has to lose less by more than the standard error of the difference:
    the noise of a map would hide a weak signal. Folds that take different maps must not differ in
    confidence. What knows nothing has none.
    """
    fitted = [losses_and_slope(bounded(logits, bound), target) for logits in tried]
    best = min(range(len(fitted)), key=lambda number: float(fitted[number][0].mean()))
    gained = fitted[-1][0] - fitted[best][0]
    if gained.mean() <= gained.std() / math.sqrt(len(gained)):
        best = len(fitted) - 1
    return best, max(fitted[best][1], 0.0) or 1.0


def _fit(scores: Tensor, target: Tensor, masks: Tensor, ridges: Sequence[float]) -> LogisticFits:
    return fit_logistic(scores, target, masks, torch.tensor(ridges), iterations=ITERATIONS)


def recalibrate(
    nested: Tensor, before: Tensor, target: Tensor, plan: CrossFit
) -> tuple[Tensor, Tensor]:
    """Recalibrate the log-odds of nested fits, (K, n, C).

    Parameters
    ----------
    nested, before : Tensor, shapes (K, n, C)
        As `NestedLogits.nested` and `fewer` before recalibration.
    target : Tensor, shape (n, C)
    plan : CrossFit

    Returns
    -------
    nested : Tensor, shape (K, n, C)
        The map that a row of fold g reads in f's turn is fitted to rows outside f and g, whose
        log-odds come from probes that saw neither f nor them.
    fewer : Tensor, shape (K, n, C)
        The same log-odds by the map of g's turn, fitted to the same rows, whose log-odds come from
        probes that saw neither g nor them. The maps of f's turn are fitted to log-odds of probes
        that saw g, and lean against its targets: to say how much there is to learn from so many
        rows they would be too pessimistic.
    """
    n = nested.shape[1]
    mapped, fewer = torch.empty_like(nested), torch.empty_like(nested)
    for f in range(plan.folds):
        own = plan.which == f
        scores = Scores.of(nested[f], (~own).float(), n)
        # Number g of these leaves out f and g.
        masks = plan.masks[[plan.index(f, g) for g in range(plan.folds)]]
        fits = _fit(scores(nested[f]), target, masks, RIDGES)
        maps = fits.logits(scores(nested[f]))[plan.which, plan.rows]
        tried = [*maps.unbind(1), centred(nested[f], n)]
        best, slope = choose_map([each[~own] for each in tried], target[~own], n)

        mapped[f] = bounded(slope * bounded(tried[best], n), n)
        others = before[:, own]  # on the scale of this turn, whichever turn it is from
        again = centred(others, n)
        if best < len(RIDGES):
            again = fits.logits(scores(others))[:, :, best]
        fewer[:, own] = bounded(slope * again, n)
    return mapped, fewer


@dataclass(frozen=True)
class Recalibration:
    """A fitted map from logits to log-probabilities.

    Attributes
    ----------
    bound : int
        Rows that support a probability.
    map : Scores and LogisticFits, optional
        None where log-probabilities do best as they are.
    slope : float
    """

    bound: int
    map: tuple[Scores, LogisticFits] | None
    slope: float

    @classmethod
    def of(
        cls, logits: Tensor, target: Tensor, half: NDArray[np.bool_], bound: int, seed: int
    ) -> Recalibration:
        """Fit maps to each half of the rows, and choose one of them, or none, by the other half.

        Parameters
        ----------
        logits : Tensor, shape (n, C)
            Of rows that the probe has not seen.
        target : Tensor of float32, shape (n, C)
        half : ndarray of bool, shape (n,)
            A random half of the rows, whole groups.
        bound : int
        seed : int
            Of the landmarks of the map that bends.
        """
        every = torch.ones(len(logits))
        straight = Scores.of(logits, every, bound)
        roots = _roots(logits)
        bends = RadialBasis.fitted(roots, seed, roots.shape[1])
        first = torch.from_numpy(half)
        maps: list[tuple[Scores, float]] = []
        tried: list[Tensor] = []
        for scores in (straight, Scores(bound, straight.scales, bends)):
            said = scores(logits)
            unseen = torch.empty(len(said), len(RIDGES), target.shape[1])
            for fitted, read in ((first, ~first), (~first, first)):
                fits = _fit(said[fitted], target[fitted], every[fitted][None], RIDGES)
                unseen[read] = fits.logits(said[read])[0]
            maps.extend((scores, ridge) for ridge in RIDGES)
            tried.extend(unseen.unbind(1))
        best, slope = choose_map([*tried, centred(logits, bound)], target, bound)
        if best == len(maps):
            return cls(bound, None, slope)
        scores, ridge = maps[best]
        return cls(bound, (scores, _fit(scores(logits), target, every[None], (ridge,))), slope)

    def __call__(self, logits: Tensor) -> Tensor:
        """Return log-probabilities of any rows, (n, C)."""
        if self.map is None:
            mapped = centred(logits, self.bound)
        else:
            scores, fits = self.map
            mapped = fits.logits(scores(logits))[0, :, 0]
        return bounded(self.slope * bounded(mapped, self.bound), self.bound)

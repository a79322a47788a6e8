"""A recalibration that can be kept; `modalprism.estimation.probes.recalibrate` says what it is.

Beside those maps, one that bends is tried: there are rows enough to choose it by.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modalprism.estimation.features import LANDMARKS, RadialBasis
from modalprism.estimation.logistic import LogisticFits, fit_logistic
from modalprism.estimation.probes import (
    CALIBRATION_ITERATIONS,
    CALIBRATION_RIDGES,
    bounded,
    loss_and_slope,
)


@dataclass(frozen=True)
class Scale:
    """One centre a column, and one deviation of all columns together.

    Attributes
    ----------
    centre : Tensor, shape (D,)
    deviation : float
    """

    centre: Tensor
    deviation: float

    @classmethod
    def of(cls, scores: Tensor) -> Scale:
        """Learn it from scores (n, D)."""
        centre = scores.mean(0)
        return cls(centre, max(float((scores - centre).square().mean().sqrt()), 1e-6))

    def __call__(self, scores: Tensor) -> Tensor:
        """Bring scores to it."""
        return (scores - self.centre) / self.deviation


@dataclass(frozen=True)
class _Scores:
    """What a map is linear in.

    Log-probabilities and probabilities; and, for a map that bends, radial basis functions of the
    roots of probabilities, whose distance is Hellinger's.

    Attributes
    ----------
    bound : int
        Rows that support a probability.
    scales : two of Scale
    bends : RadialBasis, optional
    """

    bound: int
    scales: tuple[Scale, Scale]
    bends: RadialBasis | None

    def __call__(self, logits: Tensor) -> Tensor:
        """Return them of some rows, (n, D)."""
        blocks = _blocks(logits, self.bound)
        straight = [scale(z) for scale, z in zip(self.scales, blocks, strict=True)]
        return torch.cat([*straight, *([self.bends(_roots(logits))] if self.bends else [])], -1)


def _fit(scores: Tensor, target: Tensor, ridges: tuple[float, ...]) -> LogisticFits:
    return fit_logistic(
        scores,
        target,
        torch.ones(1, len(scores)),
        torch.tensor(ridges),
        iterations=CALIBRATION_ITERATIONS,
    )


def _blocks(logits: Tensor, bound: int) -> tuple[Tensor, Tensor]:
    """Return centred log-probabilities, and probabilities."""
    log_probability = bounded(logits, bound)
    return log_probability - log_probability.mean(-1, keepdim=True), torch.softmax(logits, -1)


def _roots(logits: Tensor) -> Tensor:
    return torch.softmax(logits, -1).sqrt()


@dataclass(frozen=True)
class Recalibration:
    """A map from logits to log-probabilities.

    Where a source tells all of some rows and nothing of others, a linear probe is too timid with
    the first and too bold with the second: what holds the one apart is noise in the other. A map
    that bends takes that noise out.

    Attributes
    ----------
    bound : int
        Rows that support a probability.
    map : _Scores and LogisticFits, optional
        None where log-probabilities do best as they are.
    slope : float
    """

    bound: int
    map: tuple[_Scores, LogisticFits] | None
    slope: float

    @classmethod
    def of(
        cls, logits: Tensor, target: Tensor, half: NDArray[np.bool_], bound: int, seed: int
    ) -> Recalibration:
        """Fit maps, and choose one of them, or none, by rows that it was not fitted to.

        Parameters
        ----------
        logits : Tensor, shape (n, C)
            Of rows that the probe has not seen.
        target : Tensor of float32, shape (n, C)
        half : ndarray of bool, shape (n,)
        bound : int
        seed : int
            Of the landmarks of the map that bends.
        """
        blocks = _blocks(logits, bound)
        scales = (Scale.of(blocks[0]), Scale.of(blocks[1]))
        every = np.ones(len(logits), dtype=np.bool_)
        roots = _roots(logits)
        landmarks = min(LANDMARKS, len(logits))
        bends, _ = RadialBasis.fitted(roots, every, landmarks, seed, leading=roots.shape[1])
        first = torch.from_numpy(half)
        maps: list[tuple[_Scores, float] | None] = [None]
        tried = [blocks[0]]
        for scores in (_Scores(bound, scales, None), _Scores(bound, scales, bends)):
            said = scores(logits)
            unseen = torch.empty(len(said), len(CALIBRATION_RIDGES), target.shape[1])
            for learnt, read in ((first, ~first), (~first, first)):
                fits = _fit(said[learnt], target[learnt], CALIBRATION_RIDGES)
                unseen[read] = fits.logits(said[read])[0]
            maps.extend((scores, ridge) for ridge in CALIBRATION_RIDGES)
            tried.extend(unseen.unbind(1))
        fitted = [loss_and_slope(bounded(each, bound), target) for each in tried]
        best = min(range(len(fitted)), key=lambda number: fitted[number][0])
        slope = max(fitted[best][1], 0.0) or 1.0
        chosen = maps[best]
        if chosen is None:
            return cls(bound, None, slope)
        scores, ridge = chosen
        # What is kept is fitted to all rows.
        return cls(bound, (scores, _fit(scores(logits), target, (ridge,))), slope)

    def __call__(self, logits: Tensor) -> Tensor:
        """Return log-probabilities of any rows, (n, C)."""
        if self.map is None:
            mapped = _blocks(logits, self.bound)[0]
        else:
            scores, fits = self.map
            mapped = fits.logits(scores(logits))[0, :, 0]
        return bounded(self.slope * bounded(mapped, self.bound), self.bound)

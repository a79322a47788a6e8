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
        # Either half's rows, and all: what is kept is fitted to all.
        masks = torch.stack([first.float(), (~first).float(), torch.ones(len(half))])
        ridges = torch.tensor(CALIBRATION_RIDGES)
        maps: list[tuple[_Scores, LogisticFits] | None] = []
        tried: list[Tensor] = []
        for scores in (_Scores(bound, scales, None), _Scores(bound, scales, bends)):
            said = scores(logits)
            fits = fit_logistic(said, target, masks, ridges, iterations=CALIBRATION_ITERATIONS)
            each = fits.logits(said)
            tried.extend(torch.where(first[:, None, None], each[1], each[0]).unbind(1))
            maps.extend(
                (scores, LogisticFits(fits.weight[2:, [ridge]], fits.bias[2:, [ridge]]))
                for ridge in range(len(ridges))
            )
        maps.append(None)
        tried.append(blocks[0])
        fitted = [loss_and_slope(bounded(each, bound), target) for each in tried]
        best = min(range(len(fitted)), key=lambda number: fitted[number][0])
        return cls(bound, maps[best], max(fitted[best][1], 0.0) or 1.0)

    def __call__(self, logits: Tensor) -> Tensor:
        """Return log-probabilities of any rows, (n, C)."""
        if self.map is None:
            mapped = _blocks(logits, self.bound)[0]
        else:
            scores, fits = self.map
            mapped = fits.logits(scores(logits))[0, :, 0]
        return bounded(self.slope * bounded(mapped, self.bound), self.bound)

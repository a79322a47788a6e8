"""A recalibration that can be kept; `modalprism.estimation.probes.recalibrate` says what it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

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


def _blocks(logits: Tensor, bound: int) -> tuple[Tensor, Tensor]:
    """Return centred log-probabilities, and probabilities."""
    log_probability = bounded(logits, bound)
    return log_probability - log_probability.mean(-1, keepdim=True), torch.softmax(logits, -1)


@dataclass(frozen=True)
class Recalibration:
    """A map from logits to log-probabilities.

    Attributes
    ----------
    bound : int
        Rows that support a probability.
    scales : two of Scale
        Of log-probabilities and of probabilities.
    fits : LogisticFits, optional
        The map on both; None where log-probabilities do best as they are.
    slope : float
    """

    bound: int
    scales: tuple[Scale, Scale]
    fits: LogisticFits | None
    slope: float

    @classmethod
    def of(
        cls, logits: Tensor, target: Tensor, half: NDArray[np.bool_], bound: int
    ) -> Recalibration:
        """Fit maps, and choose one of them, or none, by rows that it was not fitted to.

        Parameters
        ----------
        logits : Tensor, shape (n, C)
            Of rows that the probe has not seen.
        target : Tensor of float32, shape (n, C)
        half : ndarray of bool, shape (n,)
        bound : int
        """
        blocks = _blocks(logits, bound)
        scales = (Scale.of(blocks[0]), Scale.of(blocks[1]))
        scores = torch.cat([scale(z) for scale, z in zip(scales, blocks, strict=True)], -1)
        first = torch.from_numpy(half)
        # Either half's rows, and all: what is kept is fitted to all.
        masks = torch.stack([first.float(), (~first).float(), torch.ones(len(half))])
        ridges = torch.tensor(CALIBRATION_RIDGES)
        fits = fit_logistic(scores, target, masks, ridges, iterations=CALIBRATION_ITERATIONS)
        maps = fits.logits(scores)
        unseen = torch.where(first[:, None, None], maps[1], maps[0])
        tried = bounded(torch.cat([unseen, blocks[0][:, None]], 1), bound)
        fitted = [loss_and_slope(each, target) for each in tried.unbind(1)]
        best = min(range(len(fitted)), key=lambda number: fitted[number][0])
        slope = max(fitted[best][1], 0.0) or 1.0
        if best == len(ridges):
            return cls(bound, scales, None, slope)
        kept = LogisticFits(fits.weight[2:, [best]], fits.bias[2:, [best]])
        return cls(bound, scales, kept, slope)

    def __call__(self, logits: Tensor) -> Tensor:
        """Return log-probabilities of any rows, (n, C)."""
        blocks = _blocks(logits, self.bound)
        if self.fits is None:
            return bounded(self.slope * bounded(blocks[0], self.bound), self.bound)
        scores = torch.cat([scale(z) for scale, z in zip(self.scales, blocks, strict=True)], -1)
        mapped = bounded(self.fits.logits(scores)[0, :, 0], self.bound)
        return bounded(self.slope * mapped, self.bound)

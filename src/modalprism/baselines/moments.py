"""Mean and variance of every channel of the states before fusion, and fills made of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from modalprism.baselines.running import Around, Runner
from modalprism.baselines.states import Fill, filled
from modalprism.errors import InputError


@dataclass
class Moments:
    """Sums over the positions of one modality's spans, in all examples seen.

    Attributes
    ----------
    count : int
        Number of positions.
    total, squares : Tensor of float64, shape (d,)
        Sums of the values and of their squares.
    """

    count: int = 0
    total: Tensor | None = None
    squares: Tensor | None = None

    def note(self, positions: Tensor, span: Tensor) -> Tensor:
        """Add the positions (b, t, d) of a span (b, t): a `Fill` that changes nothing."""
        if self.total is None or self.squares is None:
            width = positions.shape[2]
            self.total = torch.zeros(width, dtype=torch.float64, device=positions.device)
            self.squares = torch.zeros_like(self.total)
        for row, kept in zip(positions, span, strict=True):  # one by one: doubles are large
            values = row[kept].double()
            self.count += len(values)
            self.total += values.sum(0)
            self.squares += values.square().sum(0)
        return positions

    @property
    def mean(self) -> Tensor:
        """Mean of every channel, float64, shape (d,); an `InputError` if no position was seen."""
        if self.total is None or not self.count:
            raise InputError("a modality's spans are empty, so that its states have no mean")
        return self.total / self.count

    @property
    def deviation(self) -> Tensor:
        """Standard deviation of every channel, float64, shape (d,)."""
        mean = self.mean
        assert self.squares is not None  # noqa: S101 - set with the total
        return (self.squares / self.count - mean.square()).clamp_min(0).sqrt()


def with_zeros(positions: Tensor, _span: Tensor) -> Tensor:
    """Replace a span by zeros."""
    return torch.zeros_like(positions)


def with_mean(moments: Moments) -> Fill:
    """Replace every position of a span by the mean state."""

    def fill(positions: Tensor, _span: Tensor) -> Tensor:
        return moments.mean.to(positions.device).expand_as(positions)

    return fill


def with_noise(moments: Moments, places: range, seed: int, *, sigma: float = math.inf) -> Fill:
    """Replace a span by Gaussian noise with every channel's mean and variance.

    The draws depend on the seed, an example's place and a position's place in its span alone, and
    not on the batch or on padding. `sigma` is how many times as loud the noise is as the signal.
    Both together are scaled back to every channel's mean and variance, so that the network gets
    states of the usual size. By default nothing of the signal is left.
    """
    whole = math.hypot(1, sigma)
    kept, loud = (0.0, 1.0) if math.isinf(sigma) else (1 / whole, sigma / whole)

    def fill(positions: Tensor, span: Tensor) -> Tensor:
        made = torch.zeros_like(positions)
        mean, deviation = (
            value.to(positions.device) for value in (moments.mean, moments.deviation)
        )
        for row, place in enumerate(places):
            shape = (int(span[row].sum()), positions.shape[2])
            drawn = np.random.default_rng([seed, place]).standard_normal(shape)
            noise = torch.from_numpy(drawn).to(positions.device)
            signal = kept * (positions[row, span[row]] - mean)
            made[row, span[row]] = (mean + signal + loud * deviation * noise).to(made.dtype)
        return made

    return fill


def moments_of(modalities: tuple[str, str]) -> Mapping[str, Moments]:
    """Return empty moments of two modalities."""
    return {modality: Moments() for modality in modalities}


def noting(runner: Runner, moments: Mapping[str, Moments]) -> Around:
    """Return a context of a pass that notes the moments of its states, and changes nothing."""
    fills = {modality: of.note for modality, of in moments.items()}
    return lambda batch: filled(runner.subject.adapter, batch.inputs, fills)

"""States before fusion: viewed as positions of a span, averaged, replaced, and played with.

A player of a Shapley game is a group of neighbouring positions of one modality's span, or the whole
modality. The states of an absent player are its modality's mean state, over all positions and
examples, so that towers, encoders and decoders can all be masked. Unlike a [MASK] token or a black
patch (MM-SHAP's own), this is no input that a model may know; it may lie off the training
distribution. Where a family brings more of a modality in behind layer 0 (BridgeTower, Qwen3-VL; see
`modalprism.capture.interventions`), that part is never masked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modalprism.baselines.running import Around, Runner
from modalprism.capture.adapter import BEFORE_FUSION, Adapter, Site
from modalprism.capture.interventions import replaced_states
from modalprism.errors import InputError

_GRID: Final = 4

StateKey = tuple[str, str, int | str]
"""Key of a tensor: its module, input or output, and its part; see `Site`."""


def state_key(site: Site) -> StateKey:
    """Return the place of a site's tensor."""
    return site.module, site.reads, site.part


def before_fusion(adapter: Adapter) -> tuple[Site, ...]:
    """Return the sites before fusion, of both modalities; an `InputError` if one is missing."""
    sites = tuple(site for site in adapter.sites() if site.layer == BEFORE_FUSION)
    modalities = {modality for site in sites for modality in site.modalities}
    if missing := [modality for modality in adapter.modalities if modality not in modalities]:
        raise InputError(
            f"the adapter names no state of {missing[0]} before fusion, at layer {BEFORE_FUSION}"
        )
    return sites


def positions_of(state: Tensor) -> Tensor:
    """View a state, (b, t, d), (b, d) or (b, d, h, w), as positions (b, t, d).

    Examples
    --------
    >>> tuple(positions_of(torch.zeros(2, 8, 3, 5)).shape)
    (2, 15, 8)
    >>> tuple(positions_of(torch.zeros(2, 8)).shape)
    (2, 1, 8)
    """
    if state.ndim == _GRID:
        return state.flatten(2).transpose(1, 2)
    return state[:, None] if state.ndim == 2 else state


def shaped_as(positions: Tensor, state: Tensor) -> Tensor:
    """Give positions the shape of the state that they come from."""
    if state.ndim == _GRID:
        return positions.transpose(1, 2).reshape(state.shape)
    return positions[:, 0] if state.ndim == 2 else positions


def span_of(spans: Mapping[str, Tensor], modality: str, state: Tensor) -> Tensor:
    """Return which positions of a state belong to a modality, bool, (b, t)."""
    places = positions_of(state).shape[:2]
    span = spans.get(modality)
    if span is None or state.ndim == 2:  # of one state an example, all is its modality's
        return torch.ones(places, dtype=torch.bool, device=state.device)
    if span.shape != places:
        raise InputError(
            f"the span of {modality} has shape {tuple(span.shape)}, but the state before fusion "
            f"has positions of shape {tuple(places)}"
        )
    return span.to(state.device)


Fill = Callable[[Tensor, Tensor], Tensor]
"""From positions (b, t, d) and their span (b, t) to other positions; those outside stay."""


def filled(
    adapter: Adapter, inputs: Mapping[str, Tensor], fills: Mapping[str, Fill]
) -> AbstractContextManager[None]:
    """Replace the states before fusion of the modalities in `fills` while a batch runs."""
    spans = adapter.spans(inputs)

    def replace(_site: Site, modality: str, state: Tensor) -> Tensor:
        if modality not in fills:
            return state
        positions, span = positions_of(state), span_of(spans, modality, state)
        made = fills[modality](positions, span).to(positions.dtype)
        return shaped_as(torch.where(span[..., None], made, positions), state)

    return replaced_states(adapter.model, before_fusion(adapter), replace)


@dataclass
class Moments:
    """Number, sum and sum of squares, float64, (d,), of the positions of one modality's spans.

    `lengths` has the number of positions of every example's span, batch by batch.
    """

    count: int = 0
    total: Tensor | None = None
    squares: Tensor | None = None
    lengths: list[Tensor] = field(default_factory=list)

    def add(self, positions: Tensor, span: Tensor) -> Tensor:
        """Add the positions (b, t, d) of a span (b, t): a `Fill` that changes nothing."""
        self.lengths.append(span.sum(1).cpu())
        if self.total is None or self.squares is None:
            width = positions.shape[2]
            self.total = torch.zeros(width, dtype=torch.float64, device=positions.device)
            self.squares = torch.zeros_like(self.total)
        for row, inside in zip(positions, span, strict=True):  # one by one: doubles are large
            values = row[inside].double()
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
    quiet, loud = (0.0, 1.0) if math.isinf(sigma) else (1 / whole, sigma / whole)

    def fill(positions: Tensor, span: Tensor) -> Tensor:
        made = torch.zeros_like(positions)
        mean, deviation = (
            value.to(positions.device) for value in (moments.mean, moments.deviation)
        )
        for row, place in enumerate(places):
            shape = (int(span[row].sum()), positions.shape[2])
            drawn = np.random.default_rng([seed, place]).standard_normal(shape)
            noise = torch.from_numpy(drawn).to(positions.device)
            signal = quiet * (positions[row, span[row]] - mean)
            made[row, span[row]] = (mean + signal + loud * deviation * noise).to(made.dtype)
        return made

    return fill


def moments_reader(adapter: Adapter) -> tuple[dict[str, Moments], Around]:
    """Return moments of both modalities, and the context of a pass that fills them."""
    moments = {modality: Moments() for modality in adapter.modalities}
    fills = {modality: of.add for modality, of in moments.items()}
    return moments, lambda batch: filled(adapter, batch.inputs, fills)


def read_moments(
    runner: Runner, description: str
) -> tuple[NDArray[np.float64], dict[str, Moments]]:
    """Run all examples once; return their answers, (n, C), and the moments of both modalities."""
    moments, around = moments_reader(runner.subject.adapter)
    return runner.answers(description, around=around), moments


def players_of(moments: Mapping[str, Moments], most: int) -> NDArray[np.int64]:
    """Return the players of each modality in every example, (n,), at most `most`.

    Both modalities have as many: at most the positions of the shorter span.
    """
    first, second = (torch.cat(of.lengths).numpy() for of in moments.values())
    fewer: NDArray[np.int64] = np.minimum(np.minimum(first, second), most)
    return fewer


def masked(
    adapter: Adapter,
    inputs: Mapping[str, Tensor],
    moments: Mapping[str, Moments],
    plays: Mapping[str, Tensor],
) -> AbstractContextManager[None]:
    """Let only some players play while a batch runs.

    `plays` says by modality which players play, bool, (b, players). The positions of a span are
    parted evenly among them, in order. A modality that is not named plays whole.
    """

    def masking(modality: str, playing: Tensor) -> Fill:
        def fill(positions: Tensor, span: Tensor) -> Tensor:
            played = playing.to(positions.device).gather(1, player_of(span, playing.shape[1]))
            mean = moments[modality].mean.to(positions.device, positions.dtype)
            return torch.where(played[..., None], positions, mean)

        return fill

    fills = {modality: masking(modality, playing) for modality, playing in plays.items()}
    return filled(adapter, inputs, fills)


def player_of(span: Tensor, players: int) -> Tensor:
    """Return the player of every position of spans (b, t), parted evenly and in order.

    Positions outside the span get any player.

    Examples
    --------
    >>> player_of(torch.tensor([[False, True, True, True, True, False]]), 2)[0, 1:5].tolist()
    [0, 0, 1, 1]
    """
    rank = (span.cumsum(1) - 1).clamp(min=0)
    length = span.sum(1, keepdim=True).clamp(min=1)
    return (rank * players // length).clamp(max=players - 1)


def tiled(inputs: Mapping[str, Tensor], count: int) -> dict[str, Tensor]:
    """Repeat the prepared inputs of one example, as if a batch of its copies had been prepared.

    Families put examples, or all pieces of all examples, one behind the other in the first
    dimension; both are repeated alike.

    Examples
    --------
    >>> tiled({"ids": torch.tensor([[1, 2]])}, 2)["ids"].tolist()
    [[1, 2], [1, 2]]
    """
    return {name: value.repeat(count, *[1] * (value.ndim - 1)) for name, value in inputs.items()}

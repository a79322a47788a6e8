"""Poolings: one state from the states of a span."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

Pool = Callable[[Tensor, Tensor], Tensor]


def mean(state: Tensor, mask: Tensor) -> Tensor:
    """Average the positions of a span, or weight them: state (b, t, d), mask or weights (b, t).

    The result is float32, shape (b, d), and NaN where a span is empty, as for every pooling.

    Examples
    --------
    >>> state = torch.tensor([[[1.0], [3.0], [8.0]]])
    >>> mean(state, torch.tensor([[True, True, False]]))
    tensor([[2.]])
    >>> mean(state, torch.tensor([[3.0, 1.0, 0.0]]))
    tensor([[1.5000]])
    """
    weight = mask.to(torch.float32)
    # Positions outside may hold anything, infinities too, and 0·∞ would spoil the sum.
    kept = torch.where(mask[..., None] > 0, state.to(torch.float32), 0.0) * weight[..., None]
    return kept.sum(1) / weight.sum(1, keepdim=True)


def last(state: Tensor, mask: Tensor) -> Tensor:
    """Take the last position of a span; in a causal decoder it has seen all others."""
    places = torch.arange(mask.shape[1], device=mask.device)
    position = torch.where(mask, places, -1).amax(1)
    taken = state[torch.arange(len(state), device=state.device), position].to(torch.float32)
    return torch.where((position >= 0)[:, None], taken, torch.nan)


def maximum(state: Tensor, mask: Tensor) -> Tensor:
    """Take the largest value of every channel over a span."""
    kept = torch.where(mask[..., None], state.to(torch.float32), -torch.inf).amax(1)
    return torch.where(mask.any(1)[:, None], kept, torch.nan)


def kept_positions(state: Tensor, mask: Tensor, most: int) -> Tensor:
    """Keep at most `most` positions of a span, evenly spaced: float32, shape (b, most, d).

    Beyond a span's end the result is NaN.

    Examples
    --------
    >>> state = torch.arange(5.0).view(1, 5, 1)
    >>> kept_positions(state, torch.tensor([[False, True, True, True, True]]), 2)[0, :, 0]
    tensor([1., 4.])
    """
    kept = torch.full((len(state), most, state.shape[2]), torch.nan, device=state.device)
    for row, (values, chosen) in enumerate(zip(state, mask, strict=True)):
        places = chosen.nonzero()[:, 0]
        if len(places) > most:
            spaced = torch.linspace(0, len(places) - 1, most, device=state.device)
            places = places[spaced.round().long()]
        kept[row, : len(places)] = values[places].to(torch.float32)
    return kept


ATTENTION: Final = "attention"
POOLS: Final[dict[str, Pool]] = {"mean": mean, "last": last, "max": maximum, ATTENTION: mean}
"""With attention, the weights are what a position receives from all others in that layer."""

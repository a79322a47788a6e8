"""From the states of a span to one state an example."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

Pool = Callable[[Tensor, Tensor], Tensor]


def mean(state: Tensor, mask: Tensor) -> Tensor:
    """Average the positions of a span.

    Parameters
    ----------
    state : Tensor, shape (b, t, d)
    mask : Tensor of bool, shape (b, t)

    Returns
    -------
    Tensor of float32, shape (b, d)
        NaN where a span is empty, as of every pooling.

    Examples
    --------
    >>> state = torch.tensor([[[1.0], [3.0], [8.0]]])
    >>> mean(state, torch.tensor([[True, True, False]]))
    tensor([[2.]])
    """
    weight = mask.to(torch.float32)
    # Positions outside may hold anything, infinities too, and 0·∞ would spoil the sum.
    kept = torch.where(mask[..., None], state.to(torch.float32), 0.0)
    return kept.sum(1) / weight.sum(1, keepdim=True)


def last(state: Tensor, mask: Tensor) -> Tensor:
    """Take the last position of a span; of a causal decoder it has seen all the others."""
    places = torch.arange(mask.shape[1], device=mask.device)
    position = torch.where(mask, places, -1).amax(1)
    taken = state[torch.arange(len(state), device=state.device), position].to(torch.float32)
    return torch.where((position >= 0)[:, None], taken, torch.nan)


def maximum(state: Tensor, mask: Tensor) -> Tensor:
    """Take the largest value of every channel over a span."""
    kept = torch.where(mask[..., None], state.to(torch.float32), -torch.inf).amax(1)
    return torch.where(mask.any(1)[:, None], kept, torch.nan)


POOLS: Final[dict[str, Pool]] = {"mean": mean, "last": last, "max": maximum}

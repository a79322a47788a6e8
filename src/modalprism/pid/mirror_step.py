"""Mirror steps of ln r, a tile at a time: as it is, or accelerated and with what it tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from modalprism.pid.acceleration import Acceleration
from modalprism.pid.backends import Tile

if TYPE_CHECKING:
    from modalprism.pid.sweep import Iterate


class PlainStep:
    """Rewrites the kernel of an iterate by r ← r ∘ s, which is a step that is not accelerated."""

    def __init__(self, iterate: Iterate) -> None:
        self._iterate = iterate

    def __call__(self, tile: Tile, s: Tensor) -> None:
        """Write ``kernel[tile]``, given s on it."""
        self._iterate.kernel[tile].mul_(s)


class MirrorStep:
    """Rewrites the kernel of an iterate by an accelerated step of ln r.

    Parameters
    ----------
    iterate : Iterate
        Whose kernel.
    acceleration : Acceleration
        How ln r is extrapolated.
    log_r, previous : Tensor
        (B, n1, n2): what the acceleration keeps; rewritten.
    weight : Tensor
        (B, 1, 1): of the extrapolation.
    looks : bool
        Whether `moved` and `ascent` are needed, which takes a few passes more.

    Attributes
    ----------
    told : Tensor
        (2, B, 1, 1): Σ r |ln s|, by how much r wants to move, and by how much the objective
        ascends along the extrapolation; of the rows that were visited.
    """

    def __init__(
        self,
        iterate: Iterate,
        acceleration: Acceleration,
        log_r: Tensor,
        previous: Tensor,
        weight: Tensor,
        *,
        looks: bool,
    ) -> None:
        self.acceleration, self.weight, self.looks = acceleration, weight, looks
        self.log_r, self.previous = log_r, previous
        self.told = torch.zeros_like(weight).repeat(2, 1, 1, 1)
        self._iterate = iterate

    def __call__(self, tile: Tile, s: Tensor) -> None:
        """Write ``kernel[tile]``, given s on it, which is overwritten."""
        iterate, (moved, ascent) = self._iterate, self.told
        log_s = iterate.log(s)
        log_r, previous = self.log_r[tile], self.previous[tile]
        if self.looks:
            p_x1, p_x2 = iterate.p_x1[:, tile[1]].mT, iterate.p_x2[:, :, tile[2]].mT
            change = iterate.kernel[tile] * log_s
            moved.baddbmm_(p_x1, change.abs() @ p_x2)
        self.acceleration.advance(log_r, previous, log_s, self.weight)
        if self.looks:  # −r ln s is the gradient of the objective with respect to ln r.
            change.mul_(torch.sub(previous, log_r, out=log_s))
            ascent.baddbmm_(p_x1, change @ p_x2, alpha=-1.0)
        iterate.write(tile, previous)

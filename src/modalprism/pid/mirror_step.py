"""Mirror-descent steps of ln r, applied to one tile of the kernel at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from modalprism.pid.acceleration import Acceleration
from modalprism.pid.iterate import Iterate, Tile


class PlainStep:
    """Unaccelerated step r ← r ∘ s."""

    def __init__(self, iterate: Iterate) -> None:
        self._iterate = iterate

    def __call__(self, tile: Tile, s: Tensor) -> None:
        """Write ``kernel[tile]``, given s on the tile."""
        self._iterate.kernel[tile].mul_(s)


class MirrorStep:
    """Accelerated step of ln r.

    Parameters
    ----------
    iterate : Iterate
        Iterate whose kernel is rewritten.
    acceleration : Acceleration
        Extrapolates ln r.
    log_r, previous : Tensor
        (B, n1, n2): tables of the acceleration; rewritten.
    weight : Tensor
        (B, 1, 1): weight of the extrapolation.
    measure : bool
        Whether to compute `progress`, which costs a few more passes.

    Attributes
    ----------
    progress : Tensor
        (2, B, 1, 1), over the visited rows: Σ r |ln s|, the distance of the unaccelerated step;
        and the ascent of the objective along the extrapolation.
    """

    def __init__(
        self,
        iterate: Iterate,
        acceleration: Acceleration,
        log_r: Tensor,
        previous: Tensor,
        weight: Tensor,
        *,
        measure: bool,
    ) -> None:
        self.acceleration, self.weight, self.measure = acceleration, weight, measure
        self.log_r, self.previous = log_r, previous
        self.progress = torch.zeros_like(weight).repeat(2, 1, 1, 1)
        self._iterate = iterate

    def __call__(self, tile: Tile, s: Tensor) -> None:
        """Write ``kernel[tile]``, given s on the tile; s is overwritten."""
        iterate, (moved, ascent) = self._iterate, self.progress
        log_s = iterate.log(s)
        log_r, previous = self.log_r[tile], self.previous[tile]
        if self.measure:
            p_x1, p_x2 = iterate.p_x1[:, tile[1]].mT, iterate.p_x2[:, :, tile[2]].mT
            change = iterate.kernel[tile] * log_s
            moved.baddbmm_(p_x1, change.abs() @ p_x2)
        self.acceleration.advance(log_r, previous, log_s, self.weight)
        if self.measure:  # −r ln s is the gradient of the objective with respect to ln r.
            change.mul_(torch.sub(previous, log_r, out=log_s))
            ascent.baddbmm_(p_x1, change @ p_x2, alpha=-1.0)
        iterate.write(tile, previous)

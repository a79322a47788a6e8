"""Steps of ln r in iterative proportional fitting, and their acceleration by momentum.

The update of the mixture, ln r ← ln r + ln s, is a mirror-descent step of length one on a convex
function of r that is 1-smooth relative to the entropy, so an accelerated method may extrapolate it.
A strategy receives one block of rows of ln r at a time, and one table of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from modalprism.pid.iterate import Iterate, Tile


class Acceleration(Protocol):
    """Extrapolation of ln r.

    Tables are blocks of rows, (B, rows, n2). After `advance` the solver exchanges the two tables.
    """

    def weight(self, age: Tensor) -> Tensor:
        """Return the weight of the extrapolation at an age of the momentum.

        The age grows by one with every update. The solver reduces it when the objective ascends
        along the extrapolation.
        """
        ...

    def advance(self, log_r: Tensor, previous: Tensor, log_s: Tensor, weight: Tensor) -> None:
        """Turn `log_r` into the plain next iterate and `previous` into the extrapolated one."""
        ...


@dataclass(frozen=True)
class Momentum:
    """Nesterov's extrapolation of ln r, over-relaxed.

        z⁺ = y + ω ln s(y),    y⁺ = z⁺ + k/(k+delay) (z⁺ − z)

    When the objective ascends, O'Donoghue and Candès (2015, doi:10.1007/s10208-013-9150-3) restart
    at k = 0. The solver reduces k by a part only, because a lasting momentum makes the mean
    potentials a good lower bound.

    Parameters
    ----------
    relaxation : float
        ω. On a quadratic with curvatures of at most 1 the extrapolation is stable up to ω = 4/3;
        1.3 takes a seventh fewer iterations than 1, and 1.5 diverges.
    delay : float
        A larger delay builds the momentum up later; 3 is Nesterov's choice. Infinity is plain
        over-relaxation, stable up to ω = 2.
    """

    relaxation: float = 1.3
    delay: float = 3.0

    def weight(self, age: Tensor) -> Tensor:
        """Return k/(k+delay)."""
        return age / (age + self.delay)

    def advance(self, log_r: Tensor, previous: Tensor, log_s: Tensor, weight: Tensor) -> None:
        """Turn y and z into z⁺ and y⁺."""
        log_r.add_(log_s, alpha=self.relaxation)
        previous.lerp_(log_r, 1.0 + weight)


class PlainStep:
    """Unaccelerated step r ← r ∘ s."""

    def __init__(self, iterate: Iterate) -> None:
        self._iterate = iterate

    def __call__(self, tile: Tile, s: Tensor) -> None:
        """Write ``kernel[tile]``, given s on the tile."""
        self._iterate.kernel[tile].mul_(s)


class MirrorStep:
    """Accelerated step of ln r, which rewrites the kernel of an iterate.

    The tables ln r and the one before are (B, n1, n2), and rewritten; the weight of the
    extrapolation is (B, 1, 1). With `measure`, which costs a few more passes, `progress` holds, (2,
    B, 1, 1), over the visited rows: Σ r |ln s|, the distance of the unaccelerated step; and the
    ascent of the objective along the extrapolation.
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

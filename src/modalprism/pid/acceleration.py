"""Acceleration of iterative proportional fitting: the protocol, and Nesterov's momentum.

The update of the mixture, ln r ← ln r + ln s, is a mirror-descent step of length one on a convex
function of r that is 1-smooth relative to the entropy, so an accelerated method may extrapolate it.
A strategy receives one block of rows of ln r at a time, and one table of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


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

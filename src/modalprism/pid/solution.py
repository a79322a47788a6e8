"""The answer of a solver: a union information between proven bounds, and what proves them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modalprism.pid.certificate import feasible_potentials
from modalprism.pid.communicator import LOCAL, Communicator
from modalprism.pid.coupling import Coupling
from modalprism.pid.stopping import Reason


@dataclass(frozen=True, eq=False)
class UnionInformation:
    """A certified union information, in nats.

    Parameters
    ----------
    lower, upper : float
        Proven bounds on I_Q, in nats.
    alpha : ndarray
        (n1, C), float64: dual-feasible potentials of p(x₁,y); −inf where p(x₁,y) = 0.
    beta : ndarray
        (n2, C), float64: the same for p(x₂,y). ``lower == Σ p(x₁,y) α + Σ p(x₂,y) β``, up to
        rounding.
    iterations : int
        Iterations of the solver.
    solver : str
        The solver that ran.
    reason : Reason
        Why it stopped.
    factors : Coupling
        A feasible coupling in factors, as a batch of one; `coupling` forms the table.
    """

    lower: float
    upper: float
    alpha: NDArray[np.float64] = field(repr=False)
    beta: NDArray[np.float64] = field(repr=False)
    iterations: int
    solver: str
    reason: Reason
    factors: Coupling = field(repr=False)

    def coupling(self) -> NDArray[np.float64]:
        """Return the coupling q(x₁,x₂,y) as a table, (n1, n2, C), float64.

        Its marginals are p(x₁,y) and p(x₂,y) to rounding, and I_q is within `gap` of I_Q.
        """
        table: NDArray[np.float64] = self.factors.cells()[0]
        return table

    @property
    def gap(self) -> float:
        """Bound on the error of I_Q in nats: upper − lower."""
        return self.upper - self.lower

    @property
    def converged(self) -> bool:
        """Whether the gap that was asked for was reached."""
        return self.reason is Reason.CONVERGED


class Bounds:
    """The best bounds seen so far of a batch of B problems, and the potentials that attain them.

    Parameters
    ----------
    p_x1y, p_x2y : Tensor
        (B, n1, C) and (B, n2, C), float64: the marginals.
    communicator : Communicator
        Where the other rows x₁ are.
    """

    def __init__(self, p_x1y: Tensor, p_x2y: Tensor, communicator: Communicator = LOCAL) -> None:
        self.p_x1y, self.p_x2y, self.communicator = p_x1y, p_x2y, communicator
        self.lower = torch.full_like(p_x1y[:, 0, 0], -torch.inf)
        self.upper = torch.full_like(self.lower, torch.inf)
        self.alpha, self.beta = torch.zeros_like(p_x1y), torch.zeros_like(p_x2y)

    def offer_potentials(self, alpha: Tensor, beta: Tensor) -> None:
        """Make potentials feasible and keep those that are the best so far."""
        lower, alpha, beta = feasible_potentials(
            self.p_x1y, self.p_x2y, alpha, beta, self.communicator
        )
        better = lower > self.lower  # False for nan
        self.lower = torch.where(better, lower, self.lower)
        self.alpha = torch.where(better[:, None, None], alpha, self.alpha)
        self.beta = torch.where(better[:, None, None], beta, self.beta)

    def offer_coupling(self, coupling: Coupling) -> None:
        """Keep the upper bounds of couplings that are the best so far."""
        self.upper = torch.fmin(self.upper, coupling.information())

    @property
    def gap(self) -> Tensor:
        """Upper − lower, (B,), in nats; bounds cross by rounding only."""
        return (self.upper - self.lower).clamp(min=0.0)


@dataclass(frozen=True, eq=False)
class Solution:
    """What a solver returns for a batch of B problems.

    Parameters
    ----------
    bounds : Bounds
        Of every problem.
    iterations : Tensor
        (B,), int64.
    reasons : tuple of Reason
        Why it stopped on each problem.
    coupling : Coupling
        Feasible couplings of all problems, which attain about the upper bounds.
    """

    bounds: Bounds
    iterations: Tensor
    reasons: tuple[Reason, ...]
    coupling: Coupling

"""Problems for a solver, and its certified solutions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modalprism.pid.certificate import feasible_potentials
from modalprism.pid.communicator import LOCAL, Communicator
from modalprism.pid.coupling import Coupling
from modalprism.pid.information import mutual_information
from modalprism.pid.stopping import Reason

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Problem:
    """Batch of B problems of one shape: the marginals whose union information is computed.

    Parameters
    ----------
    p_x1y, p_x2y : Tensor
        (B, n1, C) and (B, n2, C), float64, on one device: valid marginals with the same p(y) in
        each problem. Symbols that a problem does not use have probability 0.
    marginal_information : ndarray
        (B, 2), float64: I(X₁;Y) and I(X₂;Y) in nats.
    """

    p_x1y: Tensor
    p_x2y: Tensor
    marginal_information: Array

    @classmethod
    def of(cls, p_x1y: Array, p_x2y: Array, device: torch.device | None = None) -> Self:
        """Compute the marginal information, and move the marginals to a device.

        Examples
        --------
        >>> same = np.eye(2)[None] / 2
        >>> Problem.of(same, same).marginal_information.round(3)
        array([[0.693, 0.693]])
        """
        pairs = zip(p_x1y, p_x2y, strict=True)
        information = [[mutual_information(one), mutual_information(two)] for one, two in pairs]
        first, second = (torch.from_numpy(table).to(device) for table in (p_x1y, p_x2y))
        return cls(first, second, np.array(information))

    @property
    def shape(self) -> tuple[int, int, int]:
        """(n1, n2, C)."""
        return self.p_x1y.shape[1], self.p_x2y.shape[1], self.p_x1y.shape[2]

    @property
    def device(self) -> torch.device:
        """Device of the marginals."""
        return self.p_x1y.device

    def __len__(self) -> int:
        """Return the number of problems."""
        return len(self.p_x1y)

    def __getitem__(self, k: int) -> Self:
        """Return one problem, as a batch of one."""
        one = slice(k, k + 1)
        return type(self)(self.p_x1y[one], self.p_x2y[one], self.marginal_information[one])


@dataclass(frozen=True, eq=False)
class UnionInformation:
    """Certified union information, in nats.

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
        Why the solver stopped.
    marginal_information : tuple of float
        I(X₁;Y) and I(X₂;Y), in nats.
    factors : Coupling
        A feasible coupling in factors, as a batch of one; `coupling` forms the table.
    """

    lower: float
    upper: float
    alpha: Array = field(repr=False)
    beta: Array = field(repr=False)
    iterations: int
    solver: str
    reason: Reason
    marginal_information: tuple[float, float]
    factors: Coupling = field(repr=False)

    def coupling(self) -> Array:
        """Return the coupling q(x₁,x₂,y) as a table, (n1, n2, C), float64.

        Its marginals are p(x₁,y) and p(x₂,y) to rounding, and I_q is within `gap` of I_Q.
        """
        table: Array = self.factors.cells()[0]
        return table

    @property
    def gap(self) -> float:
        """Bound on the error of I_Q in nats: upper − lower."""
        return self.upper - self.lower

    @property
    def converged(self) -> bool:
        """Whether the gap that was requested was reached."""
        return self.reason is Reason.CONVERGED


@dataclass(frozen=True, eq=False)
class Solution:
    """Solution of a batch of B problems.

    Parameters
    ----------
    lower, upper : Tensor
        (B,), float64: proven bounds on I_Q, in nats; they cross by rounding only.
    alpha, beta : Tensor
        (B, n1, C) and (B, n2, C), float64: the potentials that attain `lower`.
    iterations : Tensor
        (B,), int64, on the processor.
    reasons : tuple of Reason
        Why the solver stopped on each problem.
    solvers : tuple of str
        The solver that ran on each problem.
    coupling : Coupling
        Feasible couplings of all problems, which attain about `upper`.
    """

    lower: Tensor
    upper: Tensor
    alpha: Tensor
    beta: Tensor
    iterations: Tensor
    reasons: tuple[Reason, ...]
    solvers: tuple[str, ...]
    coupling: Coupling

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Join the solutions of several batches into one."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            torch.cat([part.lower for part in parts]),
            torch.cat([part.upper for part in parts]),
            torch.cat([part.alpha for part in parts]),
            torch.cat([part.beta for part in parts]),
            torch.cat([part.iterations for part in parts]),
            tuple(chain.from_iterable(part.reasons for part in parts)),
            tuple(chain.from_iterable(part.solvers for part in parts)),
            Coupling.concatenate([part.coupling for part in parts]),
        )

    def select(self, problems: Tensor) -> Self:
        """Return the solutions of the problems with these indices, in their order."""
        chosen = problems.tolist()
        return type(self)(
            self.lower[problems],
            self.upper[problems],
            self.alpha[problems],
            self.beta[problems],
            self.iterations[problems.cpu()],
            tuple(self.reasons[k] for k in chosen),
            tuple(self.solvers[k] for k in chosen),
            self.coupling.select(problems),
        )

    @property
    def gap(self) -> Tensor:
        """Return upper − lower, (B,), in nats."""
        return (self.upper - self.lower).clamp(min=0.0)

    def unions(self, marginal_information: Array) -> list[UnionInformation]:
        """Return the solution of each problem, given (B, 2) marginal information in nats."""
        alpha, beta = self.alpha.cpu().numpy(), self.beta.cpu().numpy()
        # The bounds can cross by rounding only; rounding up is safe.
        upper = torch.maximum(self.upper, self.lower).tolist()
        lower, iterations = self.lower.tolist(), self.iterations.tolist()
        return [
            UnionInformation(
                lower[k],
                upper[k],
                alpha[k],
                beta[k],
                iterations[k],
                self.solvers[k],
                self.reasons[k],
                (float(first), float(second)),
                self.coupling.problem(k),
            )
            for k, (first, second) in enumerate(marginal_information)
        ]


class Bounds:
    """Best bounds so far on a batch of B problems, and the potentials that attain them.

    A solver offers potentials and couplings during its run. They are made feasible first,
    which proves the bounds for any input. `solution` returns the result.

    Parameters
    ----------
    p_x1y, p_x2y : Tensor
        (B, n1, C) and (B, n2, C), float64: the marginals.
    communicator : Communicator
        Joins these rows x₁ to those of other processes.

    Examples
    --------
    A solver with one potential and one coupling, in which the sources are independent given y:

    >>> p = torch.tensor([[[0.4, 0.1], [0.1, 0.4]]], dtype=torch.float64)
    >>> bounds = Bounds(p, p)
    >>> bounds.offer_potentials((p / p.sum(2, keepdim=True) / 0.5).log(), torch.zeros_like(p))
    >>> independent = Coupling.rounded(p, p, torch.ones(1, 2, 2, dtype=p.dtype), p, p / 0.5)
    >>> bounds.offer_coupling(independent)
    >>> f"{float(bounds.lower):.3f} <= I_Q <= {float(bounds.upper):.3f}"
    '0.193 <= I_Q <= 0.319'
    """

    def __init__(self, p_x1y: Tensor, p_x2y: Tensor, communicator: Communicator = LOCAL) -> None:
        self.p_x1y, self.p_x2y, self.communicator = p_x1y, p_x2y, communicator
        self.lower = torch.full_like(p_x1y[:, 0, 0], -torch.inf)
        self.upper = torch.full_like(self.lower, torch.inf)
        self.alpha, self.beta = torch.zeros_like(p_x1y), torch.zeros_like(p_x2y)

    def offer_potentials(self, alpha: Tensor, beta: Tensor) -> None:
        """Make potentials feasible, and keep the best so far."""
        lower, alpha, beta = feasible_potentials(
            self.p_x1y, self.p_x2y, alpha, beta, self.communicator
        )
        better = lower > self.lower  # False for nan
        self.lower = torch.where(better, lower, self.lower)
        self.alpha = torch.where(better[:, None, None], alpha, self.alpha)
        self.beta = torch.where(better[:, None, None], beta, self.beta)

    def offer_coupling(self, coupling: Coupling) -> None:
        """Compute the upper bounds of couplings, and keep the best so far."""
        self.upper = torch.fmin(self.upper, coupling.information())

    @property
    def gap(self) -> Tensor:
        """Return upper − lower, (B,), in nats."""
        return (self.upper - self.lower).clamp(min=0.0)

    def select(self, problems: Tensor) -> Bounds:
        """Return the bounds of the problems of a mask."""
        selected = Bounds(self.p_x1y[problems], self.p_x2y[problems], self.communicator)
        for name in ("lower", "upper", "alpha", "beta"):
            setattr(selected, name, getattr(self, name)[problems])
        return selected

    def solution(
        self, coupling: Coupling, iterations: int, reason: Reason, solver: str
    ) -> Solution:
        """Return the bounds as the solution of a solver of this name that stops on all problems."""
        n = len(self.lower)
        steps = torch.full((n,), iterations)
        bounds = self.lower, self.upper, self.alpha, self.beta
        return Solution(*bounds, steps, (reason,) * n, (solver,) * n, coupling)


class SolutionBuilder:
    """Collection of the solutions of a batch's problems, in the order in which they finish."""

    def __init__(self) -> None:
        self._problems: list[Tensor] = []
        self._parts: list[Solution] = []

    def add(self, problems: Tensor, part: Solution) -> None:
        """Add the solutions of the problems with these indices."""
        self._problems.append(problems)
        self._parts.append(part)

    def solution(self) -> Solution:
        """Return the solutions in the order of the problems."""
        whole, order = Solution.concatenate(self._parts), torch.cat(self._problems).argsort()
        return whole if len(self._parts) == 1 else whole.select(order)

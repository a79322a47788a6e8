"""Restriction of a batch of problems to its used symbols."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from modalprism.pid.coupling import Coupling
from modalprism.pid.solution import Problem, Solution


@dataclass(frozen=True, eq=False)
class Support:
    """States and classes whose probability is positive in any problem of a batch."""

    shape: tuple[int, int, int]  # (n1, n2, C) of the whole problem
    rows: Tensor  # indices of the used symbols, int64, on the processor
    columns: Tensor
    classes: Tensor

    @classmethod
    def of(cls, problem: Problem) -> Self:
        """Find the used symbols of the marginals."""
        first, second = problem.p_x1y > 0, problem.p_x2y > 0
        used = first.any(2).any(0), second.any(2).any(0), first.any(1).any(0)
        return cls(problem.shape, *(symbols.nonzero().flatten().cpu() for symbols in used))

    @property
    def whole(self) -> bool:
        """Whether all symbols are used."""
        return self.shape == (len(self.rows), len(self.columns), len(self.classes))

    def restrict(self, problem: Problem) -> Problem:
        """Remove the unused symbols."""
        if self.whole:
            return problem
        return replace(
            problem,
            p_x1y=problem.p_x1y[:, self.rows[:, None], self.classes],
            p_x2y=problem.p_x2y[:, self.columns[:, None], self.classes],
        )

    def expand(self, solution: Solution) -> Solution:
        """Return the solutions of the whole problems, given those of the restricted ones."""
        if self.whole:
            return solution
        q, (n1, n2, _) = solution.coupling, self.shape
        reference = q.reference.new_zeros((len(q.reference), n1, n2))
        reference[:, self.rows[:, None], self.columns] = q.reference
        coupling = Coupling(
            reference,
            self._expand(q.u, n1, self.rows),
            self._expand(q.v, n2, self.columns),
            self._expand(q.e, n1, self.rows),
            self._expand(q.f, n2, self.columns),
        )
        # The potential of a zero cell is −inf, which is feasible and does not change the value.
        alpha = self._expand(solution.alpha, n1, self.rows, -torch.inf)
        beta = self._expand(solution.beta, n2, self.columns, -torch.inf)
        return replace(solution, alpha=alpha, beta=beta, coupling=coupling)

    def _expand(self, values: Tensor, n: int, states: Tensor, fill: float = 0.0) -> Tensor:
        """Expand (B, used states, used classes) to (B, n, C)."""
        whole = values.new_full((len(values), n, self.shape[2]), fill)
        whole[:, states[:, None], self.classes] = values
        return whole

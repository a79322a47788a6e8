"""The symbols that a batch of problems uses: the others are left out, and put back afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modalprism.pid.coupling import Coupling
from modalprism.pid.solution import Solution, UnionInformation

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Support:
    """States and classes whose probability is positive in any problem of a batch.

    Parameters
    ----------
    shape : tuple of int
        (n1, n2, C) of the whole problem.
    rows, columns, classes : ndarray of int
        Indices of those that are used.
    """

    shape: tuple[int, int, int]
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    classes: NDArray[np.intp]

    @classmethod
    def of(cls, p_x1y: Array, p_x2y: Array) -> Self:
        """Find what the marginals (B, n1, C) and (B, n2, C) use."""
        shape = (p_x1y.shape[1], p_x2y.shape[1], p_x1y.shape[2])
        used = p_x1y.any((0, 2)), p_x2y.any((0, 2)), p_x1y.any((0, 1))
        return cls(shape, *(np.flatnonzero(symbols) for symbols in used))

    @property
    def whole(self) -> bool:
        """Whether nothing is left out."""
        return self.shape == (len(self.rows), len(self.columns), len(self.classes))

    def restrict(
        self, p_x1y: Array, p_x2y: Array, device: str | torch.device | None
    ) -> tuple[Tensor, Tensor]:
        """Leave out what is not used, and move to a device."""
        first = p_x1y[:, self.rows[:, None], self.classes]
        second = p_x2y[:, self.columns[:, None], self.classes]
        return torch.from_numpy(first).to(device), torch.from_numpy(second).to(device)

    def answers(self, solution: Solution, solver: str) -> list[UnionInformation]:
        """Return each problem's union information, with all symbols."""
        bounds = solution.bounds
        # Where a marginal cell is 0 its potential is −inf: it costs nothing, and is feasible.
        alpha = self._expand(bounds.alpha, self.shape[0], self.rows, -np.inf).cpu().numpy()
        beta = self._expand(bounds.beta, self.shape[1], self.columns, -np.inf).cpu().numpy()
        factors = self._whole_coupling(solution.coupling)
        lower = bounds.lower.tolist()
        # The bounds can cross by rounding only; upwards is safe.
        upper = torch.maximum(bounds.upper, bounds.lower).tolist()
        iterations = solution.iterations.tolist()
        return [
            UnionInformation(
                lower[k],
                upper[k],
                alpha[k],
                beta[k],
                iterations[k],
                solver,
                reason,
                factors.problem(k),
            )
            for k, reason in enumerate(solution.reasons)
        ]

    def _expand(self, values: Tensor, n: int, states: NDArray[np.intp], fill: float) -> Tensor:
        """Put (B, used states, used classes) into (B, n, C)."""
        if self.whole:
            return values
        whole = values.new_full((len(values), n, self.shape[2]), fill)
        whole[:, torch.from_numpy(states)[:, None], torch.from_numpy(self.classes)] = values
        return whole

    def _whole_coupling(self, coupling: Coupling) -> Coupling:
        """Put a coupling back among all symbols."""
        if self.whole:
            return coupling
        n1, n2, _ = self.shape
        reference = coupling.reference.new_zeros((len(coupling.reference), n1, n2))
        rows, columns = torch.from_numpy(self.rows), torch.from_numpy(self.columns)
        reference[:, rows[:, None], columns] = coupling.reference
        return Coupling(
            reference,
            self._expand(coupling.u, n1, self.rows, 0.0),
            self._expand(coupling.v, n2, self.columns, 0.0),
            self._expand(coupling.e, n1, self.rows, 0.0),
            self._expand(coupling.f, n2, self.columns, 0.0),
        )

"""The problems of a batch, handed in as they are finished, and given back in their order."""

from __future__ import annotations

from dataclasses import fields

import torch
from torch import Tensor

from modalprism.pid.coupling import Coupling
from modalprism.pid.solution import Bounds, Solution
from modalprism.pid.stopping import Reason

_BOUND_FIELDS = ("lower", "upper", "alpha", "beta")


class Answers:
    """Collects the problems of a batch as they are finished."""

    def __init__(self, p_x1y: Tensor, p_x2y: Tensor) -> None:
        self.bounds = Bounds(p_x1y, p_x2y)
        self.iterations = torch.zeros(p_x1y.shape[0], dtype=torch.int64)
        self.reasons: dict[int, Reason] = {}
        self.couplings: list[Coupling] = []

    def add(
        self, problems: Tensor, bounds: Bounds, coupling: Coupling, iteration: int, reason: Reason
    ) -> None:
        """Take some problems, all finished for one reason."""
        for name in _BOUND_FIELDS:
            getattr(self.bounds, name)[problems] = getattr(bounds, name)
        self.iterations[problems.cpu()] = iteration
        self.reasons |= dict.fromkeys(problems.tolist(), reason)
        self.couplings.append(coupling)

    def solution(self) -> Solution:
        """Return all problems in their order."""
        coupling = self.couplings[0]
        if len(self.couplings) > 1:
            order = torch.tensor(list(self.reasons), device=self.bounds.lower.device).argsort()
            coupling = Coupling(
                *(
                    torch.cat([getattr(part, field.name) for part in self.couplings])[order]
                    for field in fields(Coupling)
                )
            )
        reasons = tuple(self.reasons[problem] for problem in sorted(self.reasons))
        return Solution(self.bounds, self.iterations, reasons, coupling)


def select(bounds: Bounds, problems: Tensor) -> Bounds:
    """Bounds of the problems of a mask."""
    selected = Bounds(bounds.p_x1y[problems], bounds.p_x2y[problems], bounds.communicator)
    for name in _BOUND_FIELDS:
        setattr(selected, name, getattr(bounds, name)[problems])
    return selected

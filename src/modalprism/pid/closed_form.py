"""Closed-form solutions of problems in which one source is sufficient.

If some coupling makes one source sufficient for both, I_Q is the information of that source:
α = ln p(y|x₁)/p(y) with β = 0 is dual feasible and has the value I(X₁;Y), and that coupling attains
it. This module recognises two such cases:

- the other source carries no information about the target: the sources are coupled independently
  given y;
- both have the same states up to their names, P(X₁,Y) = P(X₂,Y): they are coupled as one.

The certificate proves both solutions, as for every solver.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modalprism.pid.certificate import SAME, bounds_of_one_source
from modalprism.pid.coupling import Coupling
from modalprism.pid.information import pointwise_information
from modalprism.pid.solution import Bounds, Problem, Solution
from modalprism.pid.stopping import Reason

Array = NDArray[np.float64]

NAME = "closed form"
_NOTHING = 1e-14  # nats; rounding alone reaches this value.


def closed_form(problem: Problem, tol: float) -> Solution | None:
    """Return a closed-form solution that is proven to within `tol` nats, or None.

    The problem is a batch of one; the solution is on the processor.

    Examples
    --------
    >>> same = np.eye(2)[None] / 2
    >>> closed_form(Problem.of(same, same), 1e-9).upper.round(decimals=3)
    tensor([0.6930], dtype=torch.float64)
    """
    p_x1y, p_x2y = (table[0].cpu().numpy() for table in (problem.p_x1y, problem.p_x2y))
    first, second = problem.marginal_information[0]
    names = _same_states(p_x1y, p_x2y)
    if names is not None:
        solution = _coupled_as_one(p_x1y, *names)
    elif min(first, second) <= _NOTHING:
        solution = _coupled_independently(p_x1y, p_x2y, bool(first >= second))
    else:
        return None
    return solution if float(solution.gap) <= tol else None


def _same_states(first: Array, second: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]] | None:
    """Match the rows of two tables that are equal up to rounding and order."""
    if first.shape != second.shape:
        return None
    # Rounding must not determine the order of rows with equal first entries.
    orders = tuple(np.lexsort(table.astype(np.float32).T) for table in (first, second))
    one, other = first[orders[0]], second[orders[1]]
    same = (np.abs(one - other) <= SAME * one).all()
    return (orders[0], orders[1]) if same else None


def _coupled_as_one(p_xy: Array, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Solution:
    lower, upper, alpha = bounds_of_one_source(p_xy)
    beta = np.zeros_like(p_xy)
    beta[columns] = np.where(p_xy[rows] > 0, 0.0, -np.inf)
    reference = np.zeros((1, len(rows), len(rows)))
    reference[0, rows, columns] = 1.0
    u = torch.from_numpy(p_xy)[None]
    nothing = torch.zeros_like(u)
    return Solution(
        torch.tensor([lower], dtype=u.dtype),
        torch.tensor([upper], dtype=u.dtype),
        torch.from_numpy(alpha)[None],
        torch.from_numpy(beta)[None],
        torch.zeros(1, dtype=torch.int64),
        (Reason.CONVERGED,),
        (NAME,),
        Coupling(torch.from_numpy(reference), u, torch.ones_like(u), nothing, nothing),
    )


def _coupled_independently(p_x1y: Array, p_x2y: Array, first_informs: bool) -> Solution:
    first, second = torch.from_numpy(p_x1y)[None], torch.from_numpy(p_x2y)[None]
    bounds = Bounds(first, second)
    bounds.offer_potentials(_potential(p_x1y, first_informs), _potential(p_x2y, not first_informs))
    p_y = first.sum(1, keepdim=True)
    v = torch.where(p_y > 0, second / p_y, 0.0)
    reference = first.new_ones(1, first.shape[1], second.shape[1])
    coupling = Coupling.rounded(first, second, reference, first, v)
    bounds.offer_coupling(coupling)
    return bounds.solution(coupling, 0, Reason.CONVERGED, NAME)


def _potential(p_xy: Array, informs: bool) -> Tensor:
    """Return ln p(y|x)/p(y), or 0 for the source without information; −inf where p is 0."""
    potential = pointwise_information(p_xy) if informs else np.zeros_like(p_xy)
    return torch.from_numpy(np.where(p_xy > 0, potential, -np.inf))[None]

"""Problems whose answer is known before any iteration, exactly: one source is enough.

Where one source tells all that both can tell under some coupling, I_Q is what it tells: α = ln
p(y|x₁)/p(y) with β = 0 is dual feasible and has the value I(X₁;Y), and that coupling attains it.
Two such cases are seen at a glance:

- the other source tells nothing of the target: the sources are coupled independently given y;
- both have the same states up to their names, P(X₁,Y) = P(X₂,Y): they are coupled as one.

Both are proven by the same certificate as everything else, so that a case that only looks like one
of them does no harm.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modalprism.pid.coupling import Coupling
from modalprism.pid.information import mutual_information
from modalprism.pid.stopping import Reason
from modalprism.pid.union import Bounds, Solution

_NOTHING = 1e-14  # nats: what is left of no information after rounding
_SAME = 1e-12


def closed_form(p_x1y: Tensor, p_x2y: Tensor, tol: float) -> Solution | None:
    """Return the solution if it is known and proven to within `tol` nats, or None.

    Parameters
    ----------
    p_x1y, p_x2y : Tensor
        (1, n1, C) and (1, n2, C), float64, on the processor: valid, with the same p(y), and
        without a state or a class of probability zero.
    tol : float
        Largest gap, in nats.
    """
    first, second = p_x1y[0].numpy(), p_x2y[0].numpy()
    names = _same_states(first, second)
    if names is not None:
        reference = torch.zeros(1, len(first), len(second), dtype=torch.float64)
        reference[0, names[0], names[1]] = 1.0
        u, v = p_x1y, torch.ones_like(p_x2y)
        first_tells = True
    else:
        told = mutual_information(first), mutual_information(second)
        if min(told) > _NOTHING:
            return None
        reference = torch.ones(1, len(first), len(second), dtype=torch.float64)
        u, v = p_x1y, p_x2y / p_x1y.sum(1, keepdim=True)
        first_tells = told[0] >= told[1]
    bounds = Bounds(p_x1y, p_x2y)
    alpha, beta = _told(p_x1y, first_tells), _told(p_x2y, not first_tells)
    bounds.offer_potentials(alpha, beta)
    coupling = Coupling.rounded(p_x1y, p_x2y, reference, u, v)
    bounds.offer_coupling(coupling)
    if not float(bounds.gap) <= tol:
        return None
    return Solution(bounds, torch.tensor([0]), (Reason.CONVERGED,), coupling)


def _same_states(
    first: NDArray[np.float64], second: NDArray[np.float64]
) -> tuple[Tensor, Tensor] | None:
    """Match the rows of two tables that are the same up to their order."""
    if first.shape != second.shape:
        return None
    orders = np.lexsort(first.T), np.lexsort(second.T)
    if not np.allclose(first[orders[0]], second[orders[1]], rtol=_SAME, atol=0):
        return None
    return torch.from_numpy(orders[0]), torch.from_numpy(orders[1])


def _told(p_xy: Tensor, tells: bool) -> Tensor:
    """Ln p(y|x)/p(y), or 0 for a source whose potential is not needed; −inf where p is 0."""
    ratio = p_xy / (p_xy.sum(2, keepdim=True) * p_xy.sum(1, keepdim=True))
    return ratio.log() if tells else torch.where(p_xy > 0, 0.0, -torch.inf)

"""Problems whose answer is known before any iteration, exactly: one source is enough.

Where one source tells all that both can tell under some coupling, I_Q is what it tells: α = ln
p(y|x₁)/p(y) with β = 0 is dual feasible and has the value I(X₁;Y), and that coupling attains it.
Two such cases are seen at a glance:

- the other source tells nothing of the target: the sources are coupled independently given y;
- both have the same states up to their names, P(X₁,Y) = P(X₂,Y): they are coupled as one.

Both are proven by the same certificate as everything else.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modalprism.pid.certificate import SAME, bounds_of_one_source
from modalprism.pid.coupling import Coupling
from modalprism.pid.information import mutual_information, pointwise_information
from modalprism.pid.solution import Bounds, UnionInformation
from modalprism.pid.stopping import Reason

Array = NDArray[np.float64]

_NOTHING = 1e-14  # nats: what is left of no information after rounding
NAME = "closed form"


def closed_form(p_x1y: Array, p_x2y: Array, tol: float) -> UnionInformation | None:
    """Return the union information if it is known and proven to within `tol` nats, or None.

    Parameters
    ----------
    p_x1y, p_x2y : ndarray
        (n1, C) and (n2, C), float64: valid marginals with the same p(y).
    tol : float
        Largest gap, in nats.
    """
    names = _same_states(p_x1y, p_x2y)
    if names is not None:
        return _coupled_as_one(p_x1y, *names, tol)
    told = mutual_information(p_x1y), mutual_information(p_x2y)
    if min(told) > _NOTHING:
        return None
    return _coupled_independently(p_x1y, p_x2y, told[0] >= told[1], tol)


def _same_states(first: Array, second: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]] | None:
    """Match the rows of two tables that are the same, but for rounding, up to their order."""
    if first.shape != second.shape:
        return None
    # Rounding must not decide the order of rows that begin alike.
    orders = tuple(np.lexsort(table.astype(np.float32).T) for table in (first, second))
    one, other = first[orders[0]], second[orders[1]]
    same = (np.abs(one - other) <= SAME * one).all()
    return (orders[0], orders[1]) if same else None


def _coupled_as_one(
    p_xy: Array, rows: NDArray[np.intp], columns: NDArray[np.intp], tol: float
) -> UnionInformation | None:
    """Couple every state with the one that is the same."""
    lower, upper, alpha = bounds_of_one_source(p_xy)
    if upper - lower > tol:
        return None
    beta = np.zeros_like(p_xy)
    beta[columns] = np.where(p_xy[rows] > 0, 0.0, -np.inf)
    reference = np.zeros((1, len(rows), len(rows)))
    reference[0, rows, columns] = 1.0
    u, nothing = torch.from_numpy(p_xy)[None], torch.zeros(1, *p_xy.shape, dtype=torch.float64)
    coupling = Coupling(torch.from_numpy(reference), u, torch.ones_like(u), nothing, nothing)
    return UnionInformation(lower, upper, alpha, beta, 0, NAME, Reason.CONVERGED, coupling)


def _coupled_independently(
    p_x1y: Array, p_x2y: Array, first_tells: bool, tol: float
) -> UnionInformation | None:
    """Couple the sources independently given y; one of them tells nothing."""
    first, second = torch.from_numpy(p_x1y)[None], torch.from_numpy(p_x2y)[None]
    bounds = Bounds(first, second)
    bounds.offer_potentials(_told(p_x1y, first_tells), _told(p_x2y, not first_tells))
    p_y = first.sum(1, keepdim=True)
    reference = torch.ones(1, len(p_x1y), len(p_x2y), dtype=torch.float64)
    v = torch.where(p_y > 0, second / p_y, 0.0)
    coupling = Coupling.rounded(first, second, reference, first, v)
    bounds.offer_coupling(coupling)
    if not float(bounds.gap) <= tol:
        return None
    lower = float(bounds.lower)
    return UnionInformation(
        lower,
        max(float(bounds.upper), lower),
        bounds.alpha[0].numpy(),
        bounds.beta[0].numpy(),
        0,
        NAME,
        Reason.CONVERGED,
        coupling,
    )


def _told(p_xy: Array, tells: bool) -> Tensor:
    """Ln p(y|x)/p(y), or 0 for a source whose potential is not needed; −inf where p is 0."""
    potential = pointwise_information(p_xy) if tells else np.zeros_like(p_xy)
    return torch.from_numpy(np.where(p_xy > 0, potential, -np.inf))[None]

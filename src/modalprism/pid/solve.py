"""Union information of NumPy marginals, with any solver."""

from __future__ import annotations

import logging

import numpy as np
import torch
from numpy.typing import NDArray

from modalprism.pid.memory import check_fits, fits
from modalprism.pid.solution import Problem, UnionInformation
from modalprism.pid.solvers import Newton, Solver, solver_for
from modalprism.pid.stopping import Interrupted, Watch
from modalprism.pid.support import Support
from modalprism.pid.threads import one_thread
from modalprism.pid.validation import check_device

logger = logging.getLogger("modalprism.pid")

Array = NDArray[np.float64]
Device = str | torch.device | None


def solve_union_information(
    p_x1y: Array,
    p_x2y: Array,
    *,
    solver: str | Solver = "auto",
    tol: float,
    max_iter: int,
    time_limit: float | None = None,
    device: Device = None,
) -> UnionInformation:
    """Solve I_Q = min I_q(X₁X₂;Y) over the couplings of two marginals, with proven bounds.

    Parameters
    ----------
    p_x1y : ndarray
        (n1, C), float64: p(x₁,y), nonnegative, summing to 1. Assumed valid.
    p_x2y : ndarray
        (n2, C), float64: p(x₂,y), with the same p(y).
    solver : str or Solver
        As in `decompose`.
    tol : float
        Stop when ``upper - lower <= tol``, in nats.
    max_iter : int
        Largest number of iterations.
    time_limit : float, optional
        Largest number of seconds.
    device : str or torch.device, optional
        Device of the computation; the processor by default.

    Returns
    -------
    UnionInformation
        Bounds in nats, the potentials that attain the lower bound, and the reason to stop.

    Raises
    ------
    InputError
        If the solver or the device is unknown, or the problem does not fit in the memory.
    Interrupted
        On Ctrl-C, with the current results.

    Examples
    --------
    >>> import numpy as np
    >>> copies = np.eye(2) / 2
    >>> union = solve_union_information(copies, copies, tol=1e-9, max_iter=10)
    >>> round(union.upper, 6), union.converged
    (0.693147, True)
    """
    (union,) = solve_batch(
        p_x1y[None],
        p_x2y[None],
        solver=solver,
        tol=tol,
        max_iter=max_iter,
        time_limit=time_limit,
        device=device,
    )
    return union


def solve_batch(
    p_x1y: Array,
    p_x2y: Array,
    *,
    solver: str | Solver = "auto",
    tol: float,
    max_iter: int,
    time_limit: float | None = None,
    device: Device = None,
) -> list[UnionInformation]:
    """Solve many problems of one shape together; each stops as soon as it has converged.

    Parameters
    ----------
    p_x1y, p_x2y : ndarray
        (B, n1, C) and (B, n2, C), float64: the marginals of every problem. Assumed valid.
    solver, tol, max_iter, time_limit, device
        As in `solve_union_information`; the time limit applies to the whole batch.
    """
    chosen, place = solver_for(solver), check_device(device)
    batch, n1, n_classes = p_x1y.shape
    shape = n1, p_x2y.shape[1], n_classes
    if device == "auto" and not fits(chosen.needed_bytes(shape, batch, tol, place), place):
        logger.warning("the problem does not fit on %s, so the processor is used", place)
        place = torch.device("cpu")
    advice = 'use solver="ipfp", or fewer states' if isinstance(chosen, Newton) else None
    check_fits(chosen.needed_bytes(shape, batch, tol, place), shape, batch, place, advice)
    problem = Problem.of(p_x1y, p_x2y, place)
    support = Support.of(problem)
    with one_thread(), Watch(tol, max_iter, time_limit) as watch:
        solution = chosen(support.restrict(problem), watch)
    unions = support.expand(solution).unions(problem.marginal_information)
    if watch.interrupted:
        raise Interrupted(tuple(unions))
    return unions

"""From marginals in NumPy to certified union informations: the door that all solvers are behind.

One problem or many of one shape; symbols that no problem uses are left out before solving and come
back afterwards.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from modalprism.pid.closed_form import closed_form
from modalprism.pid.cost import cheapest, ipfp_iterations
from modalprism.pid.ipfp import solve_ipfp
from modalprism.pid.newton import solve_newton
from modalprism.pid.newton_batch import solve_newton_batch
from modalprism.pid.solution import Solution, UnionInformation
from modalprism.pid.stopping import Interrupted, Reason, Watch
from modalprism.pid.support import Support
from modalprism.pid.threads import one_thread

Array = NDArray[np.float64]
Device = str | torch.device | None
_NEWTON_ITERATIONS = 50  # More than Newton's method takes.


def solve_union_information(
    p_x1y: Array,
    p_x2y: Array,
    *,
    solver: str = "auto",
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
    solver : {"auto", "newton", "ipfp"}
        Which solver runs; "auto" takes the one that is expected to be faster, unless no solver is
        needed, and lets the iterative procedure go on where Newton's method comes to the end of
        its accuracy.
    tol : float
        Stop when ``upper - lower <= tol``, in nats.
    max_iter : int
        Stop after this many iterations in any case.
    time_limit : float, optional
        Stop after this many seconds in any case.
    device : str or torch.device, optional
        Where to compute; the processor by default.

    Returns
    -------
    UnionInformation
        Bounds in nats, the potentials that attain the lower one, and how the run ended.

    Raises
    ------
    Interrupted
        On Ctrl-C, with what was reached.

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
    solver: str = "auto",
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
        As in `solve_union_information`; the time limit is for all of them together.

    Returns
    -------
    list of UnionInformation
        One a problem.

    Raises
    ------
    Interrupted
        On Ctrl-C, with what was reached.
    """
    batch, n1, n_classes = p_x1y.shape
    shape = n1, p_x2y.shape[1], n_classes
    place = torch.device(device or "cpu")
    name = chosen(solver, shape, batch, tol, place)
    if name == "ipfp" and solver == "auto" and batch > 1 and place.type == "cpu":
        occupied = (np.count_nonzero(p_x1y) + np.count_nonzero(p_x2y)) / (p_x1y.size + p_x2y.size)
        name = cheapest(*shape, tol, batch, sparse=bool(occupied < 0.5))
    on_device = name == "newton" and place.type != "cpu"
    together = on_device or (name == "ipfp" and (batch > 1 or solver == "ipfp"))
    unions: list[UnionInformation | None] = [None] * batch
    if solver == "auto" and not together:
        unions = [closed_form(*pair, tol) for pair in zip(p_x1y, p_x2y, strict=True)]
        if None not in unions:
            return [union for union in unions if union is not None]
    with one_thread(), Watch(tol, max_iter, time_limit) as watch:
        if together:
            resume = solver == "auto" and place.type == "cpu" and cheapest(*shape, tol) == "newton"
            solved = _solve_together(p_x1y, p_x2y, watch, name, device, resume=resume)
        else:
            solved = [
                union or _solve_one(first, second, watch, name, device, resume=solver == "auto")
                for union, first, second in zip(unions, p_x1y[:, None], p_x2y[:, None], strict=True)
            ]
    if any(union.reason is Reason.INTERRUPT for union in solved):
        raise Interrupted(tuple(solved))
    return solved


def chosen(
    solver: str, shape: tuple[int, int, int], batch: int, tol: float, device: torch.device
) -> str:
    """Return the solver that runs first on problems of shape (n1, n2, C)."""
    if solver != "auto":
        return solver
    return cheapest(*shape, tol, batch) if device.type == "cpu" else "ipfp"


def _solve_together(
    p_x1y: Array, p_x2y: Array, watch: Watch, name: str, device: Device, *, resume: bool
) -> list[UnionInformation]:
    """Solve a batch; if `resume`, Newton's method takes what proportional fitting is slow on.

    On tables with many zeros the iterative procedure may take a hundred times as long as on others
    of their shape, or never converge.
    """
    support = Support.of(p_x1y, p_x2y)
    first, second = support.restrict(p_x1y, p_x2y, device)
    if name == "newton":
        return support.answers(solve_newton_batch(first, second, watch), name)
    most = watch.max_iter
    usual = int(ipfp_iterations(watch.tol))
    reserved = max(0, most - usual, _NEWTON_ITERATIONS if most > 2 * _NEWTON_ITERATIONS else 0)
    reserved = reserved if resume else 0
    watch.spend(reserved)
    unions = support.answers(solve_ipfp(first, second, watch), name)
    watch.spend(-reserved)
    for k, union in enumerate(unions if resume else ()):
        if union.reason in {Reason.ITERATIONS, Reason.ACCURACY}:
            watch.spend(union.iterations)
            alone = slice(k, k + 1)
            other = _solve_one(p_x1y[alone], p_x2y[alone], watch, "newton", device, resume=True)
            watch.spend(-union.iterations)
            tighter = min(union, other, key=lambda one: one.gap)
            iterations = union.iterations + other.iterations
            unions[k] = replace(
                tighter, iterations=iterations, reason=other.reason, solver="ipfp, newton"
            )
    return unions


def _solve_one(
    p_x1y: Array, p_x2y: Array, watch: Watch, name: str, device: Device, *, resume: bool
) -> UnionInformation:
    """Solve one problem, (1, n1, C) and (1, n2, C), by itself."""
    support = Support.of(p_x1y, p_x2y)
    first, second = support.restrict(p_x1y, p_x2y, device)
    if name == "ipfp":
        return support.answers(solve_ipfp(first, second, watch), name)[0]
    solution = solve_newton(first, second, watch)
    if resume and solution.reasons[0] is Reason.ACCURACY:
        watch.spend(int(solution.iterations))
        solution, name = _best_of(solution, solve_ipfp(first, second, watch), watch), "newton, ipfp"
    return support.answers(solution, name)[0]


def _best_of(first: Solution, second: Solution, watch: Watch) -> Solution:
    """Join the bounds of two solutions of one problem."""
    bounds = second.bounds
    if first.bounds.lower > bounds.lower:
        bounds.lower, bounds.alpha, bounds.beta = (
            first.bounds.lower,
            first.bounds.alpha,
            first.bounds.beta,
        )
    coupling = second.coupling
    if first.bounds.upper < bounds.upper:
        bounds.upper, coupling = first.bounds.upper, first.coupling
    converged = bool(bounds.gap <= watch.tol)
    reasons = (Reason.CONVERGED,) if converged else second.reasons
    return Solution(bounds, first.iterations + second.iterations, reasons, coupling)

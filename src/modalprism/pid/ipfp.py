"""The union information by a factored, accelerated iterative proportional fitting procedure.

Minimising I_q(X₁X₂;Y) over couplings is minimising KL(q ‖ p(y) r(x₁,x₂)) over q and over the
distribution r (Bertschinger et al. 2014, doi:10.3390/e16042161, for the problem). For fixed r the
best q has the form q(x₁,x₂|y) = u(x₁,y) r(x₁,x₂) v(x₂,y), found by iterative proportional fitting;
for fixed q the best r is its mixture over y, r s with s = Σ_y p(y) u v. The tensor n₁×n₂×C is
never formed: one iteration is a few matrix products, and memory is O(n₁n₂).

The second step is a unit mirror-descent step on a convex function of r, so it accelerates:
Nesterov extrapolation of ln r, restarted where it stops descending, turns a gap of about 1/t into
about 1/t².
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modalprism.pid.certificate import dual_value, feasible_potentials, upper_bound

_LOG_FLOOR = -230.0  # ln 1e-100: keeps r, and its products with u and v, clear of underflow.
_TINY = 1e-250


@dataclass(frozen=True)
class Momentum:
    """How ln r is extrapolated: ln r + k/(k+delay) (ln r − ln r_previous).

    Parameters
    ----------
    delay : float
        The larger, the later the momentum builds up; 3 is Nesterov's choice.
    sweeps, most_sweeps : int
        Proportional-fitting sweeps per update of r, at first and at most. With too few, the
        scalings lag behind the extrapolated r and the iteration oscillates; so every restart,
        which an oscillation sets off, adds one. A sweep is cheap next to the update of r.
    least_growth, most_growth : float
        The certificate costs a few iterations, so the next one waits until 1/t² promises the gap
        that is asked for, but for no less and no more than these multiples of the iteration.
    """

    delay: float = 3.0
    sweeps: int = 3
    most_sweeps: int = 8
    least_growth: float = 1.1
    most_growth: float = 2.0

    def weight(self, age: int) -> float:
        """Weight of the extrapolation, `age` iterations after the last restart."""
        return age / (age + self.delay)

    def next_check(self, iteration: int, gap: float, tol: float) -> int:
        """Return the next iteration at which to evaluate the certificate."""
        growth = min(max(math.sqrt(gap / tol), self.least_growth), self.most_growth)
        return max(iteration + 1, math.ceil(iteration * growth))


@dataclass(frozen=True, eq=False)
class UnionInformation:
    """A certified union information, in nats.

    Parameters
    ----------
    lower, upper : float
        Proven bounds on I_Q, in nats.
    alpha : ndarray
        (n1, C), float64: dual-feasible potentials of p(x₁,y); −inf allowed where p(x₁,y) = 0.
    beta : ndarray
        (n2, C), float64: the same for p(x₂,y). ``lower == Σ p(x₁,y) α + Σ p(x₂,y) β``.
    iterations : int
        Updates of r.
    converged : bool
        Whether ``upper - lower <= tol``.
    """

    lower: float
    upper: float
    alpha: NDArray[np.float64]
    beta: NDArray[np.float64]
    iterations: int
    converged: bool


class _Best:
    """The best bounds seen in a run, and the potentials that attain the lower one."""

    def __init__(self, p_x1y: Tensor, p_x2y: Tensor) -> None:
        self.p_x1y, self.p_x2y = p_x1y, p_x2y
        self.lower, self.upper = -np.inf, np.inf
        self.alpha, self.beta = torch.zeros_like(p_x1y), torch.zeros_like(p_x2y)

    def offer_potentials(self, alpha: Tensor, beta: Tensor) -> None:
        """Make the potentials feasible and keep them if they are the best so far."""
        lower, alpha, beta = feasible_potentials(self.p_x1y, self.p_x2y, alpha, beta)
        if lower > self.lower:
            self.lower, self.alpha, self.beta = lower, alpha, beta

    def offer_upper(self, upper: float) -> None:
        """Keep an upper bound if it is the best so far."""
        self.upper = min(self.upper, upper)


def solve_union_information(
    p_x1y: NDArray[np.float64],
    p_x2y: NDArray[np.float64],
    *,
    tol: float,
    max_iter: int,
    device: str | torch.device | None = None,
    momentum: Momentum | None = None,
) -> UnionInformation:
    """Solve I_Q = min I_q(X₁X₂;Y) over the couplings of two marginals, with proven bounds.

    Parameters
    ----------
    p_x1y : ndarray
        (n1, C), float64: p(x₁,y), nonnegative, summing to 1. Assumed valid.
    p_x2y : ndarray
        (n2, C), float64: p(x₂,y), with the same p(y).
    tol : float
        Stop when ``upper - lower <= tol``, in nats.
    max_iter : int
        Stop after this many updates of r in any case.
    device : str or torch.device, optional
        Where to compute; the processor by default.
    momentum : Momentum, optional
        How to accelerate; the default has been measured.

    Returns
    -------
    UnionInformation
        Bounds in nats, the potentials that attain the lower one, and how the run ended.

    Examples
    --------
    >>> import numpy as np
    >>> copies = np.eye(2) / 2
    >>> union = solve_union_information(copies, copies, tol=1e-9, max_iter=10)
    >>> round(union.upper, 6), union.converged
    (0.693147, True)
    """
    rows, columns, classes = p_x1y.sum(1) > 0, p_x2y.sum(1) > 0, p_x1y.sum(0) > 0
    best, iterations = _iterate(
        torch.as_tensor(p_x1y[np.ix_(rows, classes)], dtype=torch.float64, device=device),
        torch.as_tensor(p_x2y[np.ix_(columns, classes)], dtype=torch.float64, device=device),
        tol,
        max_iter,
        momentum or Momentum(),
    )
    # Where a marginal cell is 0 its potential is −inf: it costs nothing and is always feasible.
    alpha, beta = np.full(p_x1y.shape, -np.inf), np.full(p_x2y.shape, -np.inf)
    alpha[np.ix_(rows, classes)] = best.alpha.cpu().numpy()
    beta[np.ix_(columns, classes)] = best.beta.cpu().numpy()
    upper = max(best.upper, best.lower)  # They can cross by rounding only; upwards is safe.
    return UnionInformation(
        best.lower, upper, alpha, beta, iterations, converged=upper - best.lower <= tol
    )


def _iterate(
    p_x1y: Tensor, p_x2y: Tensor, tol: float, max_iter: int, momentum: Momentum
) -> tuple[_Best, int]:
    """Run the accelerated iteration on marginals without zero rows, columns or classes."""
    p_y = p_x1y.sum(0)
    a, b = p_x1y / p_y, p_x2y / p_x2y.sum(0)
    best = _Best(p_x1y, p_x2y)
    v = torch.ones_like(b)
    r = p_x1y.sum(1)[:, None] * p_x2y.sum(1)
    log_r = r.log().clamp_(min=_LOG_FLOOR)
    previous = log_r.clone()
    s = torch.empty_like(r)
    mean_log_u, mean_log_v = torch.zeros_like(a), torch.zeros_like(b)
    sweeps, age, check = momentum.sweeps, 0, 1

    for iteration in range(1, max_iter + 1):
        for _ in range(sweeps):
            u = a / (r @ v).clamp_(min=_TINY)
            v = b / (r.T @ u).clamp_(min=_TINY)
        log_u, log_v = u.log(), v.log()
        # ln s is convex in the potentials, so their mean is nearer to feasible than the last of
        # them; weights grow with the iteration, as the potentials improve.
        mean_log_u.lerp_(log_u, 2.0 / (iteration + 1))
        mean_log_v.lerp_(log_v, 2.0 / (iteration + 1))

        if iteration in (check, max_iter):
            best.offer_potentials(log_u, log_v)
            best.offer_potentials(mean_log_u, mean_log_v)
            # The upper bound costs several iterations: ask for it when the dual value of the
            # iterate, which approaches I_Q from above as r does, says that it could end the run.
            estimate = dual_value(p_x1y, p_x2y, log_u, log_v) + float(r.sum().log())
            gap = max(estimate - best.lower, 0.0)
            check = momentum.next_check(iteration, gap, tol)
            if gap <= tol or iteration == max_iter:
                best.offer_upper(upper_bound(a, b, p_y, r, u, v))
                if best.upper - best.lower <= tol:
                    break

        torch.matmul(u * p_y, v.T, out=s)
        log_s = s.clamp_(min=1e-100).log_()
        log_r.add_(log_s).clamp_(min=_LOG_FLOOR)
        change = torch.sub(log_r, previous, out=previous)
        if torch.dot(r.mul_(log_s).view(-1), change.view(-1)) < 0:
            age, sweeps = 0, min(sweeps + 1, momentum.most_sweeps)
        # The buffer of `change` becomes the extrapolated ln r; that of `log_r` the previous one.
        extrapolated = change.mul_(momentum.weight(age)).add_(log_r)
        log_r, previous = extrapolated.clamp_(_LOG_FLOOR, 0.0), log_r
        torch.exp(log_r, out=r)
        age += 1
    return best, iteration

"""Structured primal–dual interior-point method, accurate to machine precision.

The dual problem maximises Σ p(x₁,y) α + Σ p(x₂,y) β subject to s(x₁,x₂) = Σ_y p(y) e^{α+β} ≤ 1 for
every pair of states (see `certificate`). With slacks ρ = 1 − s and multipliers R, which are the
optimal q(x₁,x₂), the conditions of optimality are

    p(x₁,y) = Σ_{x₂} R t,   p(x₂,y) = Σ_{x₁} R t,   s + ρ = 1,   R ∘ ρ = μ → 0,

with t = p(y) e^{α+β}. Newton's method follows them as μ decreases, with Mehrotra's predictor and
corrector (1992, doi:10.1137/0802028) and one centrality corrector of Gondzio's (1996,
doi:10.1007/BF00249643). The tensor n₁×n₂×C is never formed; `newton_system` solves for the step.

μ does not fall below the value that the tolerance needs, because a smaller μ has a worse
conditioned system. If rounding ends the progress, the solver stops with `Reason.ACCURACY`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from modalprism.pid.coupling import Coupling
from modalprism.pid.information import pointwise_information
from modalprism.pid.newton_system import Array, SingularError, StepSolver, System
from modalprism.pid.solution import Bounds, Solution
from modalprism.pid.stopping import Reason, Watch


@dataclass(frozen=True)
class PathFollowing:
    """Parameters of the central path; the defaults were chosen by measurement.

    Parameters
    ----------
    first_slack : float
        Smallest slack ρ at the start.
    least_centring : float
        Smallest factor by which μ may change in one iteration: a larger reduction leaves the path.
    boundary : float
        Largest fraction of the distance to the boundary in one step.
    longest_step : float
        Largest change of a potential in one iteration, in nats.
    least_barrier : float
        Smallest target of n₁ n₂ μ, in units of the tolerance.
    accuracy : float
        Residual of the steps, in units of n₁ n₂ μ.
    negligible : float
        Mass of the smallest cells of a marginal, in units of the tolerance, that the iteration
        leaves out; the bounds account for them.
    patience : int
        Number of certificates without progress after which the solver stops.
    """

    first_slack: float = 0.1
    least_centring: float = 1e-3
    boundary: float = 0.995
    longest_step: float = 3.0
    least_barrier: float = 0.05
    accuracy: float = 0.1
    negligible: float = 1e-3
    patience: int = 3


class _Point:
    """Iterate: potentials (−inf outside the support), slacks, multipliers, and products.

    A and B are p(y) e^α and e^β, so that t = A B; RB and RA are R B and Rᵀ A. `missed` is the
    residual of each marginal under the coupling R t, and `barrier` is Σ R ρ, which on the path is
    n₁ n₂ μ.
    """

    def __init__(self, problem: _Problem, alpha: Array, beta: Array, rho: Array, R: Array) -> None:
        self.alpha, self.beta, self.rho, self.R = alpha, beta, rho, R
        self.A, self.B = np.exp(alpha) * problem.p_y, np.exp(beta)
        self.RB, self.RA = R @ self.B, R.T @ self.A
        self.missed = problem.p_x1y - self.A * self.RB, problem.p_x2y - self.B * self.RA
        self.barrier = float(np.vdot(R, rho))


@dataclass(frozen=True, eq=False)
class _Step:
    """Direction, and step lengths of the slacks and of the multipliers."""

    d_alpha: Array
    d_beta: Array
    d_rho: Array
    d_multipliers: Array
    primal: float
    dual: float


def solve_newton(
    p_x1y: Tensor, p_x2y: Tensor, watch: Watch, *, path: PathFollowing | None = None
) -> Solution:
    """Minimise I_q(X₁X₂;Y) over the couplings of two marginals.

    The marginals are (1, n1, C) and (1, n2, C), float64, on the processor: valid, with the same
    p(y), and without a state or a class of probability zero.
    """
    path = path or PathFollowing()
    # Overflow, underflow and nan end a step, not the run; each step checks for them.
    with np.errstate(all="ignore"):
        if p_x1y.shape[1] >= p_x2y.shape[1]:
            return _follow(p_x1y, p_x2y, watch, path)
        # The larger source comes first, because the states of the first are eliminated.
        return swapped(_follow(p_x2y, p_x1y, watch, path))


def _follow(p_x1y: Tensor, p_x2y: Tensor, watch: Watch, path: PathFollowing) -> Solution:
    """Follow the central path until the gap is small enough or stops shrinking."""
    tol = watch.tol
    problem = _Problem(p_x1y, p_x2y, path.negligible * tol)
    point, progress, iteration = _start(problem, path), _Progress(tol, path.patience), 0
    while True:
        iteration += 1
        reason = watch.reason(iteration) or progress.made(point.barrier)
        if reason or progress.promises(iteration, point):
            gap = problem.certify(point)
            reason = Reason.CONVERGED if gap <= tol else reason or progress.proved(gap)
        if not reason:
            try:
                point = _advance(problem, point, path.least_barrier * tol, path)
                continue
            except SingularError:
                problem.certify(point)
                reason = Reason.ACCURACY
        return problem.bounds.solution(problem.coupling, iteration, reason, "newton")


class _Progress:
    """Rule for when to evaluate a certificate, and when rounding has ended the progress."""

    def __init__(self, tol: float, patience: int) -> None:
        self._tol, self._patience = tol, patience
        self._least_barrier, self._least_gap = np.inf, np.inf
        self._stalled = self._late = self._without = 0

    def made(self, barrier: float) -> Reason | None:
        """Record the barrier; return a reason to stop if it has stopped shrinking."""
        self._stalled = 0 if barrier < 0.9 * self._least_barrier else self._stalled + 1
        self._least_barrier = min(barrier, self._least_barrier)
        # A multiple of the patience: the last digits improve while the barrier is at its floor.
        return Reason.ACCURACY if self._stalled > 12 * self._patience else None

    def promises(self, iteration: int, point: _Point) -> bool:
        """Return whether the barrier plus a tenth of the residual is small enough."""
        if iteration > 1 and point.barrier > self._tol:
            return False
        missed = float(sum(np.abs(residual).sum() for residual in point.missed))
        if iteration == 1:  # The start is the optimum if only one source is informative.
            return missed <= self._tol
        self._late += 1
        return point.barrier + 0.1 * missed <= self._tol or self._late > self._patience

    def proved(self, gap: float) -> Reason | None:
        """Record a gap; return a reason to stop if it has stopped shrinking."""
        self._without = self._without + 1 if gap > 0.5 * self._least_gap else 0
        self._least_gap = min(gap, self._least_gap)
        return Reason.ACCURACY if self._without >= self._patience else None


class _Problem:
    """Marginals without their negligible cells, and the best bounds so far."""

    def __init__(self, p_x1y: Tensor, p_x2y: Tensor, negligible: float) -> None:
        self._whole = p_x1y, p_x2y
        self.p_y: Array = p_x1y[0].sum(0).numpy()
        self.p_x1y, self._dropped_1 = self._without_negligible(p_x1y[0].numpy(), negligible)
        self.p_x2y, self._dropped_2 = self._without_negligible(p_x2y[0].numpy(), negligible)
        self.bounds = Bounds(p_x1y, p_x2y)

    def _without_negligible(self, p_xy: Array, mass: float) -> tuple[Array, Array]:
        """Drop the smallest cells, never a whole class or state; return the dropped cells too."""
        cells = np.sort(p_xy, axis=None)
        n_dropped = int(np.searchsorted(cells.cumsum(), mass))
        if not n_dropped:
            return p_xy, np.zeros_like(p_xy)
        kept = (p_xy > cells[n_dropped - 1]) | (p_xy == p_xy.max(0))
        kept |= p_xy == p_xy.max(1, keepdims=True)
        rest = np.where(kept, p_xy, 0.0)
        return rest * (self.p_y / rest.sum(0)), np.where(kept, 0.0, p_xy)

    def certify(self, point: _Point) -> float:
        """Bound I_Q from an iterate, and return the best gap so far."""
        # Dropped cells get a potential with a negligible contribution to every s.
        alpha = _filled(point.alpha, self._dropped_1, point.B, self.p_y)
        beta = _filled(point.beta, self._dropped_2, np.exp(alpha), self.p_y)
        self.bounds.offer_potentials(*(torch.from_numpy(v)[None] for v in (alpha, beta)))
        R, u, v = (torch.from_numpy(factor)[None] for factor in (point.R, point.A, point.B))
        self.coupling = Coupling.rounded(*self._whole, R, u, v)
        self.bounds.offer_coupling(self.coupling)
        return float(self.bounds.gap)


def _filled(potential: Array, dropped: Array, other: Array, p_y: Array) -> Array:
    """Set the potential of dropped cells so that p(y) e^{α+β} is at most 1e-14."""
    if not dropped.any():
        return potential
    return np.where(dropped > 0, np.log(1e-14 / (p_y * other.max(0))), potential)


def swapped(solution: Solution) -> Solution:
    """Exchange the sources of a solution."""
    q = solution.coupling
    coupling = Coupling(q.reference.mT, q.v, q.u, q.f, q.e)
    return replace(solution, alpha=solution.beta, beta=solution.alpha, coupling=coupling)


def _start(problem: _Problem, path: PathFollowing) -> _Point:
    """Return the interior start α = w₁ ln p(y|x₁)/p(y), β = w₂ ln p(y|x₂)/p(y), w₁ + w₂ = 1.

    Then s ≤ 1 by Hölder's inequality. The weights are proportional to the information of the
    sources, so that the start is the optimum if only one source is informative.
    """
    p_x1, p_x2 = problem.p_x1y.sum(1, keepdims=True), problem.p_x2y.sum(1, keepdims=True)
    log_1, log_2 = pointwise_information(problem.p_x1y), pointwise_information(problem.p_x2y)
    first = float(np.nansum(problem.p_x1y * log_1))
    both = first + float(np.nansum(problem.p_x2y * log_2))
    weight = 0.5 if both < 1e-12 else min(max(first / both, 0.0), 1.0)
    alpha = np.where(problem.p_x1y > 0, weight * log_1, -np.inf)
    beta = np.where(problem.p_x2y > 0, (1 - weight) * log_2, -np.inf)
    s = (np.exp(alpha) * problem.p_y) @ np.exp(beta).T
    return _Point(problem, alpha, beta, np.maximum(1 - s, path.first_slack), p_x1 * p_x2.T)


def _advance(problem: _Problem, point: _Point, least_barrier: float, path: PathFollowing) -> _Point:
    """Make one step along the central path: predictor, corrector, centrality corrector."""
    A, B, rho, R = point.A, point.B, point.rho, point.R
    infeasible = 1 - A @ B.T - rho
    W = R / rho
    solve = StepSolver(System(A, B, R, W, point.RB, point.RA), point.barrier)

    def towards(complementarity: Array, mu: float, boundary: float) -> _Step:
        """Solve for the step that changes R ∘ ρ by `complementarity`."""
        d_R = complementarity / rho - W * infeasible
        r1, r2 = point.missed[0] - A * (d_R @ B), point.missed[1] - B * (d_R.T @ A)
        d_alpha, d_beta, d_s = solve(r1, r2, path.accuracy * mu * R.size)
        d_rho = infeasible - d_s
        d_R += W * d_s
        longest = float(max(np.abs(d_alpha).max(), np.abs(d_beta).max()))
        if not (np.isfinite(longest) and np.isfinite(d_R).all()):
            raise SingularError
        primal = min(_step_length(rho, d_rho, boundary), path.longest_step / max(longest, 1e-300))
        return _Step(d_alpha, d_beta, d_rho, d_R, primal, _step_length(R, d_R, boundary))

    mu = point.barrier / R.size
    predicted = towards(-R * rho, mu, 1.0)
    reached = np.vdot(
        R + predicted.dual * predicted.d_multipliers, rho + predicted.primal * predicted.d_rho
    )
    centring = min(max(float(reached / point.barrier) ** 3, path.least_centring), 1.0)
    target = max(centring * mu, least_barrier / R.size)
    complementarity = target - R * rho - predicted.d_multipliers * predicted.d_rho
    step = towards(complementarity, target, path.boundary)
    step = _centred(step, complementarity, rho, R, target, path, towards)
    return _Point(
        problem,
        point.alpha + step.primal * step.d_alpha,
        point.beta + step.primal * step.d_beta,
        rho + step.primal * step.d_rho,
        R + step.dual * step.d_multipliers,
    )


def _centred(
    step: _Step,
    complementarity: Array,
    rho: Array,
    R: Array,
    target: float,
    path: PathFollowing,
    towards: Callable[[Array, float, float], _Step],
) -> _Step:
    """Correct the products R ∘ ρ that a longer step would leave too far from μ."""
    if min(step.primal, step.dual) > 0.9:
        return step
    aspired = (R + min(1.0, step.dual + 0.3) * step.d_multipliers) * (
        rho + min(1.0, step.primal + 0.3) * step.d_rho
    )
    correction = np.maximum(aspired.clip(0.1 * target, 10 * target) - aspired, -10 * target)
    corrected = towards(complementarity + correction, target, path.boundary)
    gained = corrected.primal + corrected.dual > step.primal + step.dual + 0.03
    return corrected if gained else step


def _step_length(x: Array, d_x: Array, boundary: float) -> float:
    """Return the largest step, at most 1, that keeps x + step d_x positive."""
    furthest = float((d_x / x).min())
    return 1.0 if furthest >= 0 else min(1.0, -boundary / furthest)

"""Factored, accelerated iterative proportional fitting.

Minimising I_q(X₁X₂;Y) over couplings is minimising KL(q ‖ p(y) r(x₁,x₂)) over q and over the
distribution r (Bertschinger et al. 2014, doi:10.3390/e16042161, for the problem). For fixed r the
best q has the form q(x₁,x₂|y) = u(x₁,y) r(x₁,x₂) v(x₂,y), found by iterative proportional fitting;
for fixed q the best r is its mixture over y, r s with s = Σ_y p(y) u v. The second step is a unit
mirror-descent step on a convex function of r, so `acceleration` extrapolates ln r, which turns a
gap of about 1/t into about 1/t². docs/ipfp.md describes the method and the alternatives that were
tried.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from modalprism.pid.acceleration import Acceleration, MirrorStep, Momentum
from modalprism.pid.backends import backend_for
from modalprism.pid.certificate import dual_value
from modalprism.pid.communicator import LOCAL, Communicator
from modalprism.pid.coupling import Coupling, take
from modalprism.pid.iterate import Iterate
from modalprism.pid.memory import FLOAT32_TOL, WIDENING_BYTES, fits
from modalprism.pid.solution import Bounds, Solution, SolutionBuilder
from modalprism.pid.stopping import Reason, Watch
from modalprism.pid.torch_backend import Backend, sweep

_CHUNK_ELEMENTS = 1 << 17  # Size of one table of a batch, so that all tables stay in cache.
_DEVICE_CHUNK_ELEMENTS = 1 << 23  # On a GPU the number of problems matters more than the cache.
# With too few sweeps the scalings lag behind the extrapolated r, and the iteration oscillates. A
# sweep is added if Σ p(x₁,y) |Δ ln u| exceeds this fraction of Σ r |ln s|.
_LAG = 0.5
_MOST_SWEEPS = 12
_CALM_PACE = 4
_EASE = 0.7  # Factor on the age of the momentum when the objective ascends along it.
# The certificate costs a few iterations. The next one follows when 1/t² predicts the requested
# gap, within these multiples of the iteration.
_LEAST_GROWTH, _MOST_GROWTH = 1.1, 4.0
# The run has stalled if the gap has not improved by a tenth for this multiple of the iterations
# plus this constant. Then float64 replaces float32; float64 stops with `Reason.ACCURACY`.
_PATIENCE32, _PATIENCE64 = (3, 300), (10, 1_000)


def solve_ipfp(
    p_x1y: Tensor,
    p_x2y: Tensor,
    watch: Watch,
    *,
    acceleration: Acceleration | None = None,
    backend: Backend | None = None,
    dtype: torch.dtype | None = None,
    communicator: Communicator = LOCAL,
) -> Solution:
    """Minimise I_q(X₁X₂;Y) over the couplings of the marginals of a `Problem`.

    Each problem also stops when it reaches the gap. The acceleration extrapolates ln r; its default
    was chosen by measurement. The backend computes the sweeps, by default the fastest for the
    device, type and shape. The tables are float32 by default if the tolerance allows it, and
    float64 after float32 has stalled, if it fits in memory; bounds are always float64. The
    communicator joins these rows x₁ to those of other processes, which call this with the same
    p(x₂,y), watch and options. Each returns the bounds of the whole problem, and α and the coupling
    of its own rows.
    """
    if dtype is None:
        dtype = torch.float32 if watch.tol >= FLOAT32_TOL else torch.float64
    acceleration = acceleration or Momentum()
    builder = SolutionBuilder()
    batch = p_x1y.shape[0]
    elements = _CHUNK_ELEMENTS if p_x1y.device.type == "cpu" else _DEVICE_CHUNK_ELEMENTS
    size = max(1, elements // (p_x1y.shape[1] * p_x2y.shape[1]))
    for start in range(0, batch, size):
        problems = torch.arange(start, min(start + size, batch), device=p_x1y.device)
        run = _Run(
            p_x1y[problems], p_x2y[problems], problems, acceleration, backend, dtype, communicator
        )
        while True:
            reason = agreed(watch.reason(run.iteration), communicator, p_x1y.device)
            if reason or run.iteration >= run.check_at:
                run.certify(builder, watch.tol, reason)
                if not run.problems.numel():
                    break
            run.advance()
    return builder.solution()


class _Run:
    """State of the unfinished problems of a chunk of the batch."""

    def __init__(
        self,
        p_x1y: Tensor,
        p_x2y: Tensor,
        problems: Tensor,
        acceleration: Acceleration,
        backend: Backend | None,
        dtype: torch.dtype,
        communicator: Communicator,
    ) -> None:
        self.problems, self.acceleration, self.communicator = problems, acceleration, communicator
        self.bounds = Bounds(p_x1y, p_x2y, communicator)
        self.iterate = Iterate(p_x1y, p_x2y, dtype, communicator)
        self.given, self.backend = backend, backend or self._fastest_backend()
        sweep(self.iterate, self.backend)
        self.log_r = torch.zeros_like(self.iterate.kernel)
        self.previous = torch.zeros_like(self.log_r)
        self.mean_log_u = torch.zeros_like(self.iterate.u)
        self.mean_log_v = torch.zeros_like(self.iterate.v)
        self.age = torch.zeros_like(self.log_r[:, :1, :1])
        self.best_gap = torch.full_like(self.bounds.lower, torch.inf)
        self.best_at, self.fresh_at = torch.ones_like(problems), torch.ones_like(problems)
        self.iteration = self.check_at = self.measure_at = self.sweeps = self.pace = 1

    def advance(self) -> None:
        """Update and extrapolate r, and fit u and v to it."""
        iterate = self.iterate
        measure = self.iteration >= self.measure_at
        weight = self.acceleration.weight(self.age)
        step = MirrorStep(
            iterate, self.acceleration, self.log_r, self.previous, weight, measure=measure
        )
        u, v = iterate.u, iterate.v
        sweep(iterate, self.backend, step)
        self.log_r, self.previous = self.previous, self.log_r
        # Cells with marginal 0 have u = 0, and their logarithms must be finite.
        tiny = torch.finfo(u.dtype).tiny
        self.mean_log_u.lerp_(iterate.fitted.clamp(min=tiny).log_(), 2.0 / (self.iteration + 1))
        self.mean_log_v.lerp_(v.clamp(min=tiny).log_(), 2.0 / (self.iteration + 1))
        self.age.add_(1.0)
        if measure:
            moved, ascent = self.communicator.sum(step.progress)
            ascends = ascent > 0
            lags = bool(iterate.lag(u).sum() > _LAG * moved.sum())
            self.age.mul_(torch.where(ascends, _EASE, 1.0))
            self.sweeps = min(self.sweeps + lags, _MOST_SWEEPS)
            self.pace = 1 if lags or bool(ascends.any()) else min(2 * self.pace, _CALM_PACE)
            self.measure_at = self.iteration + self.pace
        for _ in range(self.sweeps - 1):
            sweep(iterate, self.backend)
        self.iteration += 1

    def certify(self, builder: SolutionBuilder, tol: float, reason: Reason | None) -> None:
        """Evaluate the bounds, add finished problems to the solution, and plan the next check."""
        gap = self._offer_potentials()
        better = gap < 0.9 * self.best_gap
        self.best_gap = torch.where(better, gap, self.best_gap)
        self.best_at.masked_fill_(better, self.iteration)
        # A reduced age may not end an oscillation: without progress, restart at 0.
        stale = self.iteration > 1.5 * torch.maximum(self.best_at, self.fresh_at) + 20
        self.fresh_at.masked_fill_(stale, self.iteration)
        self.age.masked_fill_(stale[:, None, None], 0.0)
        single = self.log_r.dtype == torch.float32
        patience, least = _PATIENCE32 if single else _PATIENCE64
        stalled = self.iteration > patience * self.best_at + least
        if single and bool(stalled.any()) and self._has_room():
            self._widen()
            stalled = torch.zeros_like(stalled)
        ready = torch.ones_like(stalled) if reason else (gap <= tol) | stalled
        if bool(ready.any()):
            self._hand_in(builder, ready, stalled, tol, reason)
        if self.problems.numel():
            growth = (self.best_gap.min() / tol).sqrt().clamp(_LEAST_GROWTH, _MOST_GROWTH)
            self.check_at = max(self.iteration + 1, int(self.iteration * float(growth)))

    def _offer_potentials(self) -> Tensor:
        """Update the lower bounds; return an estimate of the gaps, (B,)."""
        iterate, p_x1y, p_x2y = self.iterate, self.bounds.p_x1y, self.bounds.p_x2y
        iterate.fitted = self.backend.fit_rows(iterate)
        log_p_y = p_x2y.sum(1, keepdim=True).log()
        last = iterate.fitted.double().log(), iterate.v.mT.double().log()
        mean = self.mean_log_u.double(), self.mean_log_v.mT.double()
        estimate = torch.empty(0)
        for log_u, log_v in (last, mean) if self.iteration > 1 else (last,):
            alpha = torch.where(p_x1y > 0, log_u - log_p_y, -torch.inf)
            beta = torch.where(p_x2y > 0, log_v, -torch.inf)
            self.bounds.offer_potentials(alpha, beta)
            if log_u is last[0]:
                value = dual_value(p_x1y, p_x2y, alpha, beta, self.communicator)
                estimate = value + iterate.mass().double().log()
        return self.communicator.max((estimate - self.bounds.lower).clamp(min=0.0))

    def _hand_in(
        self,
        builder: SolutionBuilder,
        ready: Tensor,
        stalled: Tensor,
        tol: float,
        reason: Reason | None,
    ) -> None:
        """Compute the upper bounds of some problems, and finish the stopped ones."""
        iterate, bounds = self.iterate, self.bounds
        u = (iterate.p_x1 * iterate.fitted).double()
        v = (iterate.p_x2 * iterate.v).mT.double()
        p_x1y, p_x2y, kernel, u, v = (
            take(table, ready) for table in (bounds.p_x1y, bounds.p_x2y, iterate.kernel, u, v)
        )
        coupling = Coupling.rounded(p_x1y, p_x2y, kernel, u, v, self.communicator)
        information = coupling.information(self.communicator)
        bounds.upper[ready] = torch.fmin(bounds.upper[ready], information)
        converged = ready & (bounds.gap <= tol)
        stopped = ready & ~converged & (stalled if reason is None else ready)
        for done, why in ((converged, Reason.CONVERGED), (stopped, reason or Reason.ACCURACY)):
            if bool(done.any()):
                factors = coupling.select(done[ready])
                part = bounds.select(done).solution(factors, self.iteration, why, "ipfp")
                builder.add(self.problems[done], part)
        finished = converged | stopped
        if bool(finished.any()):
            self._keep(~finished)

    def _keep(self, keep: Tensor) -> None:
        self.problems = self.problems[keep]
        if self.problems.numel():
            self.bounds = self.bounds.select(keep)
            self.iterate.select(keep)
            self._replace(lambda table: table[keep])
            self.best_gap, self.best_at = self.best_gap[keep], self.best_at[keep]
            self.fresh_at = self.fresh_at[keep]

    def _fastest_backend(self) -> Backend:
        kernel, (_, n1, n_classes) = self.iterate.kernel, self.iterate.u.shape
        return backend_for(kernel.device, kernel.dtype, (n1, n_classes, kernel.shape[2]))

    def _has_room(self) -> bool:
        """Return whether float64 tables fit beside the float32 ones, on every process."""
        device = self.log_r.device
        lacks = not fits(WIDENING_BYTES * self.log_r.numel(), device)
        return not bool(self.communicator.max(torch.tensor([lacks], device=device).int()))

    def _widen(self) -> None:
        self.iterate.convert(torch.float64)
        self.backend = self.given or self._fastest_backend()
        self._replace(Tensor.double)
        self.best_at.fill_(self.iteration)

    def _replace(self, by: Callable[[Tensor], Tensor]) -> None:
        self.log_r = by(self.log_r)  # One after the other, so that at most one table exists twice.
        self.previous = by(self.previous)
        self.mean_log_u, self.mean_log_v = by(self.mean_log_u), by(self.mean_log_v)
        self.age = by(self.age)


def agreed(
    reason: Reason | None, communicator: Communicator, device: torch.device
) -> Reason | None:
    """Return the same reason on all processes if any has one, because clocks differ."""
    if communicator is LOCAL:
        return reason
    reasons = list(Reason)
    place = 0 if reason is None else 1 + reasons.index(reason)
    place = int(communicator.max(torch.tensor([place], device=device)))
    return reasons[place - 1] if place else None

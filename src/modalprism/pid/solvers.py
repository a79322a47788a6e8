"""Solvers as objects: the `Solver` protocol, the solvers of this package, and their registry.

A solver takes a `Problem` and returns a `Solution`. Any callable with this protocol is valid:
the bounds come from `Bounds`, which proves them from any potentials and couplings. A parameter
`solver` accepts an object, or a name for its default object::

    decompose(joint, solver="ipfp")
    decompose(joint, solver=IPFP(acceleration=Momentum(relaxation=1.2)))

Packages register solvers under a name in the entry point group ``modalprism.solvers``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import torch

from modalprism.errors import InputError
from modalprism.pid.acceleration import Acceleration, Momentum
from modalprism.pid.closed_form import closed_form
from modalprism.pid.cost import cheapest, ipfp_iterations
from modalprism.pid.ipfp import solve_ipfp
from modalprism.pid.memory import Shape, fits, ipfp_bytes, newton_bytes
from modalprism.pid.newton import PathFollowing, solve_newton
from modalprism.pid.newton_batch import solve_newton_batch
from modalprism.pid.solution import Problem, Solution, SolutionBuilder
from modalprism.pid.stopping import Reason, Watch
from modalprism.pid.support import Support
from modalprism.pid.torch_backend import Backend
from modalprism.registry import Registry

_NEWTON_ITERATIONS = 50  # Newton's method takes fewer iterations.


class Solver(Protocol):
    """Protocol: compute the union information of a batch of problems."""

    def __call__(self, problem: Problem, watch: Watch) -> Solution:
        """Minimise I_q(X₁X₂;Y) over the couplings q of the marginals of each problem.

        Parameters
        ----------
        problem : Problem
            B problems of one shape. Each symbol is used by at least one of them.
        watch : Watch
            Contains the target gap, `watch.tol` in nats. ``watch.reason(iteration)`` returns a
            reason to stop earlier.

        Returns
        -------
        Solution
            Solutions of all problems, in order; `Bounds.solution` makes it.
        """
        ...

    def needed_bytes(self, shape: Shape, batch: int, tol: float, device: torch.device) -> int:
        """Return the bytes needed for B problems of shape (n1, n2, C); 0 if unknown."""
        ...


@dataclass(frozen=True)
class Newton(PathFollowing):
    """Newton's method on the central path, for small and middle tables and small gaps.

    On a processor the problems of a batch are solved one by one, on a GPU together. Parameters are
    those of `PathFollowing`.

    Examples
    --------
    >>> from modalprism.pid import decompose, gate
    >>> decompose(gate("boom").joint, solver=Newton(boundary=0.99), tol=1e-9).converged
    True
    """

    def __call__(self, problem: Problem, watch: Watch) -> Solution:
        """Solve each problem."""
        if problem.device.type != "cpu":
            return solve_newton_batch(problem.p_x1y, problem.p_x2y, watch, path=self)
        return _one_by_one(
            problem, lambda one: solve_newton(one.p_x1y, one.p_x2y, watch, path=self)
        )

    def needed_bytes(self, shape: Shape, batch: int, tol: float, device: torch.device) -> int:  # noqa: ARG002
        """Return the bytes of slacks, multipliers and factors."""
        return newton_bytes(shape, batch, device)


@dataclass(frozen=True)
class IPFP:
    """Factored, accelerated iterative proportional fitting: thousands of states, GPUs, batches.

    Parameters
    ----------
    acceleration : Acceleration
        Extrapolation of the iteration.
    backend : Backend, optional
        Computes the sweeps; by default the fastest for the device, type and shape.
    dtype : torch.dtype, optional
        Type of the tables. By default float32 if the tolerance allows it.

    Examples
    --------
    >>> from modalprism.pid import decompose, gate
    >>> slower = IPFP(acceleration=Momentum(relaxation=1.0))
    >>> decompose(gate("boom").joint, solver=slower, tol=1e-4).converged
    True
    """

    acceleration: Acceleration = field(default_factory=Momentum)
    backend: Backend | None = None
    dtype: torch.dtype | None = None

    def __call__(self, problem: Problem, watch: Watch) -> Solution:
        """Solve all problems together."""
        return solve_ipfp(
            problem.p_x1y,
            problem.p_x2y,
            watch,
            acceleration=self.acceleration,
            backend=self.backend,
            dtype=self.dtype,
        )

    def needed_bytes(self, shape: Shape, batch: int, tol: float, device: torch.device) -> int:
        """Return the bytes of the kernel and of the tables of the acceleration."""
        return ipfp_bytes(shape, batch, device, tol)


@dataclass(frozen=True)
class Auto:
    """The solver of lower expected cost; the other continues if that one stalls.

    If one source is sufficient, the solution has a closed form. A GPU always runs `ipfp`.

    Parameters
    ----------
    newton : Solver
        For small and middle tables.
    ipfp : Solver
        For large tables and large batches.
    """

    newton: Solver = field(default_factory=Newton)
    ipfp: Solver = field(default_factory=IPFP)

    def __call__(self, problem: Problem, watch: Watch) -> Solution:
        """Choose a solver for the whole batch, and run it."""
        name = self._choose(problem, watch.tol)
        if name == "ipfp" and len(problem) > 1:
            return self._fit_together(problem, watch)
        return _one_by_one(
            problem,
            lambda one: closed_form(one, watch.tol) or self._iterate(one, watch, name),
        )

    def needed_bytes(self, shape: Shape, batch: int, tol: float, device: torch.device) -> int:
        """Return the bytes of `ipfp`, which runs if `newton` does not fit."""
        return self.ipfp.needed_bytes(shape, batch, tol, device)

    def _choose(self, problem: Problem, tol: float) -> str:
        """Return the field of the first solver to run."""
        batch, device = len(problem), problem.device
        if device.type != "cpu":
            return "ipfp"
        sparse = False
        if batch > 1:
            used = torch.count_nonzero(problem.p_x1y) + torch.count_nonzero(problem.p_x2y)
            sparse = int(used) < 0.5 * (problem.p_x1y.numel() + problem.p_x2y.numel())
        name = cheapest(*problem.shape, tol, batch, sparse=sparse)
        needed = self.newton.needed_bytes(problem.shape, batch, tol, device)
        return name if name == "ipfp" or fits(needed, device) else "ipfp"

    def _iterate(self, problem: Problem, watch: Watch, name: str) -> Solution:
        """Solve one problem; proportional fitting continues at Newton's accuracy floor."""
        if name == "ipfp":
            return self.ipfp(problem, watch)
        solution = self.newton(problem, watch)
        if solution.reasons[0] is not Reason.ACCURACY:
            return solution
        with watch.spent(int(solution.iterations)):
            continued = self.ipfp(problem, watch)
        return _best_of(solution, continued, watch.tol, "newton, ipfp")

    def _fit_together(self, problem: Problem, watch: Watch) -> Solution:
        """Fit a batch; Newton's method solves the problems on which fitting is slow.

        Proportional fitting may take a hundred times as long on tables with many zeros as on others
        of their shape, or never converge.
        """
        alone = "ipfp" if problem.device.type != "cpu" else cheapest(*problem.shape, watch.tol)
        if alone == "ipfp":
            return self.ipfp(problem, watch)
        most, usual = watch.max_iter, int(ipfp_iterations(watch.tol))
        least = _NEWTON_ITERATIONS if most > 2 * _NEWTON_ITERATIONS else 0
        with watch.spent(max(0, most - usual, least)):
            solution = self.ipfp(problem, watch)
        open_ends = {Reason.ITERATIONS, Reason.ACCURACY}
        slow = torch.tensor([reason in open_ends for reason in solution.reasons])
        if not bool(slow.any()):
            return solution
        builder, done = SolutionBuilder(), (~slow).nonzero().flatten()
        builder.add(done, solution.select(done))
        for k in slow.nonzero().flatten():
            fitted = solution.select(k[None])
            with watch.spent(int(fitted.iterations)):
                continued = _one_by_one(
                    problem[int(k)], lambda one: self._iterate(one, watch, "newton"), restrict=True
                )
            builder.add(k[None], _best_of(fitted, continued, watch.tol, "ipfp, newton"))
        return builder.solution()


def _one_by_one(
    problem: Problem, solve: Callable[[Problem], Solution], *, restrict: bool = False
) -> Solution:
    """Solve each problem of a batch separately, without its unused symbols."""
    if len(problem) == 1 and not restrict:
        return solve(problem)
    parts = []
    for k in range(len(problem)):
        support = Support.of(problem[k])
        parts.append(support.expand(solve(support.restrict(problem[k]))))
    return Solution.concatenate(parts)


def _best_of(first: Solution, second: Solution, tol: float, solvers: str) -> Solution:
    """Return the tighter bounds of an earlier and a later solution of one problem."""
    lower = first if bool(first.lower > second.lower) else second
    upper = first if bool(first.upper < second.upper) else second
    best = replace(
        second,
        lower=lower.lower,
        alpha=lower.alpha,
        beta=lower.beta,
        upper=upper.upper,
        coupling=upper.coupling,
        iterations=first.iterations + second.iterations,
        solvers=(solvers,),
    )
    return replace(best, reasons=(Reason.CONVERGED,)) if bool(best.gap <= tol) else best


SOLVERS: Final[Registry[Callable[[], Solver]]] = Registry(
    "solver", "modalprism.solvers", {"auto": Auto, "newton": Newton, "ipfp": IPFP}
)
"""Solvers by name, each a callable that makes the default object."""


def solver_for(solver: str | Solver) -> Solver:
    """Return the solver of a name; return an object unchanged.

    Raises
    ------
    InputError
        If the name is unknown, or the object is not a solver.

    Examples
    --------
    >>> solver_for("newton").boundary
    0.995
    """
    if isinstance(solver, str):
        return SOLVERS[solver]()
    if isinstance(solver, type) or not callable(solver) or not hasattr(solver, "needed_bytes"):
        raise InputError(
            f"solver is {solver!r}: pass one of {', '.join(map(repr, SOLVERS.names()))}, or an"
            " object with the methods of modalprism.pid.solvers.Solver",
            parameter="solver",
        )
    return solver

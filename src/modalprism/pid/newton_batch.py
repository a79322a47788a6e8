"""Newton's method for a batch of small problems of one shape, for a GPU.

The method follows the central path as `newton` does, with Mehrotra's predictor and corrector (1992,
doi:10.1137/0802028). Each problem has its own step length, and leaves the batch when it is
finished.
"""

from __future__ import annotations

import torch
from torch import Tensor

from modalprism.pid.coupling import Coupling
from modalprism.pid.newton import PathFollowing, swapped
from modalprism.pid.solution import Bounds, Solution, SolutionBuilder
from modalprism.pid.stopping import Reason, Watch

_CHUNK_ELEMENTS = 1 << 18  # Size of the cross blocks of a chunk, float64: in cache,
_DEVICE_CHUNK_ELEMENTS = 1 << 25  # or in the memory of a GPU.
_PATIENCE = 12  # Iterations without progress of the barrier or of the gap before the solver stops.
_SHIFTS = (1e-14, 1e-12, 1e-10, 1e-8, 1e-6)  # of the diagonal, until the factor exists
_REFINEMENTS = 2


def solve_newton_batch(
    p_x1y: Tensor, p_x2y: Tensor, watch: Watch, *, path: PathFollowing | None = None
) -> Solution:
    """Minimise I_q(X₁X₂;Y) over the couplings of the marginals of a `Problem`, on any device.

    Each problem also stops when it reaches the gap.
    """
    if p_x1y.shape[1] < p_x2y.shape[1]:  # The first source is eliminated.
        return swapped(solve_newton_batch(p_x2y, p_x1y, watch, path=path))
    builder, path = SolutionBuilder(), path or PathFollowing()
    batch, n1, n_classes = p_x1y.shape
    elements = _CHUNK_ELEMENTS if p_x1y.device.type == "cpu" else _DEVICE_CHUNK_ELEMENTS
    size = max(1, elements // (n1 * p_x2y.shape[1] * n_classes**2))
    for start in range(0, batch, size):
        problems = torch.arange(start, min(start + size, batch), device=p_x1y.device)
        run = _Run(p_x1y[problems], p_x2y[problems], problems, watch.tol, path)
        iteration = 0
        while run.problems.numel():
            iteration += 1
            if run.finish(builder, iteration, watch.reason(iteration)):
                break
            run.advance()
    return builder.solution()


class _Run:
    """State of the unfinished problems of a chunk: potentials, slacks ρ and multipliers R."""

    def __init__(
        self, p_x1y: Tensor, p_x2y: Tensor, problems: Tensor, tol: float, path: PathFollowing
    ) -> None:
        self.problems, self.path, self.tol = problems, path, tol
        self.bounds, self.p_y = Bounds(p_x1y, p_x2y), p_x2y.sum(1, keepdim=True)
        p_x1, p_x2 = p_x1y.sum(2, keepdim=True), p_x2y.sum(2, keepdim=True)
        # α = w ln p(y|x₁)/p(y), β = (1 − w) ln p(y|x₂)/p(y): s ≤ 1 by Hölder's inequality.
        # Differences of logarithms: the product p(x) p(y) of small probabilities would underflow.
        log_p_y = self.p_y.log()
        log_1 = torch.where(p_x1y > 0, (p_x1y / p_x1).log() - log_p_y, -torch.inf)
        log_2 = torch.where(p_x2y > 0, (p_x2y / p_x2).log() - log_p_y, -torch.inf)
        first, second = (
            torch.where(p > 0, p * log, 0.0).sum((1, 2), keepdim=True)
            for p, log in ((p_x1y, log_1), (p_x2y, log_2))
        )
        both = first + second
        weight = torch.where(both < 1e-12, 0.5, (first / both.clamp(min=1e-300)).clamp(0.0, 1.0))
        self.alpha = torch.where(p_x1y > 0, weight * log_1, -torch.inf)
        self.beta = torch.where(p_x2y > 0, (1 - weight) * log_2, -torch.inf)
        s = (self.alpha.exp() * self.p_y) @ self.beta.exp().mT
        self.rho, self.R = (1 - s).clamp(min=path.first_slack), p_x1 * p_x2.mT
        self.failed = torch.zeros_like(problems, dtype=torch.bool)
        self.best = torch.full_like(self.bounds.lower, torch.inf)
        self.since = torch.zeros_like(problems)

    def finish(self, builder: SolutionBuilder, iteration: int, reason: Reason | None) -> bool:
        """Add the finished problems to the solution; return whether all are finished."""
        barrier = (self.R * self.rho).sum((1, 2))
        promising = (barrier <= self.tol) | (iteration == 1) | self.failed | (reason is not None)
        promising |= self.since >= _PATIENCE
        progress = barrier < 0.9 * self.best
        if bool(promising.any()):
            A, B = self.alpha.exp() * self.p_y, self.beta.exp()
            self.bounds.offer_potentials(self.alpha, self.beta)
            coupling = Coupling.rounded(self.bounds.p_x1y, self.bounds.p_x2y, self.R, A, B)
            before = self.bounds.gap
            self.bounds.offer_coupling(coupling)
            progress |= self.bounds.gap < 0.5 * before
        self.best = torch.minimum(self.best, barrier)
        self.since = torch.where(progress, 0, self.since + 1)
        converged = self.bounds.gap <= self.tol
        stopped = ~converged & (self.failed | (self.since > _PATIENCE) | (reason is not None))
        for done, why in ((converged, Reason.CONVERGED), (stopped, reason or Reason.ACCURACY)):
            if bool(done.any()):
                bounds, factors = self.bounds.select(done), coupling.select(done)
                part = bounds.solution(factors, iteration, why, "newton")
                builder.add(self.problems[done], part)
        if bool((converged | stopped).any()):
            self._keep(~(converged | stopped))
        return not self.problems.numel()

    def advance(self) -> None:
        """Make one step along the central path: predictor, then corrector."""
        R, rho = self.R, self.rho
        A, B = self.alpha.exp() * self.p_y, self.beta.exp()
        missed = self.bounds.p_x1y - A * (R @ B), self.bounds.p_x2y - B * (R.mT @ A)
        infeasible, W = 1 - A @ B.mT - rho, R / rho
        system = BatchSystem(A, B, R, W)

        def towards(complementarity: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
            """Solve for dα, dβ, dρ and dR that change R ∘ ρ by `complementarity`."""
            d_R = complementarity / rho - W * infeasible
            r1, r2 = missed[0] - A * (d_R @ B), missed[1] - B * (d_R.mT @ A)
            d_alpha, d_beta, d_s = system.solve(r1, r2)
            return d_alpha, d_beta, infeasible - d_s, d_R + W * d_s

        cells, mu = R[0].numel(), (R * rho).mean((1, 2), keepdim=True)
        _, _, d_rho, d_R = towards(-R * rho)
        primal, dual = _step_length(rho, d_rho, 1.0), _step_length(R, d_R, 1.0)
        reached = ((R + dual * d_R) * (rho + primal * d_rho)).mean((1, 2), keepdim=True)
        centring = ((reached / mu) ** 3).clamp(self.path.least_centring, 1.0)
        target = (centring * mu).clamp(min=self.path.least_barrier * self.tol / cells)
        d_alpha, d_beta, d_rho, d_R = towards(target - R * rho - d_R * d_rho)
        boundary, longest = self.path.boundary, self.path.longest_step
        largest = torch.maximum(d_alpha.abs().amax((1, 2)), d_beta.abs().amax((1, 2)))
        primal = torch.minimum(
            _step_length(rho, d_rho, boundary), (longest / largest.clamp(min=1e-300))[:, None, None]
        )
        dual = _step_length(R, d_R, boundary)
        sound = system.sound & largest.isfinite() & d_R.isfinite().all(2).all(1)
        self.failed |= ~sound  # and does not move
        whole = sound[:, None, None]
        self.alpha = torch.where(whole, self.alpha + primal * d_alpha, self.alpha)
        self.beta = torch.where(whole, self.beta + primal * d_beta, self.beta)
        self.rho = torch.where(whole, rho + primal * d_rho, rho)
        self.R = torch.where(whole, R + dual * d_R, R)

    def _keep(self, keep: Tensor) -> None:
        self.problems = self.problems[keep]
        if self.problems.numel():
            self.bounds = self.bounds.select(keep)
            for name in ("p_y", "alpha", "beta", "rho", "R", "failed", "best", "since"):
                setattr(self, name, getattr(self, name)[keep])


def _step_length(x: Tensor, d_x: Tensor, boundary: float) -> Tensor:
    """Return the largest step per problem, (B, 1, 1), at most 1, that keeps x + step d_x > 0."""
    furthest = torch.where(d_x < 0, d_x / x, 0.0).amin((1, 2), keepdim=True)
    return torch.where(furthest < 0, -boundary / furthest, 1.0).clamp(max=1.0)


class BatchSystem:
    """Factorised systems of `newton_system` at one iterate, with a batch dimension.

    The blocks of the first source are eliminated through their own factors, and the Schur
    complement of the second source, n₂C × n₂C, is factorised for all problems together. A state,
    class or cell that a problem does not use has a one on the diagonal and zeros elsewhere in its
    row and column.

    A, (b, n1, C), holds p(y); B is (b, n2, C), and both are zero outside the support. R and W,
    (b, n1, n2), are multipliers, and multipliers over slacks. `sound`, (b,), is whether the factors
    exist; ignore the results of `solve` elsewhere.
    """

    def __init__(self, A: Tensor, B: Tensor, R: Tensor, W: Tensor) -> None:
        self._A, self._B, self._R, self._W = A, B, R, W
        self._RB, self._RA = R @ B, R.mT @ A
        batch, n2, n_classes = B.shape
        first, second = _blocks(A, W, B, A * self._RB), _blocks(B, W.mT, A, B * self._RA)
        self._factor_1, failed = torch.linalg.cholesky_ex(first)
        self.sound = (failed == 0).all(1)
        self._eliminated = torch.linalg.solve_triangular(self._factor_1, self._cross(), upper=False)
        size = n2 * n_classes
        eliminated = self._eliminated.reshape(batch, -1, size)
        x, y = (torch.arange(n, device=A.device) for n in (n2, n_classes))
        whole = A.new_zeros(batch, n2, n_classes, n2, n_classes)
        whole[:, x, :, x, :] = second.transpose(0, 1)
        # (α + c, β − c) is free in every class: an added weight fixes it.
        used = (B > 0).to(B)
        diagonal = second.diagonal(dim1=2, dim2=3)
        weight = (used * diagonal).mean(1, keepdim=True) / n2
        between = (used * weight).mT[:, :, :, None] * used.mT[:, :, None, :]
        whole[:, :, y, :, y] += between.transpose(0, 1)
        schur = whole.reshape(batch, size, size) - eliminated.mT @ eliminated
        scale = diagonal.reshape(batch, size)
        for shift in _SHIFTS:
            self._factor_2, failed = torch.linalg.cholesky_ex(
                schur + torch.diag_embed(shift * scale)
            )
            if not bool((self.sound & (failed != 0)).any()):
                break
        self.sound &= failed == 0

    def solve(self, r1: Tensor, r2: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return dα, (b, n1, C), dβ, (b, n2, C), and ds, (b, n1, n2)."""
        x1, x2 = self._substitute(r1, r2)
        for _ in range(_REFINEMENTS):
            p1, p2, _ = self._product(x1, x2)
            c1, c2 = self._substitute(r1 - p1, r2 - p2)
            x1, x2 = x1 + c1, x2 + c2
        return x1, x2, self._slacks(x1, x2)

    def _substitute(self, r1: Tensor, r2: Tensor) -> tuple[Tensor, Tensor]:
        batch = len(r1)
        inner = torch.linalg.solve_triangular(self._factor_1, r1[..., None], upper=False)
        eliminated = self._eliminated.reshape(batch, -1, r2[0].numel())
        right = r2.reshape(batch, -1, 1) - eliminated.mT @ inner.reshape(batch, -1, 1)
        x2 = torch.cholesky_solve(right, self._factor_2)
        inner = inner - (eliminated @ x2).reshape(inner.shape)
        x1 = torch.linalg.solve_triangular(self._factor_1.mT, inner, upper=True)
        return x1[..., 0], x2.reshape(r2.shape)

    def _slacks(self, d_alpha: Tensor, d_beta: Tensor) -> Tensor:
        A, B = self._A, self._B
        return (A * d_alpha) @ B.mT + A @ (B * d_beta).mT

    def _product(self, d_alpha: Tensor, d_beta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        A, B, R = self._A, self._B, self._R
        A_d, B_d, d_s = A * d_alpha, B * d_beta, self._slacks(d_alpha, d_beta)
        W_ds = self._W * d_s
        first = A * (W_ds @ B + R @ B_d) + A_d * self._RB + (A == 0) * d_alpha
        second = B * (W_ds.mT @ A + R.mT @ A_d) + B_d * self._RA + (B == 0) * d_beta
        return first, second, d_s

    def _cross(self) -> Tensor:
        """Return the off-diagonal blocks, (b, n1, C, n2 C)."""
        A, B, W, R = self._A, self._B, self._W, self._R
        (batch, n1, n_classes), n2 = A.shape, B.shape[1]
        block = W[:, :, None, :, None] * B.mT[:, None, :, :, None]
        block = block * B[:, None, None] * A[:, :, :, None, None] * A[:, :, None, None, :]
        same = A[:, :, :, None] * R[:, :, None] * B.mT[:, None]
        block.diagonal(dim1=2, dim2=4).add_(same.transpose(2, 3))
        return block.reshape(batch, n1, n_classes, n2 * n_classes)


def _blocks(A: Tensor, W: Tensor, B: Tensor, diagonal: Tensor) -> Tensor:
    """Return Σ_{x₂} W t tᵀ + diagonal, for every x₁: (b, n1, C, C)."""
    batch, n1, n_classes = A.shape
    B_yz = (B[..., :, None] * B[..., None, :]).reshape(batch, -1, n_classes**2)
    blocks = (W @ B_yz).reshape(batch, n1, n_classes, n_classes)
    blocks = blocks * A[..., :, None] * A[..., None, :]
    return blocks + torch.diag_embed(diagonal + (A == 0))

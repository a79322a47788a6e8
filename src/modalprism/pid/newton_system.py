"""Linear system of a Newton step, with two preconditioners.

With t(x₁,x₂,y) = p(y) e^{α+β} = A(x₁,y) B(x₂,y), multipliers R and W = R ⊘ ρ, eliminating slacks
and multipliers from the conditions of optimality leaves, for the step (dα, dβ),

    Σ_{x₂} t [W ds + R (dα + dβ)] = r₁(x₁,y),   Σ_{x₁} t [W ds + R (dα + dβ)] = r₂(x₂,y),
    ds(x₁,x₂) = Σ_y t (dα + dβ):

symmetric positive semidefinite, (n₁+n₂) C unknowns, with a C×C block for every state, and one free
constant for each class, (α + c, β − c). Its product with a vector is six matrix products, and is
accurate. Conjugate gradients therefore solve it, with one of two preconditioners: sweeps over the
blocks (Gauss–Seidel), or a Cholesky factor, which costs more and is nearly exact.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrs

from modalprism.pid import cost
from modalprism.pid.threads import all_threads

Array = NDArray[np.float64]
Pair = tuple[Array, Array]

_MOST_REFINEMENTS, _MOST_SWEEPS = 12, 5_000
_FIRST_SHIFT, _LAST_SHIFT = 1e-14, 1e-6
_SHARED = 1e9  # multiplications from which on torch saves time with all its threads


class SingularError(ArithmeticError):
    """Raised if the system is too close to singular to be factorised."""


class System:
    """System at one iterate: its product with a vector, and its blocks.

    A, (n1, C), holds p(y); B is (n2, C), and both are zero outside the support. R and W, (n1, n2),
    are multipliers, and multipliers over slacks; RB and RA are R B and Rᵀ A.
    """

    def __init__(self, A: Array, B: Array, R: Array, W: Array, RB: Array, RA: Array) -> None:
        self.A, self.B, self.R, self.W, self.RB, self.RA = A, B, R, W, RB, RA

    def product(self, d_alpha: Array, d_beta: Array) -> tuple[Array, Array, Array]:
        """Return the product of the system with a vector, (n1, C) and (n2, C), and ds, (n1, n2)."""
        A, B, R = self.A, self.B, self.R
        A_d, B_d = A * d_alpha, B * d_beta
        d_s = A_d @ B.T
        d_s += A @ B_d.T
        W_ds = self.W * d_s
        first = A * (W_ds @ B + R @ B_d) + A_d * self.RB
        second = B * (W_ds.T @ A + R.T @ A_d) + B_d * self.RA
        return first, second, d_s

    def blocks(self) -> Pair:
        """Return the diagonal blocks, (n1, C, C) and (n2, C, C), with a one outside the support."""
        A, B, W = self.A, self.B, self.W
        first = _blocks(A, W, B, A * self.RB)
        return first, _blocks(B, W.T, A, B * self.RA)

    def cross(self) -> Array:
        """Return the off-diagonal block, (n1, C, n2, C)."""
        A, B = self.A, self.B
        A_yz = A[:, :, None] * A[:, None, :]
        B_yz = (B[:, :, None] * B[:, None, :]).transpose(1, 0, 2)
        block: Array = A_yz[:, :, None, :] * (self.W[:, None, :, None] * B_yz)
        y = np.arange(A.shape[1])
        block[:, y, :, y] += (A[:, None] * (self.R[:, :, None] * B)).transpose(2, 0, 1)
        return block


def _blocks(A: Array, W: Array, B: Array, diagonal: Array) -> Array:
    """Return Σ_{x₂} W t tᵀ + diagonal, for every x₁: (n1, C, C)."""
    (n1, C), n2 = A.shape, B.shape[0]
    B_yz = (B[:, :, None] * B[:, None, :]).reshape(n2, C * C)
    blocks: Array = (W @ B_yz).reshape(n1, C, C)
    blocks *= A[:, :, None] * A[:, None, :]
    y = np.arange(C)
    blocks[:, y, y] += diagonal + (A == 0)
    return blocks


class Preconditioner(Protocol):
    """Approximate inverse of the system, symmetric and positive definite."""

    def __call__(self, r1: Array, r2: Array) -> Pair:
        """Apply the preconditioner to a right-hand side."""


class DenseFactor:
    """Cholesky factor of the system: states of the first source by block, then the rest.

    The blocks of the first source are eliminated through their own Cholesky factors, which is as
    stable as factorising the whole system; explicit inverses would not be. A weight fixes the free
    constants, and a shift the nearly singular directions; conjugate gradients correct for it. If no
    small shift makes the system definite, `SingularError` is raised.
    """

    def __init__(self, system: System) -> None:
        first, second = system.blocks()
        n2, C = system.B.shape
        self._free = np.flatnonzero(system.B)
        try:
            self._inverse = np.linalg.inv(np.linalg.cholesky(first))
        except np.linalg.LinAlgError as error:
            raise SingularError from error
        cross = system.cross().reshape(len(first), C, n2 * C)
        if len(self._free) < n2 * C:
            cross = cross[:, :, self._free]
        self._eliminated = (self._inverse @ cross).reshape(-1, len(self._free))
        x, y = np.arange(n2), np.arange(C)
        diagonal = second[:, y, y]
        blocks = np.zeros((n2, C, n2, C))
        blocks[x, :, x, :] = second
        blocks[:, y, :, y] += diagonal.mean(0)[:, None, None] / n2
        schur: Array = blocks.reshape(n2 * C, n2 * C)
        if len(self._free) < n2 * C:
            schur = schur[np.ix_(self._free, self._free)]
        schur -= _gram(self._eliminated)
        self._factor = _shifted_cholesky(schur, diagonal.ravel()[self._free])

    def __call__(self, r1: Array, r2: Array) -> Pair:
        """Solve by forward and backward substitution."""
        inner = (self._inverse @ r1[:, :, None]).ravel()
        right = r2.ravel()[self._free] - self._eliminated.T @ inner
        x2 = np.zeros(r2.size)
        solved, _ = dpotrs(self._factor.T, right)  # The transpose has Fortran order.
        x2[self._free] = solved
        inner -= self._eliminated @ solved
        x1 = self._inverse.transpose(0, 2, 1) @ inner.reshape(*r1.shape, 1)
        return x1[:, :, 0], x2.reshape(r2.shape)


def _shifted_cholesky(matrix: Array, scale: Array) -> Array:
    """Return the Cholesky factor of a matrix, with the smallest shift that makes it definite."""
    diagonal = matrix.diagonal().copy()
    shift = _FIRST_SHIFT
    while shift <= _LAST_SHIFT:
        np.fill_diagonal(matrix, diagonal + shift * scale)
        try:
            return _cholesky(matrix)
        except np.linalg.LinAlgError:
            shift *= 100
    raise SingularError


def _gram(matrix: Array) -> Array:
    if matrix.size * matrix.shape[1] < _SHARED:
        return np.asarray(matrix.T @ matrix, dtype=np.float64)
    tensor = torch.from_numpy(matrix)
    with all_threads():
        return np.asarray((tensor.T @ tensor).numpy(), dtype=np.float64)


def _cholesky(matrix: Array) -> Array:
    if matrix.size * len(matrix) < _SHARED:
        return np.asarray(np.linalg.cholesky(matrix), dtype=np.float64)
    with all_threads():
        factor, failed = torch.linalg.cholesky_ex(torch.from_numpy(matrix))
    if failed:
        raise np.linalg.LinAlgError
    return np.ascontiguousarray(factor.numpy(), dtype=np.float64)


class GaussSeidel:
    """Symmetric block Gauss–Seidel: one source's states, the other's, and the first again."""

    def __init__(self, system: System) -> None:
        self._system = system
        try:
            self._first, self._second = map(_inverse, system.blocks())
        except np.linalg.LinAlgError as error:
            raise SingularError from error

    def __call__(self, r1: Array, r2: Array) -> Pair:
        """Sweep over the sources forward and backward."""
        A, B, R, W = self._system.A, self._system.B, self._system.R, self._system.W
        x1 = _each(self._first, r1)
        A_x = A * x1
        x2 = _each(self._second, r2 - B * ((W * (A_x @ B.T)).T @ A + R.T @ A_x))
        B_x = B * x2
        return _each(self._first, r1 - A * ((W * (A @ B_x.T)) @ B + R @ B_x)), x2


def _inverse(blocks: Array) -> Array:
    return np.asarray(np.linalg.inv(blocks), dtype=np.float64)


def _each(blocks: Array, vectors: Array) -> Array:
    """Multiply every state's vector by its block."""
    products: Array = (blocks @ vectors[:, :, None])[:, :, 0]
    return products


class StepSolver:
    """Solver of the steps of one iteration, with the preconditioner of lower expected cost.

    Sweeps are cheap, and sufficient far from the end of the path. If they do not converge in the
    expected time, one factorisation replaces them. The system is worse conditioned for a smaller
    barrier n₁ n₂ μ.
    """

    def __init__(self, system: System, barrier: float) -> None:
        self._system = system
        (n1, C), n2 = system.A.shape, system.B.shape[0]
        factorisation = cost.factorisation_seconds(n1, n2, C)
        if cost.sweeping_seconds(n1, n2, C, barrier) < factorisation:
            self._preconditioner: Preconditioner = GaussSeidel(system)
            self._most_iterations = _MOST_SWEEPS
            if math.isfinite(factorisation):
                worthwhile = int(factorisation / cost.sweep_seconds(n1, n2, C))
                self._most_iterations = min(worthwhile, _MOST_SWEEPS)
        else:
            self._factorise()
        self._may_factorise = math.isfinite(factorisation)

    def _factorise(self) -> None:
        self._preconditioner = DenseFactor(self._system)
        self._most_iterations = _MOST_REFINEMENTS
        self._may_factorise = False

    def __call__(self, r1: Array, r2: Array, accuracy: float) -> tuple[Array, Array, Array]:
        """Solve as `conjugate_gradients` does."""
        for _ in range(2):
            step, solved = conjugate_gradients(
                self._system, self._preconditioner, r1, r2, accuracy, self._most_iterations
            )
            if solved or not self._may_factorise:
                break
            self._factorise()
        return step


def conjugate_gradients(
    system: System,
    preconditioner: Preconditioner,
    r1: Array,
    r2: Array,
    accuracy: float,
    most_iterations: int,
) -> tuple[tuple[Array, Array, Array], bool]:
    """Solve by preconditioned conjugate gradients (Hestenes and Stiefel 1952).

    The right-hand side is (n1, C) and (n2, C). `accuracy` is the sum of absolute residuals to stop
    at, the residual mass of the marginals. Return the step, dα, dβ and their ds, (n1, n2), and
    whether the accuracy was reached.
    """
    x1, x2 = preconditioner(r1, r2)
    product1, product2, d_s = system.product(x1, x2)
    r1, r2 = r1 - product1, r2 - product2
    d1, d2, previous = np.zeros_like(r1), np.zeros_like(r2), 1.0
    for _ in range(most_iterations):
        if np.abs(r1).sum() + np.abs(r2).sum() <= accuracy:
            return (x1, x2, d_s), True
        z1, z2 = preconditioner(r1, r2)
        descent = float(np.vdot(r1, z1) + np.vdot(r2, z2))
        d1, d2 = z1 + descent / previous * d1, z2 + descent / previous * d2
        product1, product2, change = system.product(d1, d2)
        curvature = float(np.vdot(d1, product1) + np.vdot(d2, product2))
        if not curvature > 0:  # Only rounding is left, or nan.
            break
        step = descent / curvature
        x1, x2, d_s = x1 + step * d1, x2 + step * d2, d_s + step * change
        r1, r2 = r1 - step * product1, r2 - step * product2
        previous = descent
    return (x1, x2, d_s), False

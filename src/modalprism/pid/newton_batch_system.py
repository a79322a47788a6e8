"""Linear systems of a batch of Newton steps, and their Cholesky factors.

The system is that of `newton_system`, with a batch dimension in front. The blocks of the first
source are eliminated through their own factors, and the Schur complement of the second source,
n₂C × n₂C, is factorised for all problems together. A state, class or cell that a problem does not
use has a one on the diagonal and zeros elsewhere in its row and column.
"""

from __future__ import annotations

import torch
from torch import Tensor

_SHIFTS = (1e-14, 1e-12, 1e-10, 1e-8, 1e-6)  # of the diagonal, until the factor exists
_REFINEMENTS = 2


class BatchSystem:
    """Factorised systems at one iterate of a batch.

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

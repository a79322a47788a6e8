"""Eigenvalues of matrices that may be singular, constant or zero.

The divide-and-conquer solvers of LAPACK can fail to converge on matrices with many equal
eigenvalues, which embeddings with few distinct rows or equal columns produce.
"""

from __future__ import annotations

from typing import Final

import torch
from scipy.linalg import eigh as scipy_eigh
from torch import Tensor

_SQUARINGS: Final = 6


def largest_eigenvalue_bound(gram: Tensor) -> Tensor:
    """Return an upper bound on the largest eigenvalue of positive semidefinite matrices.

    λ(G)ᵏ = λ(Gᵏ) ≤ ‖Gᵏ‖ in the Frobenius norm. With k = 64 the bound exceeds λ(G) by at most a
    factor D^(1/128), 4 % for D = 128. It exists for every finite matrix, without an iteration.

    Parameters
    ----------
    gram : Tensor of float, shape (B, D, D)

    Returns
    -------
    Tensor, shape (B,)

    Examples
    --------
    >>> largest_eigenvalue_bound(torch.ones(1, 50, 50)).round(decimals=3)
    tensor([50.])
    >>> largest_eigenvalue_bound(torch.zeros(1, 3, 3))
    tensor([0.])
    """
    log_bound = torch.zeros(len(gram), dtype=gram.dtype)
    power, share = gram, 1.0
    for squaring in range(_SQUARINGS + 1):
        if squaring:
            power, share = power @ power, share / 2
        scale = power.abs().amax((1, 2))
        log_bound += share * scale.log()  # −inf for a zero matrix
        power = power / scale.clamp_min(torch.finfo(gram.dtype).tiny)[:, None, None]
    return (log_bound + share * power.square().sum((1, 2)).sqrt().log()).exp()


def symmetric_eigen(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Return eigenvalues (D,), in rising order, and eigenvectors (D, D) of a symmetric matrix.

    Falls back to the QR algorithm in float64 if divide and conquer does not converge.
    """
    try:
        values, vectors = torch.linalg.eigh(matrix)
    except RuntimeError:  # includes torch.linalg.LinAlgError
        found = scipy_eigh(matrix.double().numpy(), driver="ev")
        values, vectors = (torch.from_numpy(part).to(matrix.dtype) for part in found)
    return values, vectors

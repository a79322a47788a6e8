"""Proof that a union information is right: a lower and an upper bound from any iterate.

The union information is I_Q = min I_q(X₁X₂;Y) over the couplings q of the marginals (Bertschinger,
Rauh, Olbrich, Jost and Ay 2014, doi:10.3390/e16042161). Two facts bracket it, whatever the iterate:

*Lower.* Let potentials α(x₁,y), β(x₂,y) satisfy s(x₁,x₂) = Σ_y p(y) e^{α+β} ≤ 1 for all (x₁,x₂).
For every coupling q, q(·|x₁x₂) is a distribution and t(y) = p(y) e^{α+β} sums to at most 1, so
Σ_y q(y|x₁x₂) ln[q(y|x₁x₂)/t(y)] ≥ 0. Averaging over q(x₁,x₂) and using that q has the marginals,
I_q(X₁X₂;Y) ≥ Σ q (α+β) = Σ p(x₁,y) α + Σ p(x₂,y) β. This holds for the best q, so the right-hand
side is at most I_Q. Any potentials become feasible by subtracting ln max s from their rows.

*Upper.* Any q with the two marginals is a candidate of the minimum, so I_q ≥ I_Q. The iterate is
rounded onto the marginals exactly, class by class: scale down the rows that are too heavy, then the
columns, and add the missing mass, which is nonnegative, as a rank-one term (Altschuler, Weed and
Rigollet 2017, arXiv:1705.09634).

Both are computed in float64 with a slack, about 1e-14, that points to the safe side.
"""

from __future__ import annotations

import torch
from torch import Tensor

_EPS = torch.finfo(torch.float64).eps
_TINY = 1e-300
_BLOCK_ELEMENTS = 1 << 18  # 2 MiB of float64: a block of the coupling stays in cache.


def dual_value(p_x1y: Tensor, p_x2y: Tensor, alpha: Tensor, beta: Tensor) -> float:
    """Σ p(x₁,y) α + Σ p(x₂,y) β in nats, with 0·(−inf) = 0.

    Parameters
    ----------
    p_x1y, alpha : Tensor
        (n1, C), float64.
    p_x2y, beta : Tensor
        (n2, C), float64.
    """
    first = torch.where(p_x1y > 0, p_x1y * alpha, 0.0).sum()
    second = torch.where(p_x2y > 0, p_x2y * beta, 0.0).sum()
    return float(first + second)


def feasible_potentials(
    p_x1y: Tensor, p_x2y: Tensor, alpha: Tensor, beta: Tensor
) -> tuple[float, Tensor, Tensor]:
    """Shift potentials until they are dual feasible; their value is a lower bound on I_Q.

    Rows are shifted by −ln max over x₂ of s, then columns by what slack that leaves; or columns
    first and then rows. The order with the larger value is kept.

    Parameters
    ----------
    p_x1y, alpha : Tensor
        (n1, C), float64; α is −inf where p(x₁,y) = 0.
    p_x2y, beta : Tensor
        (n2, C), float64; β is −inf where p(x₂,y) = 0.

    Returns
    -------
    lower : float
        The value of the shifted potentials, in nats.
    alpha, beta : Tensor
        The shifted potentials: Σ_y p(y) e^{α+β} ≤ 1 for every (x₁,x₂).
    """
    p_y = p_x1y.sum(0)
    s = (alpha.exp() * p_y) @ beta.exp().T
    p_x1, p_x2 = p_x1y.sum(1), p_x2y.sum(1)

    row = s.amax(1).log()
    column = (s / row.exp()[:, None]).amax(0).log()
    column_first = s.amax(0).log()
    row_second = (s / column_first.exp()).amax(1).log()

    if p_x1 @ row_second + p_x2 @ column_first < p_x1 @ row + p_x2 @ column:
        row, column = row_second, column_first

    # Rounding in exp, in the product and in the shift moves s by a few units in the last place
    # of the largest exponent; the slack pays for all of them.
    largest = torch.nan_to_num(alpha, neginf=0.0).abs().max()
    largest = largest + torch.nan_to_num(beta, neginf=0.0).abs().max()
    largest = largest + row.abs().max() + column.abs().max()
    alpha = alpha - row[:, None] - 4 * _EPS * (p_y.numel() + largest)
    beta = beta - column[:, None]
    return dual_value(p_x1y, p_x2y, alpha, beta), alpha, beta


def upper_bound(
    a: Tensor, b: Tensor, p_y: Tensor, reference: Tensor, u: Tensor, v: Tensor
) -> float:
    """I_q(X₁X₂;Y) in nats of the iterate q(x₁,x₂|y) = u r v, rounded onto its marginals.

    The coupling is visited in blocks of rows x₁: memory is O(n₁n₂), never O(n₁n₂C).

    Parameters
    ----------
    a, u : Tensor
        (n1, C), float64: p(x₁|y) and its scaling.
    b, v : Tensor
        (n2, C), float64: p(x₂|y) and its scaling.
    p_y : Tensor
        (C,), float64.
    reference : Tensor
        (n1, n2), float64: the common factor r(x₁,x₂) of the iterate.
    """
    rows = u * (reference @ v)
    u = u * (a / rows.clamp(min=_TINY)).clamp(max=1.0)
    columns = v * (reference.T @ u)
    v = v * (b / columns.clamp(min=_TINY)).clamp(max=1.0)
    missing_a = (a - u * (reference @ v)).clamp(min=0.0)
    missing_b = (b - v * (reference.T @ u)).clamp(min=0.0)
    missing_b = missing_b / missing_b.sum(0).clamp(min=_TINY)

    # Classes first, so that the sum over classes runs over contiguous slices.
    u_class, v_class = (u * p_y).T[:, :, None], v.T[:, None, :]
    missing_a, missing_b = (missing_a * p_y).T[:, :, None], missing_b.T[:, None, :]
    prior = p_y[:, None, None]

    n1, n2 = reference.shape
    step = max(1, _BLOCK_ELEMENTS // (n2 * p_y.numel()))
    total = torch.zeros((), dtype=reference.dtype, device=reference.device)
    for start in range(0, n1, step):
        block = slice(start, start + step)
        q = (u_class[:, block] * reference[block]).mul_(v_class)
        q.addcmul_(missing_a[:, block], missing_b)
        independent = prior * q.sum(0)
        log_ratio = (q / independent.clamp_(min=_TINY)).clamp_(min=_TINY).log_()
        total += q.mul_(log_ratio).sum()
    return float(total) + 8 * _EPS * (1.0 + p_y.numel())

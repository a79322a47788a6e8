"""Certificates: a proven lower and upper bound on the union information from any iterate.

The union information is I_Q = min I_q(X₁X₂;Y) over the couplings q of the marginals (Bertschinger,
Rauh, Olbrich, Jost and Ay 2014, doi:10.3390/e16042161). Two facts bound it, for any iterate:

*Lower.* Let potentials α(x₁,y), β(x₂,y) satisfy s(x₁,x₂) = Σ_y p(y) e^{α+β} ≤ 1 for all (x₁,x₂).
For every coupling q, q(·|x₁x₂) is a distribution and t(y) = p(y) e^{α+β} sums to at most 1, so
Σ_y q(y|x₁x₂) ln[q(y|x₁x₂)/t(y)] ≥ 0. Averaging over q(x₁,x₂) and using that q has the marginals,
I_q(X₁X₂;Y) ≥ Σ q (α+β) = Σ p(x₁,y) α + Σ p(x₂,y) β. This holds for the best q, so the right-hand
side is at most I_Q. Any potentials become feasible by subtracting ln max s from their rows.

*Upper.* Any q with the two marginals is a candidate of the minimum, so I_q ≥ I_Q; `coupling` rounds
any iterate onto the marginals.

*In floating point.* p(y) e^α and e^β are accurate to a few ε (ε = 2⁻⁵²), their products and the sum
of nonnegative terms over C classes to a relative (C + 4) ε. Storing a shifted potential changes it
by at most ε |α|, and e^α relatively by as much. Subtracting
4 ε (C + 4 + max|α| + max|β| + max|ln p(y)| + max|shift|) from every α therefore makes the stored
potentials feasible in exact arithmetic. The rounding error of the dual value, a sum, is bounded and
subtracted too, and that of I_q is added to the upper bound. Both come to about 1e-14 nats.

*Overflow and underflow.* The potentials are scaled so that p(y) e^α and e^β are at most 1.
Underflow then changes s by at most 2 C · 2.3e-308. The maxima that divide s are raised to at least
1e-290: the shift is then smaller than possible, and the bound remains proven.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modalprism.pid.communicator import LOCAL, Communicator
from modalprism.pid.coupling import row_blocks, slack
from modalprism.pid.information import pointwise_information

_EPS = torch.finfo(torch.float64).eps
_LEAST_MAXIMUM = 1e-290  # Lower limit of the maxima of s, far above the underflow.
SAME = 1e-14


def dual_value(
    p_x1y: Tensor, p_x2y: Tensor, alpha: Tensor, beta: Tensor, communicator: Communicator = LOCAL
) -> Tensor:
    """Return Σ p(x₁,y) α + Σ p(x₂,y) β in nats, (B,), with 0·(−inf) = 0, rounded downwards.

    p(x₁,y) and α are (B, n1, C), p(x₂,y) and β are (B, n2, C), float64. The communicator joins
    these rows x₁ to those of other processes.
    """
    first = torch.where(p_x1y > 0, p_x1y * alpha, 0.0)
    second = torch.where(p_x2y > 0, p_x2y * beta, 0.0)
    rows = torch.full_like(first[:, 0, 0], first[0].numel())
    of_first = torch.stack([first.sum((1, 2)), first.abs_().sum((1, 2)), rows])
    of_first = communicator.sum(of_first)
    value = of_first[0] + second.sum((1, 2))
    magnitude = of_first[1] + second.abs_().sum((1, 2))
    return value - slack(_EPS, int(of_first[2, 0]) + second[0].numel(), magnitude)


def feasible_potentials(
    p_x1y: Tensor, p_x2y: Tensor, alpha: Tensor, beta: Tensor, communicator: Communicator = LOCAL
) -> tuple[Tensor, Tensor, Tensor]:
    """Shift potentials until they are dual feasible; their values are lower bounds on I_Q.

    Rows are shifted by −ln max over x₂ of s, then columns by the remaining slack; or columns
    first and then rows. Each problem uses the order with the larger value.

    Parameters
    ----------
    p_x1y, alpha : Tensor
        (B, n1, C), float64; α is −inf where p(x₁,y) = 0, and finite elsewhere.
    p_x2y, beta : Tensor
        (B, n2, C), float64; the same.

    Returns
    -------
    lower : Tensor
        (B,): the values of the shifted potentials, in nats; nan where a potential was nan.
    alpha, beta : Tensor
        The shifted potentials: Σ_y p(y) e^{α+β} ≤ 1 for every (x₁,x₂).
    """
    log_p_y = p_x2y.sum(1).log()
    p_x1, p_x2 = p_x1y.sum(2), p_x2y.sum(2)
    # Subtract a constant from all α, so that no term p(y) e^{α+β} exceeds 1. The gauge
    # (α + c, β − c), free in every class, makes the largest p(y) e^α and the largest e^β equal.
    top_1, top_2 = communicator.max(alpha.amax(1)) + log_p_y, beta.amax(1)
    excess = (top_1 + top_2).amax(1, keepdim=True)
    gauge = ((top_1 - excess - top_2) / 2).where(log_p_y > -torch.inf, 0.0)
    alpha, beta = alpha - (gauge + excess)[:, None], beta + gauge[:, None]
    first, second = (alpha + log_p_y[:, None]).exp(), beta.exp().mT

    # Shifting rows first needs the maximum of each row before that of the columns; columns first
    # the reverse. So s is computed twice, in blocks, and never stored.
    batch, n1, n2 = p_x1.shape[0], p_x1.shape[1], p_x2.shape[1]
    blocks = list(row_blocks(batch, n1, n2, p_x1.device))
    row, column_first = torch.empty_like(p_x1), torch.zeros_like(p_x2)
    row_second, column = torch.empty_like(p_x1), torch.zeros_like(p_x2)
    for rows in blocks:
        s = first[:, rows] @ second
        row[:, rows] = s.amax(2)
        column_first = torch.maximum(column_first, s.amax(1))
    column_first = communicator.max(column_first)
    # Unused symbols have s = 0: they need no shift, and must not cause 0/0.
    row = row.clamp_(min=_LEAST_MAXIMUM).where(p_x1 > 0, 1.0)
    column_first = column_first.clamp(min=_LEAST_MAXIMUM).where(p_x2 > 0, 1.0)
    for rows in blocks:
        s = first[:, rows] @ second
        row_second[:, rows] = (s / column_first[:, None]).amax(2)
        column = torch.maximum(column, s.div_(row[:, rows, None]).amax(1))
    column = communicator.max(column)
    row_second = row_second.clamp_(min=_LEAST_MAXIMUM).where(p_x1 > 0, 1.0)
    column = column.clamp(min=_LEAST_MAXIMUM).where(p_x2 > 0, 1.0)
    row, column, row_second, column_first = (
        largest.log_() for largest in (row, column, row_second, column_first)
    )
    cost = communicator.sum(torch.stack([(p_x1 * row).sum(1), (p_x1 * row_second).sum(1)]))
    cost = cost + torch.stack([(p_x2 * column).sum(1), (p_x2 * column_first).sum(1)])
    # All processes use one order: a mixture of orders would not give a bound.
    cost = communicator.max(cost)
    columns_first = (cost[1] < cost[0])[:, None]
    row = torch.where(columns_first, row_second, row)
    column = torch.where(columns_first, column_first, column)

    largest = communicator.max(_largest(alpha) + _largest(row))
    largest = largest + _largest(log_p_y) + _largest(beta) + _largest(column)
    largest = log_p_y.shape[1] + 4.0 + largest
    alpha = alpha - row[:, :, None] - 4 * _EPS * largest[:, None, None]
    beta = beta - column[:, :, None]
    lower = dual_value(p_x1y, p_x2y, alpha, beta, communicator)
    return -communicator.max(-lower), alpha, beta


def bounds_of_one_source(p_xy: NDArray[np.float64]) -> tuple[float, float, NDArray[np.float64]]:
    """Return lower and upper bound for two sources with the same states, coupled as one, and α.

    Then q(x₁,x₂,y) = p(x₁,y) for x₂ = x₁ attains I(X₁;Y), and α = ln p(y|x₁)/p(y) with β = 0 is
    feasible, with s = 1, and has the same value. The cells of the other source may differ by
    `SAME`, relatively, which the bounds account for. The marginal of both and the potentials that
    have the value of the lower bound are (n, C), float64; bounds are in nats.
    """
    used = p_xy > 0
    alpha = np.where(used, pointwise_information(p_xy), 0.0)
    largest = p_xy.shape[1] + 4.0 + float(np.abs(alpha).max())
    terms = p_xy * alpha
    value, magnitude = float(terms.sum()), 1.0 + float(np.abs(terms).sum())
    error = slack(_EPS, p_xy.size, magnitude) + 2 * SAME * magnitude
    safety = 4 * _EPS * largest
    alpha -= safety
    alpha[~used] = -np.inf
    return value - safety - error, value + error, alpha


def _largest(values: Tensor) -> Tensor:
    """Return the largest finite magnitude in each problem, (B,)."""
    return torch.nan_to_num(values, nan=torch.nan, neginf=0.0).abs().flatten(1).amax(1)

"""Couplings q(x₁,x₂,y) with exactly the given marginals, stored in factors.

An iterate u(x₁,y) r(x₁,x₂) v(x₂,y) of a solver matches the marginals only approximately. Rounding
scales down, class by class, the rows with too much mass, then the columns. The missing mass is
nonnegative and is added as a rank-one term (Altschuler, Weed and Rigollet 2017, arXiv:1705.09634):

    q(x₁,x₂,y) = u(x₁,y) r(x₁,x₂) v(x₂,y) + e(x₁,y) f(x₂,y).

The n₁×n₂×C table is formed in blocks of rows only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modalprism.pid.communicator import LOCAL, Communicator

_TINY = 1e-300
_BLOCK_ELEMENTS = 1 << 18  # 2 MiB of float64: a block of the coupling stays in cache.
_DEVICE_BLOCK_ELEMENTS = 1 << 25  # On a GPU the number of operations matters more than the cache.


def row_blocks(batch: int, n1: int, row_elements: int, device: torch.device) -> Iterator[slice]:
    """Split n1 rows into blocks that fit in cache; a row has `row_elements` in each problem."""
    elements = _BLOCK_ELEMENTS if device.type == "cpu" else _DEVICE_BLOCK_ELEMENTS
    step = max(1, elements // max(1, batch * row_elements))
    for start in range(0, n1, step):
        yield slice(start, min(start + step, n1))


@dataclass(frozen=True, eq=False)
class Coupling:
    """Couplings of a batch of B problems, in factors.

    Parameters
    ----------
    reference : Tensor
        (B, n1, n2), float32 or float64: the common factor r(x₁,x₂).
    u, v : Tensor
        (B, n1, C) and (B, n2, C), float64: its scalings in each class; u includes p(y).
    e, f : Tensor
        (B, n1, C) and (B, n2, C), float64: the rank-one term of each class; e includes p(y).
    """

    reference: Tensor
    u: Tensor
    v: Tensor
    e: Tensor
    f: Tensor

    @classmethod
    def rounded(
        cls,
        p_x1y: Tensor,
        p_x2y: Tensor,
        reference: Tensor,
        u: Tensor,
        v: Tensor,
        communicator: Communicator = LOCAL,
    ) -> Self:
        """Round the iterate u r v onto the marginals.

        Any iterate is accepted, even after overflow: the rank-one term takes the remaining mass, so
        the coupling is always finite. p(x₁,y) and u, which includes p(y), are (B, n1, C); p(x₂,y),
        with the same p(y), and v are (B, n2, C), float64. The reference is (B, n1, n2), float32 or
        float64, nonnegative. The communicator joins these rows x₁ to those of other processes.
        """

        def columns() -> Tensor:
            return communicator.sum(_product_transposed(reference, u))

        reference, u, v = _finite(reference), torch.nan_to_num(u), torch.nan_to_num(v)
        # Scale v to at most 1 in every class, so that neither R v nor u v overflows.
        scale = v.amax(1, keepdim=True).clamp(min=_TINY)
        u, v = torch.nan_to_num(u * scale), v / scale
        u = torch.minimum(u, p_x1y / _product(reference, v).clamp(min=_TINY))
        v = torch.minimum(v, p_x2y / columns().clamp(min=_TINY))
        e = (p_x1y - u * _product(reference, v)).clamp(min=0.0)
        f = (p_x2y - v * columns()).clamp(min=0.0)
        return cls(reference, u, v, e, f / f.sum(1, keepdim=True).clamp(min=_TINY))

    @property
    def factors(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return all five tables, in the order of the parameters."""
        return self.reference, self.u, self.v, self.e, self.f

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Join the couplings of several batches into one."""
        return cls(*map(torch.cat, zip(*(part.factors for part in parts), strict=True)))

    def problem(self, k: int) -> Self:
        """Return the coupling of one problem, as a batch of one."""
        return type(self)(*(factor[k : k + 1] for factor in self.factors))

    def select(self, problems: Tensor) -> Self:
        """Return the couplings of the problems of a mask, or with these indices."""
        return type(self)(*(take(factor, problems) for factor in self.factors))

    def blocks(self) -> Iterator[tuple[slice, Tensor]]:
        """Yield blocks of rows x₁ and q on them, (B, C, rows, n2), float64."""
        u, v, e, f = (factor.mT[..., None] for factor in (self.u, self.v, self.e, self.f))
        v, f = v.mT, f.mT
        batch, n1, n2 = self.reference.shape
        for rows in row_blocks(batch, n1, n2 * self.u.shape[2], u.device):
            q = (u[:, :, rows] * v).mul_(self.reference[:, None, rows])
            yield rows, q.addcmul_(e[:, :, rows], f)

    def information(self, communicator: Communicator = LOCAL) -> Tensor:
        """Return I_q(X₁X₂;Y) in nats, (B,), rounded upwards."""
        p_y = communicator.sum((self.u * _product(self.reference, self.v)).sum(1) + self.e.sum(1))
        eps, smallest = torch.finfo(p_y.dtype).eps, torch.finfo(p_y.dtype).tiny
        p_y = p_y.clamp(min=smallest)
        sums = torch.zeros_like(p_y[:, 0]).repeat(3, 1)
        total, magnitude, n_cells = sums
        for _, q in self.blocks():
            # Two quotients, because the product p(y) q(x₁,x₂) of small numbers would underflow.
            ratio = (q / q.sum(1, keepdim=True).clamp_(min=smallest)).div_(p_y[:, :, None, None])
            log_ratio = ratio.clamp_(min=_TINY).log_()
            terms = q.mul_(log_ratio)
            total += terms.sum((1, 2, 3))
            magnitude += terms.abs_().sum((1, 2, 3))
        n_cells += self.reference[0].numel()
        total, magnitude, n_cells = communicator.sum(sums)
        error = slack(eps, int(n_cells[0]) * p_y.shape[1], 1.0 + magnitude)
        return communicator.max(total + error)

    def cells(self) -> NDArray[np.float64]:
        """Return q, (B, n1, n2, C), float64, as one table."""
        return np.concatenate(
            [q.permute(0, 2, 3, 1).cpu().numpy() for _, q in self.blocks()], axis=1
        )


Magnitude = TypeVar("Magnitude", Tensor, float)


def slack(eps: float, terms: int, magnitude: Magnitude) -> Magnitude:
    """Bound the rounding error of a blocked sum, given its number of terms and total magnitude.

    Summing n terms in a tree, as torch does in runs of at most 32 terms, errs by at most
    (32 + log₂ n) ε times the sum of their magnitudes (Higham 2002, §4.2). Each term has a few
    roundings of its own.
    """
    return (40.0 + math.log2(max(terms, 1))) * eps * magnitude


def take(table: Tensor, problems: Tensor) -> Tensor:
    """Select by a mask or by indices; a mask of all problems returns the table, not a copy."""
    return table if problems.dtype == torch.bool and bool(problems.all()) else table[problems]


def _finite(reference: Tensor) -> Tensor:
    """Return the reference, set to 0 in problems where it is not finite."""
    sound = reference.sum((1, 2), dtype=torch.float64).isfinite()
    return reference if bool(sound.all()) else reference.masked_fill(~sound[:, None, None], 0.0)


def _product(reference: Tensor, v: Tensor) -> Tensor:
    """Return R v in float64, for R in float32 or float64."""
    if reference.dtype == v.dtype:
        return reference @ v
    batch, n1, n2 = reference.shape
    product = torch.empty(batch, n1, v.shape[2], dtype=v.dtype, device=v.device)
    # One output table avoids a heap fragmented by small tensors between freed blocks.
    for rows in row_blocks(batch, n1, n2, v.device):
        product[:, rows] = reference[:, rows].to(v.dtype) @ v
    return product


def _product_transposed(reference: Tensor, u: Tensor) -> Tensor:
    """Return Rᵀ u in float64, for R in float32 or float64."""
    if reference.dtype == u.dtype:
        return reference.mT @ u
    batch, n1, n2 = reference.shape
    total = torch.zeros(batch, n2, u.shape[2], dtype=u.dtype, device=u.device)
    for rows in row_blocks(batch, n1, n2, u.device):
        total.baddbmm_(reference[:, rows].to(u.dtype).mT, u[:, rows])
    return total

"""Factored couplings of a batch of problems, the iterates of proportional fitting.

An iterate is q(x₁,x₂,y) = p(x₁) u(x₁,y) k(x₁,x₂) v(x₂,y) p(x₂), so r = p(x₁) k p(x₂) starts
from k = 1 and rare symbols cause no small numbers. Proportional fitting of every class is

    u ← p(y|x₁) ⊘ (k (p(x₂) ∘ v)),    v ← p(y|x₂) ⊘ (kᵀ (p(x₁) ∘ u)),

and the mixture of the slices over y is r ∘ s with s = u vᵀ. A backend computes these products
(`torch_backend`); this module holds the tables and the conventions that all backends share.

*No underflow.* A denormal number costs a hundred normal ones. A positive posterior p(y|x) below ten
times the square root of the smallest normal number is therefore raised to that value, which keeps
products u v normal: in float32 it is 1e-18, far below what a float32 iterate can distinguish from
0. The range of ln k is limited for the same reason. The certificate uses the original marginals.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from modalprism.pid.communicator import LOCAL, Communicator

LOG_RANGE = {torch.float32: (-35.0, 80.0), torch.float64: (-230.0, 690.0)}

Tile = tuple[slice, slice, slice]


class Step(Protocol):
    """Rule that rewrites the kernel, one tile at a time."""

    def __call__(self, tile: Tile, s: Tensor) -> None:
        """Write ``kernel[tile]``, given s on the tile, which may be overwritten."""


class Iterate:
    """Factored couplings of a batch of B problems.

    The marginals are (B, n1, C) and (B, n2, C), float64; unused symbols have no effect. `dtype`,
    float32 or float64, is that of the tables. The communicator joins these rows x₁ to those of
    other processes, which have the same p(x₂,y).

    Attributes
    ----------
    kernel : Tensor
        (B, n1, n2): k.
    u, v : Tensor
        (B, n1, C) and (B, C, n2): the scalings, of which v was fitted last.
    fitted : Tensor
        (B, n1, C): u fitted once more, to the k and v before the last update or to the current
        ones.
    weighted : Tensor
        (B, C, n2): p(x₂) v.
    first : Tensor
        (B, n1, C): p(y|x₁), to which u is fitted.
    """

    def __init__(
        self, p_x1y: Tensor, p_x2y: Tensor, dtype: torch.dtype, communicator: Communicator = LOCAL
    ) -> None:
        self._marginals, self._communicator = (p_x1y, p_x2y), communicator
        self._set_constants(dtype)
        batch, n1, n2 = p_x1y.shape[0], p_x1y.shape[1], p_x2y.shape[1]
        self.kernel = torch.ones(batch, n1, n2, dtype=dtype, device=p_x1y.device)
        # Since Σ p(x₁) p(y|x₁) = p(y), u and v both remain near √p(y) from this start.
        self._set_v(p_x2y.sum(1).sqrt().to(dtype)[:, :, None].expand(-1, -1, n2))
        self.u = self.fitted = self.first

    def update(self, u: Tensor, fitted: Tensor, total: Tensor) -> None:
        """Set u from a backend's sweep, and fit v to the products of all rows."""
        self.u, self.fitted = u, fitted
        total = self._communicator.sum(total)
        self._set_v(torch.div(self._second, total.clamp_(min=self.tiny), out=total))

    def fit_to(self, product: Tensor, rows: slice) -> Tensor:
        """Return u of a block of rows, in place of k (p(x₂) v)."""
        return torch.div(self.first[:, rows], product.clamp_(min=self.tiny), out=product)

    def log(self, s: Tensor) -> Tensor:
        """Return ln s in place, with a very negative number where s is 0."""
        return s.clamp_(min=self.least_s).log_()

    def write(self, tile: Tile, log_kernel: Tensor) -> None:
        """Clip ln k to its range, in place, and set k on a tile."""
        torch.exp(log_kernel.clamp_(*self.log_range), out=self.kernel[tile])

    def lag(self, u: Tensor) -> Tensor:
        """Return Σ p(x₁,y) |fitted/u − 1|, (B,): the error of the rows after v was fitted to u."""
        off = (self.fitted - u).abs_().div_(u.clamp(min=self.tiny)).mul_(self.first)
        return self._communicator.sum(torch.bmm(self.p_x1.mT, off).sum((1, 2)))

    def mass(self) -> Tensor:
        """Return Σ r, (B,)."""
        mass = torch.bmm(self.p_x1.mT, torch.bmm(self.kernel, self.p_x2.mT)).flatten()
        return self._communicator.sum(mass)

    def select(self, keep: Tensor) -> None:
        """Keep only the problems of a mask."""
        self._marginals = self._marginals[0][keep], self._marginals[1][keep]
        self._set_constants(self.kernel.dtype)
        self._replace(lambda table: table[keep])

    def convert(self, dtype: torch.dtype) -> None:
        """Convert the tables to another floating-point type."""
        self._set_constants(dtype)
        self._replace(lambda table: table.to(dtype))

    def _set_v(self, v: Tensor) -> None:
        self.v, self.weighted = v, v * self.p_x2

    def _set_constants(self, dtype: torch.dtype) -> None:
        p_x1y, p_x2y = self._marginals
        p_x1, p_x2 = p_x1y.sum(2, keepdim=True), p_x2y.sum(2, keepdim=True)
        self.p_x1, self.p_x2 = p_x1.to(dtype), p_x2.mT.to(dtype)
        self.first = _posterior(p_x1y, p_x1, dtype)
        self._second = _posterior(p_x2y, p_x2, dtype).mT.contiguous()
        # Lower limits of a product and of s, and the range of ln k.
        self.tiny = torch.finfo(dtype).tiny
        self.least_s, self.log_range = math.sqrt(self.tiny), LOG_RANGE[dtype]

    def _replace(self, by: Callable[[Tensor], Tensor]) -> None:
        self.kernel, self.u, self.fitted = by(self.kernel), by(self.u), by(self.fitted)
        self._set_v(by(self.v))


def _posterior(p_xy: Tensor, p_x: Tensor, dtype: torch.dtype) -> Tensor:
    """Return p(y|x); 0 where p(x) is 0."""
    least = 10 * math.sqrt(torch.finfo(dtype).tiny)
    return torch.where(p_xy > 0, (p_xy / p_x).clamp(min=least), 0.0).to(dtype)

"""The fused sweep: the update of r, and proportional fitting to it, one block of rows at a time.

The iterate is kept as q(x₁,x₂,y) = p(x₁) u(x₁,y) k(x₁,x₂) v(x₂,y) p(x₂), so that r = p(x₁) k p(x₂)
starts from k = 1 and rare symbols make no small numbers. Proportional fitting of every class is

    u ← p(y|x₁) ⊘ (k (p(x₂) ∘ v)),    v ← p(y|x₂) ⊘ (kᵀ (p(x₁) ∘ u)),

and the mixture of the slices over y is r ∘ s with s = u vᵀ. A sweep takes a block of rows of k,
small enough to stay in cache, through all of it: fit u to the old k, form s, rewrite k, fit u to
the new one, and add the block's share to what v is fitted to. So k is read and written once; a GPU,
whose cache holds no such block, takes whole passes instead (`triton_backend`).

*No underflow.* A denormal number costs a hundred normal ones. A positive posterior p(y|x) below ten
times the square root of the smallest normal number is therefore raised to that, so that products
u v stay normal: in float32 it is 1e-18, far below what a float32 iterate can tell from 0. And
ln k is kept in a range of which the same can be said. The certificate sees the marginals as they
are.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from modalprism.pid.backends import Step, Tile, backend_for
from modalprism.pid.communicator import LOCAL, Communicator

_LOG_RANGE = {torch.float32: (-35.0, 80.0), torch.float64: (-230.0, 690.0)}


class Iterate:
    """Factored couplings of a batch of B problems, and how a sweep moves them.

    Parameters
    ----------
    p_x1y, p_x2y : Tensor
        (B, n1, C) and (B, n2, C), float64: the marginals. Unused symbols have no effect.
    dtype : torch.dtype
        Of the tables: float32 or float64.
    communicator : Communicator
        What joins these rows x₁ to those of other processes, which have the same p(x₂,y).

    Attributes
    ----------
    kernel : Tensor
        (B, n1, n2): k.
    u, v : Tensor
        (B, n1, C) and (B, C, n2): the scalings, of which v was fitted last.
    fitted : Tensor
        (B, n1, C): u fitted once more, by `update` to the k and v before it, or by `fit_rows`.
    weighted : Tensor
        (B, C, n2): p(x₂) v.
    first : Tensor
        (B, n1, C): p(y|x₁), what u is fitted to.
    log_range : tuple of float
        Least and largest ln k.
    least_s, tiny : float
        What a smaller s, and a smaller product, counts as.
    """

    def __init__(
        self, p_x1y: Tensor, p_x2y: Tensor, dtype: torch.dtype, communicator: Communicator = LOCAL
    ) -> None:
        self._marginals, self._communicator = (p_x1y, p_x2y), communicator
        self._set_constants(dtype)
        batch, n1, n2 = p_x1y.shape[0], p_x1y.shape[1], p_x2y.shape[1]
        self.kernel = torch.ones(batch, n1, n2, dtype=dtype, device=p_x1y.device)
        # Since Σ p(x₁) p(y|x₁) = p(y), from here u and v both keep to about √p(y).
        self._set_v(p_x2y.sum(1).sqrt().to(dtype)[:, :, None].expand(-1, -1, n2))
        self.u = self.fitted = self.first
        self.fit()

    def fit(self) -> None:
        """Fit u to v, then v to u."""
        self._sweep(None, refit=False)

    def fit_rows(self) -> None:
        """Fit `fitted` to v."""
        self.fitted = self._backend.fit_rows(self)

    def update(self, step: Step, *, refit: bool = True) -> None:
        """Let a step rewrite k, and fit u and v to it, in one pass.

        Parameters
        ----------
        step : Step
            Is given a tile and s on it, which it may overwrite, and writes ``kernel[tile]``.
        refit : bool
            Fit u once more to the old k first, which makes the sweeps between two updates
            symmetric: u, v, u.
        """
        self._sweep(step, refit=refit)

    def fit_to(self, product: Tensor, rows: slice) -> Tensor:
        """Return u of a block of rows in place of k (p(x₂) v)."""
        return torch.div(self.first[:, rows], product.clamp_(min=self.tiny), out=product)

    def log(self, s: Tensor) -> Tensor:
        """Return ln s in place, and a very negative number where s is 0."""
        return s.clamp_(min=self.least_s).log_()

    def write(self, tile: Tile, log_kernel: Tensor) -> None:
        """Bring ln k into range, in place, and set k on a tile."""
        torch.exp(log_kernel.clamp_(*self.log_range), out=self.kernel[tile])

    def lag(self, u: Tensor) -> Tensor:
        """Σ p(x₁,y) |fitted/u − 1|, (B,): by how much the rows were off after v was fitted to u."""
        off = (self.fitted - u).abs_().div_(u.clamp(min=self.tiny)).mul_(self.first)
        return self._communicator.sum(torch.bmm(self.p_x1.mT, off).sum((1, 2)))

    def mass(self) -> Tensor:
        """Σ r, (B,)."""
        mass = torch.bmm(self.p_x1.mT, torch.bmm(self.kernel, self.p_x2.mT)).flatten()
        return self._communicator.sum(mass)

    def select(self, keep: Tensor) -> None:
        """Go on with the problems of a mask only."""
        self._marginals = self._marginals[0][keep], self._marginals[1][keep]
        self._set_constants(self.kernel.dtype)
        self._replace(lambda table: table[keep])

    def convert(self, dtype: torch.dtype) -> None:
        """Go on in another floating-point type."""
        self._set_constants(dtype)
        self._replace(lambda table: table.to(dtype))

    def _sweep(self, step: Step | None, *, refit: bool) -> None:
        self.u, self.fitted, total = self._backend.sweep(self, step, refit=refit)
        total = self._communicator.sum(total)
        self._set_v(torch.div(self._second, total.clamp_(min=self.tiny), out=total))

    def _set_v(self, v: Tensor) -> None:
        self.v, self.weighted = v, v * self.p_x2

    def _set_constants(self, dtype: torch.dtype) -> None:
        p_x1y, p_x2y = self._marginals
        p_x1, p_x2 = p_x1y.sum(2, keepdim=True), p_x2y.sum(2, keepdim=True)
        self.p_x1, self.p_x2 = p_x1.to(dtype), p_x2.mT.to(dtype)
        self.first = _posterior(p_x1y, p_x1, dtype)
        self._second = _posterior(p_x2y, p_x2, dtype).mT.contiguous()
        self.tiny = torch.finfo(dtype).tiny
        self.least_s, self.log_range = math.sqrt(self.tiny), _LOG_RANGE[dtype]
        self._backend = backend_for(p_x1y.device, dtype, (*p_x1y.shape[1:], p_x2y.shape[1]))

    def _replace(self, by: Callable[[Tensor], Tensor]) -> None:
        self.kernel, self.u, self.fitted = by(self.kernel), by(self.u), by(self.fitted)
        self._set_v(by(self.v))


def _posterior(p_xy: Tensor, p_x: Tensor, dtype: torch.dtype) -> Tensor:
    """p(y|x); 0 where p(x) is 0."""
    least = 10 * math.sqrt(torch.finfo(dtype).tiny)
    return torch.where(p_xy > 0, (p_xy / p_x).clamp(min=least), 0.0).to(dtype)

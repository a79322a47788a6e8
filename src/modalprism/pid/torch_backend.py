"""The `Backend` protocol of a sweep, and its implementation by torch operations.

A sweep rewrites the kernel of an `Iterate` and fits u and v to it. torch processes one block of
rows at a time, small enough for the cache, so k is read and written once.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from modalprism.pid.iterate import Iterate, Step

_BLOCK_BYTES = 1 << 19  # Size of a block of one table; the active blocks stay in cache.
_DEVICE_BLOCK_BYTES = 1 << 28


class Backend(Protocol):
    """Protocol: compute the products of a sweep."""

    def sweep(
        self, iterate: Iterate, step: Step | None, *, refit: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Rewrite the kernel, and fit u to it.

        Parameters
        ----------
        iterate : Iterate
            Iterate; only its kernel changes.
        step : Step, optional
            Rewrites the kernel, given s = fitted v; None leaves the kernel as it is.
        refit : bool
            Whether to fit u to the old kernel first.

        Returns
        -------
        u, fitted : Tensor
            (B, n1, C): u fitted to the new kernel; u fitted to the old one, or the iterate's own.
        total : Tensor
            (B, C, n2): kᵀ (p(x₁) u), to which v is fitted next.
        """
        ...

    def fit_rows(self, iterate: Iterate) -> Tensor:
        """Return u fitted to the kernel and v, (B, n1, C)."""
        ...


def sweep(
    iterate: Iterate, backend: Backend, step: Step | None = None, *, refit: bool = True
) -> None:
    """Sweep once, in place: let a step rewrite k, fit u to it, then v to u.

    Without a step, u and v are fitted to the present k. With `refit`, u is fitted once more to the
    old k before the step, which makes the sweeps between two steps symmetric: u, v, u.
    """
    iterate.update(*backend.sweep(iterate, step, refit=refit and step is not None))


class TorchBackend:
    """Backend of torch operations on any device, one block of rows at a time."""

    def __init__(self) -> None:
        self._scratch = torch.empty(0)

    def sweep(
        self, iterate: Iterate, step: Step | None, *, refit: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Sweep one block of rows after the other."""
        u, total = torch.empty_like(iterate.first), torch.zeros_like(iterate.v)
        fitted = torch.empty_like(u) if refit else iterate.u
        for rows in _blocks(iterate):
            if refit:
                fitted[:, rows] = _fit(iterate, rows)
            if step:
                self._move(iterate, rows, fitted[:, rows], step)
            u[:, rows] = _fit(iterate, rows)
            weighted = u[:, rows] * iterate.p_x1[:, rows]
            total.baddbmm_(weighted.mT, iterate.kernel[:, rows])
        return u, fitted, total

    def fit_rows(self, iterate: Iterate) -> Tensor:
        """Fit one block of rows after the other."""
        parts = [_fit(iterate, rows) for rows in _blocks(iterate)]
        return parts[0] if len(parts) == 1 else torch.cat(parts, 1)

    def _move(self, iterate: Iterate, rows: slice, fitted: Tensor, step: Step) -> None:
        """Rewrite the kernel on a block of rows, given its u."""
        shape = iterate.kernel[:, rows].shape
        if self._scratch.shape != shape or self._scratch.dtype != fitted.dtype:
            self._scratch = iterate.kernel.new_empty(shape)
        step((slice(None), rows, slice(None)), torch.bmm(fitted, iterate.v, out=self._scratch))


def _blocks(iterate: Iterate) -> list[slice]:
    """Split the rows into blocks that fit in cache."""
    kernel = iterate.kernel
    batch, n1, n2 = kernel.shape
    size = _BLOCK_BYTES if kernel.device.type == "cpu" else _DEVICE_BLOCK_BYTES
    step = max(1, size // (batch * n2 * kernel.element_size()))
    return [slice(start, min(start + step, n1)) for start in range(0, n1, step)]


def _fit(iterate: Iterate, rows: slice) -> Tensor:
    product = torch.bmm(iterate.kernel[:, rows], iterate.weighted.mT)
    return iterate.fit_to(product, rows)

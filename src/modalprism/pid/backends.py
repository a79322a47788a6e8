"""Who does the arithmetic of a sweep: torch anywhere, Numba or Triton where it is worth it.

Chosen here only.
"""

from __future__ import annotations

import logging
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

if TYPE_CHECKING:
    from modalprism.pid.sweep import Iterate

logger = logging.getLogger("modalprism.pid")

_BLOCK_BYTES = 1 << 19  # Of one table; the few such blocks that a sweep handles stay in cache.
_DEVICE_BLOCK_BYTES = 1 << 28
_MOST_CLASSES = 64  # that Triton's tiles leave room for
_LEAST_CELLS = 1 << 20  # of a table whose solution takes longer than loading Numba

Tile = tuple[slice, slice, slice]


class Step(Protocol):
    """A rule that rewrites the kernel, one tile at a time."""

    def __call__(self, tile: Tile, s: Tensor) -> None:
        """Write ``kernel[tile]``, given s on it, which it may overwrite."""


class Backend(Protocol):
    """What a sweep asks of whoever does its arithmetic."""

    def sweep(
        self, iterate: Iterate, step: Step | None, *, refit: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Rewrite the kernel, and fit u to it.

        Parameters
        ----------
        iterate : Iterate
            Of which only the kernel changes.
        step : Step, optional
            Given s = fitted v, what the kernel becomes; without one it stays.
        refit : bool
            Whether to fit u to the old kernel first.

        Returns
        -------
        u, fitted : Tensor
            (B, n1, C): u fitted to the new kernel and to the old one, or the iterate's own.
        total : Tensor
            (B, C, n2): kᵀ (p(x₁) u), to which v is fitted next.
        """
        ...

    def fit_rows(self, iterate: Iterate) -> Tensor:
        """Return u fitted to the kernel and v, (B, n1, C)."""
        ...


class TorchBackend:
    """Operations of torch, on any device, one block of rows at a time."""

    def __init__(self) -> None:
        self._scratch = torch.empty(0)

    def sweep(
        self, iterate: Iterate, step: Step | None, *, refit: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Take block after block through it."""
        u, total = torch.empty_like(iterate.first), torch.zeros_like(iterate.v)
        fitted = torch.empty_like(u) if refit else iterate.u
        for rows in self.blocks(iterate):
            if refit:
                fitted[:, rows] = self._fit(iterate, rows)
            if step:
                product = self.move(iterate, rows, fitted[:, rows], step)
                u[:, rows] = iterate.fit_to(product, rows)
            else:
                u[:, rows] = self._fit(iterate, rows)
            weighted = u[:, rows] * iterate.p_x1[:, rows]
            total.baddbmm_(weighted.mT, iterate.kernel[:, rows])
        return u, fitted, total

    def fit_rows(self, iterate: Iterate) -> Tensor:
        """Fit block after block."""
        parts = [self._fit(iterate, rows) for rows in self.blocks(iterate)]
        return parts[0] if len(parts) == 1 else torch.cat(parts, 1)

    def blocks(self, iterate: Iterate) -> list[slice]:
        """Cut the rows into blocks that stay in cache."""
        kernel = iterate.kernel
        batch, n1, n2 = kernel.shape
        size = _BLOCK_BYTES if kernel.device.type == "cpu" else _DEVICE_BLOCK_BYTES
        step = max(1, size // (batch * n2 * kernel.element_size()))
        return [slice(start, min(start + step, n1)) for start in range(0, n1, step)]

    def move(self, iterate: Iterate, rows: slice, fitted: Tensor, step: Step) -> Tensor:
        """Rewrite the kernel on a block of rows.

        Parameters
        ----------
        iterate : Iterate
        rows : slice
            The block.
        fitted : Tensor
            (B, rows, C): u on it, fitted to the kernel before.
        step : Step
            Given s = fitted v, what the kernel becomes.

        Returns
        -------
        Tensor
            (B, rows, C): the product of the new kernel and p(x₂) v, to which u is fitted next.
        """
        kernel = iterate.kernel[:, rows]
        if self._scratch.shape != kernel.shape:
            self._scratch = torch.empty_like(kernel)
        step((slice(None), rows, slice(None)), torch.bmm(fitted, iterate.v, out=self._scratch))
        return torch.bmm(kernel, iterate.weighted.mT)

    def _fit(self, iterate: Iterate, rows: slice) -> Tensor:
        product = torch.bmm(iterate.kernel[:, rows], iterate.weighted.mT)
        return iterate.fit_to(product, rows)


def backend_for(device: torch.device, dtype: torch.dtype, shape: tuple[int, ...]) -> Backend:
    """Choose who sweeps.

    Parameters
    ----------
    device : torch.device
        Where the tables are.
    dtype : torch.dtype
        Of the tables.
    shape : tuple of int
        (n1, C, n2): of one problem.

    Returns
    -------
    Backend
        For float32 tables, Triton's on a GPU, of at most 64 classes, and Numba's on a processor, if
        the table is large; otherwise torch's.
    """
    n1, n_classes, n2 = shape
    if dtype == torch.float32 and device.type == "cuda" and n_classes <= _MOST_CLASSES:
        if find_spec("triton"):
            from modalprism.pid.triton_backend import TritonBackend

            return TritonBackend()
        _say_that_triton_is_missing()
    if dtype == torch.float32 and device.type == "cpu" and n1 * n2 >= _LEAST_CELLS:
        try:
            from modalprism.pid.numba_backend import NumbaBackend
        except ImportError as why:  # It is not installed, or not for this NumPy.
            logger.debug(
                "Without Numba the processor sweeps with torch, at a third of the speed: %s", why
            )
        else:
            return NumbaBackend()
    return TorchBackend()


@cache
def _say_that_triton_is_missing() -> None:
    """Say it once, however many problems there are."""
    logger.warning("Triton is not installed: the GPU sweeps with torch, in more passes over memory")

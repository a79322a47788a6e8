"""Who takes a block of rows through a sweep: torch anywhere, Triton on a GPU. Chosen here only."""

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

Tile = tuple[slice, slice, slice]


class Step(Protocol):
    """A rule that rewrites the kernel, one tile at a time."""

    def __call__(self, tile: Tile, s: Tensor) -> None:
        """Write ``kernel[tile]``, given s on it, which it may overwrite."""


class Sweeper(Protocol):
    """What a sweep asks of whoever does its arithmetic."""

    def blocks(self, iterate: Iterate) -> list[slice]:
        """Cut the rows into blocks, each to be taken through a whole sweep."""
        ...

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
        ...


class TorchSweeper:
    """Operations of torch, on any device."""

    def __init__(self) -> None:
        self._scratch = torch.empty(0)

    def blocks(self, iterate: Iterate) -> list[slice]:
        """Cut the rows into blocks that stay in cache."""
        device = iterate.kernel.device
        return row_blocks(iterate, _BLOCK_BYTES if device.type == "cpu" else _DEVICE_BLOCK_BYTES)

    def move(self, iterate: Iterate, rows: slice, fitted: Tensor, step: Step) -> Tensor:
        """Form s, let the step use it, and multiply."""
        kernel = iterate.kernel[:, rows]
        if self._scratch.shape != kernel.shape:
            self._scratch = torch.empty_like(kernel)
        step((slice(None), rows, slice(None)), torch.bmm(fitted, iterate.v, out=self._scratch))
        return torch.bmm(kernel, iterate.weighted.mT)


def row_blocks(iterate: Iterate, size: int) -> list[slice]:
    """Cut the rows of a kernel into blocks of so many bytes."""
    batch, n1, n2 = iterate.kernel.shape
    step = max(1, size // (batch * n2 * iterate.kernel.element_size()))
    return [slice(start, min(start + step, n1)) for start in range(0, n1, step)]


def sweeper_for(device: torch.device, dtype: torch.dtype, n_classes: int) -> Sweeper:
    """Choose who sweeps.

    Parameters
    ----------
    device : torch.device
        Where the tables are.
    dtype : torch.dtype
        Of the tables.
    n_classes : int
        Columns of the scalings.

    Returns
    -------
    Sweeper
        Triton's on a GPU, for float32 tables of at most 64 classes; otherwise torch's.
    """
    if device.type == "cuda" and dtype == torch.float32 and n_classes <= _MOST_CLASSES:
        if find_spec("triton"):
            from modalprism.pid.sweep_triton import TritonSweeper

            return TritonSweeper()
        _say_that_triton_is_missing()
    return TorchSweeper()


@cache
def _say_that_triton_is_missing() -> None:
    """Say it once, however many problems there are."""
    logger.warning("Triton is not installed: the GPU sweeps with torch, in more passes over memory")

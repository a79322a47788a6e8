"""Numba backend: the compiled sweep on a processor, one strip of rows per call of `numba_kernel`.

The strips do not depend on the number of threads, and their contributions to v are summed in a
fixed order, so every run gives the same bits.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from modalprism.pid import numba_kernel
from modalprism.pid.acceleration import MirrorStep, Momentum, PlainStep
from modalprism.pid.iterate import Iterate, Step
from modalprism.pid.threads import available_threads
from modalprism.pid.torch_backend import TorchBackend

logger = logging.getLogger("modalprism.pid")

_SIGNATURE = (
    "void(int64, int64, int64, int64, int64, int64, int64, float32[::1], float32[:, ::1],"
    " float32[:, ::1], float32[:, ::1], float32[:, ::1], float64[::1], float32[:, ::1],"
    " float32[:, ::1], int64, int64, boolean, boolean, float32, float32[::1])"
)
_LEAST_STRIP = 128  # Rows; with fewer, the sums of the strips would be as large as the table.
_MOST_STRIPS = 8


class NumbaBackend(TorchBackend):
    """Backend for float32 tables on a processor."""

    def sweep(
        self, iterate: Iterate, step: Step | None, *, refit: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Sweep in one pass; steps that are not compiled run in torch."""
        if not _is_compiled(iterate, step):
            return super().sweep(iterate, step, refit=refit)
        batch, n1, n2 = iterate.kernel.shape
        n_classes = iterate.v.shape[1]
        n_tiles = math.ceil(n2 / numba_kernel.COLUMNS)
        strips = _strips(n1)
        v = _by_tiles(iterate.v, n_tiles, n_classes)
        weighted = _by_tiles(iterate.weighted, n_tiles, _up(n_classes, 8)).mT.contiguous()
        p_x2 = _by_tiles(iterate.p_x2, n_tiles, 1)
        padded = _up(n_classes, numba_kernel.GROUP)
        totals = torch.zeros(batch, len(strips), n_tiles, padded, numba_kernel.COLUMNS)
        progress = torch.zeros(batch, len(strips), 2, dtype=torch.float64)
        first, u = iterate.first.contiguous(), torch.empty(batch, n1, n_classes)
        fitted = torch.empty_like(u) if refit else iterate.u.contiguous()
        mode, measure, log_r, previous = numba_kernel.FIT, False, iterate.kernel, iterate.kernel
        numbers = torch.tensor([0.0, 0.0, iterate.least_s, *iterate.log_range]).repeat(batch, 1)
        if isinstance(step, MirrorStep) and isinstance(step.acceleration, Momentum):
            mode, measure = numba_kernel.EXTRAPOLATE, step.measure
            log_r, previous = step.log_r, step.previous
            numbers[:, 0], numbers[:, 1] = step.acceleration.relaxation, step.weight[:, 0, 0]
        elif step:
            mode = numba_kernel.MULTIPLY
        # NumPy slices and addresses are faster than tensor slices.
        tables = [table.data_ptr() for table in (iterate.kernel, log_r, previous)]
        shared = [(table.data_ptr(), 4 * table[0].numel()) for table in (v, weighted, p_x2)]
        rows_of = [table.numpy() for table in (iterate.p_x1, first, fitted if step else u, u)]
        total_bytes = 4 * totals[0, 0].numel()
        work_shape = 2, numba_kernel.ROWS, weighted.shape[3]
        compiled = compiled_sweep()

        def work(task: tuple[int, int]) -> None:
            b, k = task
            rows = strips[k]
            scratch = np.zeros(numba_kernel.SCRATCH, np.float32)
            compiled(
                *(table + 4 * n2 * (b * n1 + rows.start) for table in tables),
                *(start + b * size for start, size in shared),
                totals.data_ptr() + total_bytes * (b * len(strips) + k),
                scratch,
                *(table[b, rows] for table in rows_of),
                progress[b, k].numpy(),
                *np.zeros(work_shape, np.float32),
                *(n2, mode, refit, measure, np.float32(iterate.tiny)),
                numbers[b].numpy(),
            )

        _share(work, [(b, k) for b in range(batch) for k in range(len(strips))])
        if isinstance(step, MirrorStep) and measure:
            step.progress += progress.sum(1).mT[:, :, None, None].to(step.progress.dtype)
        total = totals.sum(1).transpose(1, 2).flatten(2)[:, :n_classes, :n2].contiguous()
        return u, fitted, total


def _is_compiled(iterate: Iterate, step: Step | None) -> bool:
    """Return whether the kernel implements the step and can write to its tables."""
    if iterate.kernel.dtype != torch.float32 or iterate.kernel.device.type != "cpu":
        return False
    if isinstance(step, MirrorStep):
        tables = iterate.kernel, step.log_r, step.previous
        known = isinstance(step.acceleration, Momentum)
        return known and all(table.is_contiguous() for table in tables)
    return (step is None or isinstance(step, PlainStep)) and iterate.kernel.is_contiguous()


def _strips(n_rows: int) -> list[slice]:
    """Split rows into strips of whole tiles, depending on the number of rows only."""
    n_strips = max(1, min(_MOST_STRIPS, n_rows // _LEAST_STRIP))
    size = _up(math.ceil(n_rows / n_strips), numba_kernel.ROWS)
    return [slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]


def _by_tiles(table: Tensor, n_tiles: int, n_classes: int) -> Tensor:
    """Return (B, C, n2) as (B, tiles, classes, 32), padded with zeros."""
    batch, given, n2 = table.shape
    table = pad(table, (0, n_tiles * numba_kernel.COLUMNS - n2, 0, n_classes - given))
    tiles = table.reshape(batch, n_classes, n_tiles, numba_kernel.COLUMNS)
    return tiles.transpose(1, 2).contiguous()


def _up(number: int, multiple: int) -> int:
    return math.ceil(number / multiple) * multiple


def _share(work: Callable[[tuple[int, int]], None], tasks: list[tuple[int, int]]) -> None:
    """Run all tasks in the threads available to torch."""
    n_threads = min(available_threads(), len(tasks))
    if n_threads < 2:
        for task in tasks:
            work(task)
    else:
        with ThreadPoolExecutor(n_threads) as threads:
            list(threads.map(work, tasks))


@cache
def compiled_sweep() -> Any:
    """Compile `numba_kernel.sweep_strip`, or load it from the cache."""
    begin = time.perf_counter()
    try:
        compiled = numba.njit(_SIGNATURE, nogil=True, cache=True)(numba_kernel.sweep_strip)
    except (RuntimeError, OSError) as why:  # No writable folder, or a full disk.
        logger.debug("the compiled sweep cannot be cached: %s", why)
        compiled = numba.njit(_SIGNATURE, nogil=True)(numba_kernel.sweep_strip)
    logger.debug("The sweep was compiled or loaded in %.1f s", time.perf_counter() - begin)
    return compiled

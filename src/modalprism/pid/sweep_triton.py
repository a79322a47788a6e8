"""The sweep of a GPU: one Triton kernel takes k from u, v and ln r to what u is fitted to next.

Torch would write s, ln s and each step of the extrapolation to memory and read them back. Here they
live in registers: a tile of k, ln r and the one before it are read once and written once. Tiles of
a block of rows are shared among column chunks, so that few rows still occupy the whole card; each
chunk leaves its part of k (p(x₂) v), which are added in a fixed order, so that a run can be
repeated to the last bit.

A block of rows of k is small enough for the card's second-level cache, where the products before
and after the kernel find it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import triton
import triton.language as tl
from torch import Tensor

from modalprism.pid.acceleration import Momentum
from modalprism.pid.mirror_step import MirrorStep
from modalprism.pid.sweepers import Step, TorchSweeper, row_blocks

if TYPE_CHECKING:
    from modalprism.pid.sweep import Iterate

_TILE_ROWS, _TILE_COLUMNS = 32, 64
_PROGRAMS = 1 << 10  # Enough to keep every multiprocessor of a large card busy.
_LEAST_CLASSES = 16  # Triton's products need that many.
_CACHE_BYTES = 24 << 20  # Where the card does not say how large its cache is.


@triton.jit  # type: ignore[untyped-decorator]
def _move(  # type: ignore[no-untyped-def]
    kernel,
    log_r,
    previous,
    fitted,
    v,
    weighted,
    p_x1,
    p_x2,
    weight,
    products,
    told,
    first_row,
    n_rows,
    n1,
    n2,
    n_classes,
    tiles_per_chunk,
    relaxation,
    least_s,
    least_log,
    most_log,
    LOOKS: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    CLASSES: tl.constexpr,
):
    """Step ln r on one chunk of columns of one tile of rows of one problem of a batch."""
    tile, chunk, problem = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    row = tile * ROWS + tl.arange(0, ROWS)
    classes = tl.arange(0, CLASSES)
    row_used, class_used = row < n_rows, classes < n_classes
    # 50,000 × 50,000 cells are more than 32 bits count.
    start_of_row = (problem.to(tl.int64) * n1 + first_row + row) * n2
    u_at = (problem * n_rows + row)[:, None] * n_classes + classes[None, :]
    u = tl.load(fitted + u_at, mask=row_used[:, None] & class_used[None, :], other=0.0)
    p1 = tl.load(p_x1 + problem * n1 + first_row + row, mask=row_used, other=0.0)
    w = tl.load(weight + problem)
    product = tl.zeros((ROWS, CLASSES), dtype=tl.float32)
    moved = tl.zeros((ROWS,), dtype=tl.float32)
    ascent = tl.zeros((ROWS,), dtype=tl.float32)
    for k in range(tiles_per_chunk):
        column = (chunk * tiles_per_chunk + k) * COLUMNS + tl.arange(0, COLUMNS)
        column_used = column < n2
        v_at = (problem * n_classes + classes)[:, None] * n2 + column[None, :]
        v_used = class_used[:, None] & column_used[None, :]
        s = tl.dot(u, tl.load(v + v_at, mask=v_used, other=0.0), input_precision="ieee")
        log_s = tl.log(tl.maximum(s, least_s))
        at = start_of_row[:, None] + column[None, :]
        used = row_used[:, None] & column_used[None, :]
        before = tl.load(previous + at, mask=used, other=0.0)
        plain = tl.load(log_r + at, mask=used, other=0.0) + relaxation * log_s
        ahead = plain + w * (plain - before)
        if LOOKS:
            p2 = tl.load(p_x2 + problem * n2 + column, mask=column_used, other=0.0)
            change = tl.load(kernel + at, mask=used, other=0.0) * log_s * p2[None, :]
            moved += tl.sum(tl.abs(change), axis=1)
            ascent -= tl.sum(change * (ahead - plain), axis=1)
        ahead = tl.minimum(tl.maximum(ahead, least_log), most_log)
        new = tl.exp(ahead)
        tl.store(log_r + at, plain, mask=used)
        tl.store(previous + at, ahead, mask=used)
        tl.store(kernel + at, new, mask=used)
        # Outside the table v is 0, so that whatever k is there adds nothing.
        across = tl.load(weighted + v_at, mask=v_used, other=0.0)
        product += tl.dot(new, tl.trans(across), input_precision="ieee")
    part = (chunk * tl.num_programs(2) + problem) * n_rows + row
    tl.store(
        products + part[:, None] * n_classes + classes[None, :],
        product,
        mask=row_used[:, None] & class_used[None, :],
    )
    if LOOKS:
        of = (chunk * tl.num_programs(0) + tile) * tl.num_programs(2) + problem
        tl.store(told + 2 * of, tl.sum(moved * p1, axis=0))
        tl.store(told + 2 * of + 1, tl.sum(ascent * p1, axis=0))


class TritonSweeper(TorchSweeper):
    """Sweeps float32 tables on a GPU."""

    def blocks(self, iterate: Iterate) -> list[slice]:
        """Cut the rows into blocks of which half the card's cache holds one."""
        size = _CACHE_BYTES
        if iterate.kernel.device.type == "cuda":
            known = torch.cuda.get_device_properties(iterate.kernel.device)
            size = getattr(known, "L2_cache_size", 2 * size) // 2
        return row_blocks(iterate, size)

    def move(self, iterate: Iterate, rows: slice, fitted: Tensor, step: Step) -> Tensor:
        """Do all of it in one kernel where the step is Nesterov's."""
        if not (isinstance(step, MirrorStep) and isinstance(step.acceleration, Momentum)):
            return super().move(iterate, rows, fitted, step)
        batch, n1, n2 = iterate.kernel.shape
        fitted = fitted.contiguous()
        n_rows, n_classes = fitted.shape[1:]
        row_tiles = triton.cdiv(n_rows, _TILE_ROWS)
        column_tiles = triton.cdiv(n2, _TILE_COLUMNS)
        chunks = max(1, min(column_tiles, _PROGRAMS // (row_tiles * batch)))
        per_chunk = triton.cdiv(column_tiles, chunks)
        chunks = triton.cdiv(column_tiles, per_chunk)
        products = fitted.new_empty(chunks, batch, n_rows, n_classes)
        told = fitted.new_empty(chunks * row_tiles, batch, 2)
        least_log, most_log = iterate.log_range
        # Triton launches on the current card, which need not be that of the tables.
        with torch.cuda.device_of(fitted):  # type: ignore[no-untyped-call]
            _move[(row_tiles, chunks, batch)](
                iterate.kernel,
                step.log_r,
                step.previous,
                fitted,
                iterate.v.contiguous(),
                iterate.weighted.contiguous(),
                iterate.p_x1,
                iterate.p_x2,
                step.weight,
                products,
                told,
                rows.start,
                n_rows,
                n1,
                n2,
                n_classes,
                per_chunk,
                step.acceleration.relaxation,
                iterate.least_s,
                least_log,
                most_log,
                LOOKS=step.looks,
                ROWS=_TILE_ROWS,
                COLUMNS=_TILE_COLUMNS,
                CLASSES=max(_LEAST_CLASSES, 1 << math.ceil(math.log2(n_classes))),
            )
        if step.looks:
            step.told += told.sum(0).mT[:, :, None, None]
        return products.sum(0)

"""Triton backend: the sweep on a GPU by three kernels, each one pass over the tables.

docs/scale.md describes the passes. Several programs share the tiles of a row or a column, so that
few rows still occupy a whole GPU. Their parts of a product are added in a fixed order, so runs are
repeatable to the last bit. Products of tiles are three products of 11-bit parts, "tf32x3". They are
as accurate as single precision and run on the matrix units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
import triton
import triton.language as tl
from torch import Tensor

from modalprism.pid.acceleration import MirrorStep, Momentum, PlainStep
from modalprism.pid.iterate import Iterate, Step
from modalprism.pid.torch_backend import TorchBackend

_PROGRAMS: Final = 1 << 12  # Enough for every multiprocessor of a large GPU.
_LEAST_CLASSES: Final = 16  # Minimum of Triton's products.
_SHARED_BYTES: Final = 48 << 10  # of a multiprocessor, if the driver does not report it


@dataclass(frozen=True)
class _Tiles:
    """Shape and launch parameters of a tile, measured on an H100 (docs/scale.md)."""

    rows: int
    columns: int
    warps: int
    stages: int

    def stages_on(self, device: torch.device, n_classes: int, tables: int) -> int:
        """Return the number of pipelined steps that fit in the GPU's shared memory."""
        if device.type != "cuda":
            return self.stages  # of the interpreter
        known = torch.cuda.get_device_properties(device)
        room = getattr(known, "shared_memory_per_block_optin", _SHARED_BYTES)
        tile, scalings = 4 * self.rows * self.columns, 4 * n_classes * max(self.rows, self.columns)
        fitting = (room - tile) // (tables * tile + scalings)  # one tile more changes its layout
        return max(1, min(self.stages, fitting))

    def launch(self, device: torch.device, n_classes: int, tables: int) -> dict[str, int]:
        """Return the compile-time parameters of a kernel that reads this number of tables."""
        classes = max(_LEAST_CLASSES, 1 << math.ceil(math.log2(n_classes)))
        stages = self.stages_on(device, classes, tables)
        return {
            "ROWS": self.rows,
            "COLUMNS": self.columns,
            "CLASSES": classes,
            "STAGES": stages,
            "num_warps": self.warps,
        }


_ACROSS: Final = _Tiles(64, 64, 4, 3)
_DOWN: Final = _Tiles(32, 128, 8, 3)
_PLAIN: Final = _Tiles(64, 64, 4, 4)
_EXTRAPOLATED: Final = _Tiles(32, 64, 2, 2)


@triton.jit  # type: ignore[untyped-decorator]
def _move(  # type: ignore[no-untyped-def]
    kernel, log_r, previous, fitted, v, p_x1, p_x2, weight, products, progress,
    n1, n2, n_classes, tiles_per_chunk, relaxation, least_s, least_log, most_log,
    STEP: tl.constexpr,  # 0: keep k; 1: k ← k s; 2: extrapolate ln r; 3: and measure progress
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, CLASSES: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """Step one chunk of columns of one tile of rows of one problem, and multiply."""
    tile, chunk, problem = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    within = tl.arange(0, ROWS)
    row = tile * ROWS + within
    classes = tl.arange(0, CLASSES)
    row_used, class_used = row < n1, classes < n_classes
    # 50,000 × 50,000 cells exceed 32-bit indices; the cells of a tile's rows do not.
    first = (problem.to(tl.int64) * n1 + tile * ROWS) * n2
    kernel += first
    log_r += first
    previous += first
    u_at = (problem * n1 + row)[:, None] * n_classes + classes[None, :]
    u = tl.load(fitted + u_at, mask=row_used[:, None] & class_used[None, :], other=0.0)
    w = tl.load(weight + problem)
    product = tl.zeros((ROWS, CLASSES), dtype=tl.float32)
    moved = tl.zeros((ROWS,), dtype=tl.float32)
    ascent = tl.zeros((ROWS,), dtype=tl.float32)
    for k in tl.range(tiles_per_chunk, num_stages=STAGES):
        column = (chunk * tiles_per_chunk + k) * COLUMNS + tl.arange(0, COLUMNS)
        column_used = column < n2
        v_at = (problem * n_classes + classes)[:, None] * n2 + column[None, :]
        v_tile = tl.load(v + v_at, mask=class_used[:, None] & column_used[None, :], other=0.0)
        p2 = tl.load(p_x2 + problem * n2 + column, mask=column_used, other=0.0)
        at = within[:, None] * n2 + column[None, :]
        used = row_used[:, None] & column_used[None, :]
        if STEP < 2:
            new = tl.load(kernel + at, mask=used, other=0.0)
        if STEP == 1:
            new = new * tl.dot(u, v_tile, input_precision="tf32x3")
            tl.store(kernel + at, new, mask=used)
        if STEP >= 2:
            before = tl.load(previous + at, mask=used, other=0.0)
            now = tl.load(log_r + at, mask=used, other=0.0)
            log_s = tl.log(tl.maximum(tl.dot(u, v_tile, input_precision="tf32x3"), least_s))
            plain = now + relaxation * log_s
            ahead = plain + w * (plain - before)
            if STEP == 3:
                change = tl.load(kernel + at, mask=used, other=0.0) * log_s * p2[None, :]
                moved += tl.sum(tl.abs(change), axis=1)
                ascent -= tl.sum(change * (ahead - plain), axis=1)
            ahead = tl.minimum(tl.maximum(ahead, least_log), most_log)
            new = tl.exp(ahead)
            tl.store(log_r + at, plain, mask=used)
            tl.store(previous + at, ahead, mask=used)
            tl.store(kernel + at, new, mask=used)
        # Outside the table v is 0, so k there has no effect.
        across = tl.trans(v_tile * p2[None, :])
        product = tl.dot(new, across, product, input_precision="tf32x3")
    part = (chunk * tl.num_programs(2) + problem) * n1 + row
    tl.store(
        products + part[:, None] * n_classes + classes[None, :],
        product,
        mask=row_used[:, None] & class_used[None, :],
    )
    if STEP == 3:
        p1 = tl.load(p_x1 + problem * n1 + row, mask=row_used, other=0.0)
        of = (chunk * tl.num_programs(0) + tile) * tl.num_programs(2) + problem
        tl.store(progress + 2 * of, tl.sum(moved * p1, axis=0))
        tl.store(progress + 2 * of + 1, tl.sum(ascent * p1, axis=0))


@triton.jit  # type: ignore[untyped-decorator]
def _multiply_down(  # type: ignore[no-untyped-def]
    kernel, weighted, products, n1, n2, n_classes, tiles_per_chunk,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, CLASSES: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """Multiply one chunk of rows of one tile of columns of kᵀ by p(x₁) u."""
    tile, chunk, problem = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    column = tile * COLUMNS + tl.arange(0, COLUMNS)
    classes = tl.arange(0, CLASSES)
    column_used, class_used = column < n2, classes < n_classes
    product = tl.zeros((CLASSES, COLUMNS), dtype=tl.float32)
    for k in tl.range(tiles_per_chunk, num_stages=STAGES):
        row = (chunk * tiles_per_chunk + k) * ROWS + tl.arange(0, ROWS)
        row_used = row < n1
        at = (problem.to(tl.int64) * n1 + row)[:, None] * n2 + column[None, :]
        k_tile = tl.load(kernel + at, mask=row_used[:, None] & column_used[None, :], other=0.0)
        u_at = (problem * n1 + row)[None, :] * n_classes + classes[:, None]
        u = tl.load(weighted + u_at, mask=class_used[:, None] & row_used[None, :], other=0.0)
        product = tl.dot(u, k_tile, product, input_precision="tf32x3")
    part = (chunk * tl.num_programs(2) + problem) * n_classes + classes
    tl.store(
        products + part.to(tl.int64)[:, None] * n2 + column[None, :],
        product,
        mask=class_used[:, None] & column_used[None, :],
    )


class TritonBackend(TorchBackend):
    """Backend for float32 tables on a GPU."""

    def sweep(
        self, iterate: Iterate, step: Step | None, *, refit: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Sweep in two passes, three with `refit`; other steps and types run in torch."""
        known = step is None or isinstance(step, PlainStep)
        known |= isinstance(step, MirrorStep) and isinstance(step.acceleration, Momentum)
        if not known or iterate.kernel.dtype != torch.float32:
            return super().sweep(iterate, step, refit=refit)
        fitted = self.fit_rows(iterate) if refit else iterate.u
        u = iterate.fit_to(_step(iterate, fitted.contiguous(), step), slice(None))
        return u, fitted, _down(iterate.kernel, u * iterate.p_x1)

    def fit_rows(self, iterate: Iterate) -> Tensor:
        """Fit all rows in one pass over the kernel."""
        if iterate.kernel.dtype != torch.float32:
            return super().fit_rows(iterate)
        return iterate.fit_to(_step(iterate, iterate.u.contiguous(), None), slice(None))


def _step(iterate: Iterate, fitted: Tensor, step: Step | None) -> Tensor:
    """Apply a step to the kernel; return k (p(x₂) v) of the new kernel, (B, n1, C)."""
    kernel, number, tables, tiles = iterate.kernel, 0, 1, _ACROSS
    log_r, previous, weight, relaxation = kernel, kernel, iterate.p_x2, 0.0
    if isinstance(step, MirrorStep) and isinstance(step.acceleration, Momentum):
        log_r, previous, weight = step.log_r, step.previous, step.weight
        relaxation = step.acceleration.relaxation
        number, tables, tiles = (3, 3, _EXTRAPOLATED) if step.measure else (2, 2, _EXTRAPOLATED)
    elif step is not None:
        number, tiles = 1, _PLAIN
    batch, n1, n2 = kernel.shape
    n_classes = fitted.shape[2]
    row_tiles = triton.cdiv(n1, tiles.rows)
    chunks, per_chunk = _chunks(triton.cdiv(n2, tiles.columns), row_tiles * batch)
    products = fitted.new_empty(chunks, batch, n1, n_classes)
    progress = fitted.new_empty(chunks * row_tiles, batch, 2)
    # Triton launches on the current device, which may differ from that of the tables.
    with torch.cuda.device_of(kernel):  # type: ignore[no-untyped-call]
        _move[(row_tiles, chunks, batch)](
            kernel, log_r, previous, fitted, iterate.v.contiguous(), iterate.p_x1, iterate.p_x2,
            weight, products, progress, n1, n2, n_classes, per_chunk, relaxation, iterate.least_s,
            *iterate.log_range, STEP=number, **tiles.launch(kernel.device, n_classes, tables),
        )  # fmt: skip
    if isinstance(step, MirrorStep) and step.measure:
        step.progress += progress.sum(0).mT[:, :, None, None]
    return products.sum(0)


def _down(kernel: Tensor, weighted: Tensor) -> Tensor:
    """Return kᵀ times a (B, n1, C) table, as (B, C, n2)."""
    batch, n1, n2 = kernel.shape
    n_classes = weighted.shape[2]
    column_tiles = triton.cdiv(n2, _DOWN.columns)
    chunks, per_chunk = _chunks(triton.cdiv(n1, _DOWN.rows), column_tiles * batch)
    products = weighted.new_empty(chunks, batch, n_classes, n2)
    with torch.cuda.device_of(kernel):  # type: ignore[no-untyped-call]
        _multiply_down[(column_tiles, chunks, batch)](
            kernel, weighted, products, n1, n2, n_classes, per_chunk,
            **_DOWN.launch(kernel.device, n_classes, 1),
        )  # fmt: skip
    return products.sum(0)


def _chunks(tiles: int, others: int) -> tuple[int, int]:
    """Return the number of chunks of tiles, and the tiles per chunk."""
    chunks = max(1, min(tiles, _PROGRAMS // others))
    per_chunk = triton.cdiv(tiles, chunks)
    return triton.cdiv(tiles, per_chunk), per_chunk

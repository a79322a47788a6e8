"""Rows of one embedding, read in blocks and scaled.

An embedding needs a shape, a dtype and row slicing: an array, a `numpy.memmap`, the shards of
a store, an HDF5 or zarr array.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from modalprism.errors import InputError
from modalprism.estimation.inputs import read_numbers
from modalprism.estimation.validation import check_shape, check_size

FEWEST_ROWS: Final = 64
"""Largest number of rows in a block."""
_ROUNDED: Final = 8
"""Units in the last place of the rounding differences between orders of computation."""


class Rows(Protocol):
    """Protocol: an array of rows, (n, d), that can be sliced."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, d)."""

    @property
    def dtype(self) -> Any:
        """Type of the numbers."""

    def __getitem__(self, key: Any, /) -> Any:
        """Return a slice of rows."""


@dataclass(frozen=True)
class Source:
    """Checked embedding.

    Attributes
    ----------
    rows : Rows
        The rows as given.
    step : int
        Number of rows in a block.
    centre : ndarray of float64, shape (d,)
        Mean of the first rows, subtracted before rounding to float32.
    scale : float
        Largest distance of a value from `centre`.
    constant : bool
        Whether all rows are the same.
    nearly_constant : bool
        Whether all rows are equal up to rounding, such as states of one input from different
        batches.
    """

    rows: Rows
    step: int
    centre: NDArray[np.float64]
    scale: float
    constant: bool
    nearly_constant: bool

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self.rows.shape[0])

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Read a range of rows without scaling."""
        return np.asarray(self.rows[start:stop])

    def take(self, index: NDArray[np.int64]) -> NDArray[Any]:
        """Read rows with increasing indices, in blocks and in file order."""
        taken = np.empty((len(index), self.rows.shape[1]), self.rows.dtype)
        for start, stop in stretches(len(self), self.step):
            first, last = np.searchsorted(index, (start, stop))
            if last > first:
                taken[first:last] = self.read(start, stop)[index[first:last] - start]
        return taken

    def whole(self) -> NDArray[np.float64]:
        """Read all rows without scaling, as contiguous float64."""
        return self.read(0, len(self)).astype(np.float64, order="C", copy=False)

    def scaled(self, rows: NDArray[Any]) -> Tensor:
        """Return scaled rows, float32, (b, d)."""
        wide = _wide(rows.dtype)
        values: NDArray[Any] = rows.astype(wide, order="C")
        values = (values - self.centre.astype(wide)) / wide(self.scale)
        return torch.from_numpy(values.astype(np.float32, copy=False))

    def blocks(self, rows: NDArray[Any]) -> Iterator[Tensor]:
        """Yield scaled blocks of given rows."""
        for start, stop in stretches(len(rows), self.step):
            yield self.scaled(rows[start:stop])


def _wide(dtype: np.dtype[Any]) -> type[np.float32 | np.float64]:
    """Return a dtype without loss of precision, or float64."""
    return np.float64 if dtype.itemsize > 4 or dtype.kind in "iu" else np.float32


def stretches(n: int, step: int) -> Iterator[tuple[int, int]]:
    """Yield the first row and the end of every block.

    Examples
    --------
    >>> list(stretches(5, 2))
    [(0, 2), (2, 4), (4, 5)]
    """
    for start in range(0, n, step):
        yield start, min(start + step, n)


def rows_of(name: str, embedding: ArrayLike | Rows) -> Rows:
    """Return an embedding as rows that can be sliced, without reading them.

    Raises
    ------
    InputError
        If it is not an array of numeric rows, or its mapped file is too short.
    """
    rows: Any = embedding
    if not _is_sliced(rows):
        rows = read_numbers(f"the embedding of {name!r}", rows)
    check_shape(name, tuple(rows.shape), np.dtype(rows.dtype))
    _check_whole(name, rows)
    return cast(Rows, rows)


def _is_sliced(rows: Any) -> bool:
    """Return whether row slices are plain NumPy numbers; others are converted as a whole."""
    dtype = getattr(rows, "dtype", None)
    if not isinstance(dtype, np.dtype) or dtype.kind in "OV" or hasattr(rows, "nnz"):
        return False
    if isinstance(rows, np.ndarray):
        return not np.ma.isMaskedArray(rows)
    return not hasattr(rows, "__dlpack__")  # it may be on a GPU


def _check_whole(name: str, rows: Any) -> None:
    """Check the length of a mapped file, because reading beyond its end kills the process."""
    mapped: np.memmap[Any, Any] | None = None
    while rows is not None:  # the last base is the map itself; the others are slices
        mapped = rows if isinstance(rows, np.memmap) else mapped
        rows = getattr(rows, "base", None)
    if mapped is None or mapped.filename is None:
        return
    path = Path(mapped.filename)
    needed = mapped.offset + mapped.nbytes
    there = path.stat().st_size if path.is_file() else 0
    if there < needed:
        raise InputError(
            f"the embedding of {name!r} is mapped from {path}, which has {there:,} bytes instead "
            f"of {needed:,}: the file is truncated; write it again"
        )


def check_source(name: str, rows: Rows, block_numbers: int) -> tuple[Source, NDArray[np.int64]]:
    """Check and hash all rows in one pass.

    Parameters
    ----------
    name : str
    rows : Rows
        From `rows_of`.
    block_numbers : int

    Returns
    -------
    source : Source
    hashes : ndarray of int64, shape (n,)
        Equal for equal rows, and almost surely different for others.

    Raises
    ------
    InputError
        If a value is NaN, infinite or too large; the message names the first such row.
    """
    n, d = int(rows.shape[0]), int(rows.shape[1])
    step = max(FEWEST_ROWS, block_numbers // d)
    hashes = np.empty(n, dtype=np.int64)
    low, high = np.full(d, np.inf), np.full(d, -np.inf)
    wrong: list[int] = []
    for start, stop in stretches(n, step):
        block = np.asarray(rows[start:stop])
        if len(block) != stop - start:
            raise InputError(
                f"the embedding of {name!r} gives {len(block)} rows for {start} to {stop}, but "
                f"its shape has {n} rows; write it again"
            )
        least, most = block.min(0), block.max(0)  # NaN if any value is NaN
        if not (np.isfinite(least).all() and np.isfinite(most).all()):
            wrong.extend(start + np.flatnonzero(~np.isfinite(block).all(1)))
        with np.errstate(over="ignore"):  # of a wider dtype; reported below
            low, high = np.minimum(low, least), np.maximum(high, most)
            # 0.0 and −0.0 are equal but have different bytes.
            block = block.astype(_wide(block.dtype), order="C") + 0
        length, raw = block.itemsize * d, block.tobytes()
        hashes[start:stop] = [hash(raw[at : at + length]) for at in range(0, len(raw), length)]
    if wrong:
        raise InputError(
            f"the embedding of {name!r} has NaN or infinite values in {len(wrong)} rows, the first "
            f"of them row {wrong[0]}; remove those rows, or capture in float32"
        )
    with np.errstate(over="ignore"):
        low, high = low.astype(np.float64), high.astype(np.float64)
    check_size(name, float(max(high.max(), -low.min())))
    # The number of rows does not depend on the block size, so neither does the result.
    first = np.asarray(rows[: min(n, FEWEST_ROWS)]).astype(np.float64)
    centre = first.mean(0)
    scale = float(np.maximum(high - centre, centre - low).max())
    constant = bool((high == low).all())
    nearly = constant or _differ_by_rounding(low, high, np.dtype(rows.dtype))
    return Source(rows, step, centre, scale or 1.0, constant, nearly), hashes


def _differ_by_rounding(
    low: NDArray[np.float64], high: NDArray[np.float64], dtype: np.dtype[Any]
) -> bool:
    """Return whether all columns are constant up to a few units in the last place."""
    if dtype.kind != "f":
        return False
    size = np.maximum(np.abs(low), np.abs(high))
    # A column near zero has the rounding of the sums behind the difference.
    noise = _ROUNDED * np.finfo(dtype).eps * np.maximum(size, np.median(size))
    return bool((high - low <= noise).all())

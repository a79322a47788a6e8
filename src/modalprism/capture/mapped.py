"""An array in parts on disk that is read where it is sliced, and never joined as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

from modalprism.capture.named_arrays import tensor_array


class MappedParts:
    """The rows of several arrays, one after another.

    Parameters
    ----------
    parts : sequence of Tensor, shapes (n1, …), (n2, …), …
        Mapped from disk, of one dtype; slices of types that NumPy lacks become float32.

    Examples
    --------
    >>> import torch
    >>> rows = MappedParts([torch.zeros(2, 3), torch.ones(3, 3)])
    >>> rows.shape, rows[1:3].tolist()
    ((5, 3), [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    >>> np.asarray(rows).sum()
    np.float32(9.0)
    """

    def __init__(self, parts: Sequence[Tensor]) -> None:
        self._parts = tuple(parts)
        self._ends = np.cumsum([len(part) for part in parts])
        self.shape: tuple[int, ...] = (int(self._ends[-1]), *parts[0].shape[1:])
        self.dtype: np.dtype[Any] = tensor_array(parts[0][:0]).dtype

    def __len__(self) -> int:
        """Rows."""
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Read a slice of rows; anything else is taken from the whole."""
        if not isinstance(key, slice) or key.step not in (None, 1):
            taken: NDArray[Any] = np.asarray(self)[key]
            return taken
        start, stop, _ = key.indices(len(self))
        first = int(np.searchsorted(self._ends, start, side="right"))
        found = []
        for part, end in zip(self._parts[first:], self._ends[first:], strict=True):
            begin = int(end) - len(part)
            if begin >= stop:
                break
            found.append(tensor_array(part[max(start - begin, 0) : stop - begin]))
        return np.concatenate(found) if found else np.empty((0, *self.shape[1:]), self.dtype)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """Read the whole into memory."""
        if copy is False:
            raise ValueError("parts are joined in memory: they cannot be an array without a copy")
        whole = self[:]
        return whole if dtype is None else whole.astype(dtype, copy=False)

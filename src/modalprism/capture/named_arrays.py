"""Named arrays of an open file, the common interface of all formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

from modalprism.arrays import tensor_array
from modalprism.errors import InputError
from modalprism.foreign import require_room


class MappedArray:
    """The rows of several tensors, shapes (n1, …), (n2, …), …, of one dtype, one after another.

    They are mapped from disk. Slices of types that NumPy lacks become float32.
    """

    def __init__(self, shards: Sequence[Tensor]) -> None:
        self._shards = tuple(shards)
        self._ends = np.cumsum([len(shard) for shard in shards])
        self.shape: tuple[int, ...] = (int(self._ends[-1]), *shards[0].shape[1:])
        self.dtype: np.dtype[Any] = tensor_array(shards[0][:0]).dtype

    def __len__(self) -> int:
        """Rows."""
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Read a slice of rows; other indices read the whole array first."""
        if not isinstance(key, slice) or key.step not in (None, 1):
            taken: NDArray[Any] = np.asarray(self)[key]
            return taken
        start, stop, _ = key.indices(len(self))
        first = int(np.searchsorted(self._ends, start, side="right"))
        found = []
        for shard, end in zip(self._shards[first:], self._ends[first:], strict=True):
            begin = int(end) - len(shard)
            if begin >= stop:
                break
            found.append(tensor_array(shard[max(start - begin, 0) : stop - begin]))
        return np.concatenate(found) if found else np.empty((0, *self.shape[1:]), self.dtype)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """Read the whole into memory."""
        if copy is False:
            raise ValueError("shards are joined in memory: they cannot be an array without a copy")
        whole = self[:]
        return whole if dtype is None else whole.astype(dtype, copy=False)


_CELLS: Final = (str, int, float, date, Decimal, np.generic, type(None))


@dataclass(frozen=True)
class NamedArrays:
    """Arrays of an open file, read on request.

    `read` takes a name, and what messages call the array, and returns what the format's library
    gives. `metadata` are empty for formats without.
    """

    names: Callable[[], Sequence[str]]
    read: Callable[[str, str], NDArray[Any]]
    metadata: Mapping[str, str] = field(default_factory=dict)


def plain_array(values: NDArray[Any], what: str) -> NDArray[Any]:
    """Return an array of a file as numbers in native byte order, or as strings.

    Bytes are decoded as UTF-8. Among objects, words and numbers stay as they are. Raises
    InputError, naming the array by `what`, if it holds anything else: records, lists, or other
    objects.

    Examples
    --------
    >>> plain_array(np.array([b"no", b"yes"]), "the label")
    array(['no', 'yes'], dtype='<U3')
    """
    kind = values.dtype.kind
    if kind in "OST":
        return _words(values, what)
    if kind not in "biufcUMm":
        raise InputError(f"{what} holds {values.dtype}, neither numbers nor words")
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _words(values: NDArray[Any], what: str) -> NDArray[Any]:
    cells = [cell.decode() if isinstance(cell, bytes) else cell for cell in values.ravel().tolist()]
    if other := next((cell for cell in cells if not isinstance(cell, _CELLS)), None):
        raise InputError(f"{what} holds {type(other).__name__} objects, neither numbers nor words")
    if all(isinstance(cell, str) for cell in cells):
        # NumPy gives every word the room of the longest.
        require_room(4 * len(cells) * max(map(len, cells), default=0), what)
        return np.array(cells, dtype=np.str_).reshape(values.shape)
    found = np.empty(len(cells), dtype=object)
    found[:] = cells
    return found.reshape(values.shape)

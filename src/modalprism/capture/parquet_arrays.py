"""Embeddings in parquet files: a column is an array."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from modalprism.capture.named_arrays import NamedArrays
from modalprism.errors import InputError
from modalprism.foreign import require_room

_LISTS: Final = (
    *(pa.ListType, pa.LargeListType, pa.FixedSizeListType),
    *(pa.ListViewType, pa.LargeListViewType),
)


@contextmanager
def open_parquet(path: Path) -> Iterator[NamedArrays]:
    """Open a parquet file; its columns hold numbers, words, lists of equal shape, or tensors."""
    with pq.ParquetFile(path.absolute()) as file:

        def read(name: str, what: str) -> NDArray[Any]:
            # Every row takes a byte at least. What a file claims is not yet what it holds.
            require_room(file.metadata.num_rows, what)
            column = file.read(columns=[name], use_threads=False).column(name).combine_chunks()
            return column_array(column, what)

        yield NamedArrays(lambda: file.schema_arrow.names, read)


def column_array(column: pa.Array, what: str) -> NDArray[Any]:
    """Return a column as an array whose first axis is the rows.

    Parameters
    ----------
    column : pyarrow.Array
        Numbers or words, shape (n,). Lists of equal length, also as views or nested, and tensors
        of a fixed shape add axes: a list of one list of four numbers a row gives (n, 1, 4).
    what : str
        The column, as messages name it.

    Raises
    ------
    InputError
        If lists differ in length, or some are missing.

    Examples
    --------
    >>> column_array(pa.array([[[1, 2]], [[3, 4]]]), "the column").shape
    (2, 1, 2)
    """
    if isinstance(column, pa.FixedShapeTensorArray):
        if column.null_count:
            raise InputError(f"{what} cannot be read: some of its tensors are missing")
        tensors: NDArray[Any] = column.to_numpy_ndarray()
        return tensors
    if isinstance(column, pa.ExtensionArray):
        return column_array(column.storage, what)
    kind = column.type
    if pa.types.is_decimal(kind):
        column = column.cast(pa.float64())
    if not isinstance(kind, _LISTS):
        values: NDArray[Any] = column.to_numpy(zero_copy_only=False)
        return values
    lengths = pc.unique(pc.list_value_length(column)).to_pylist()
    if len(lengths) > 1 or None in lengths:
        raise InputError(f"{what} cannot be read: its lists differ in length, or some are missing")
    inner = column_array(column.flatten(), what)
    return inner.reshape(len(column), lengths[0] if lengths else 0, *inner.shape[1:])

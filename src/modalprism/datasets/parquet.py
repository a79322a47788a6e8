"""Parquet files with pictures as bytes or as names of files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from modalprism.datasets.dataset import Dataset, Row, ends_digest
from modalprism.errors import InputError
from modalprism.foreign import WRITE_AGAIN, guarded, require_file

_BATCH: Final = 16  # rows that are held at once: pictures are large
_BUFFER: Final = 2**20
_ROWS_PER_BYTE: Final = 10_000
"""Rows that a byte of a file can stand for at most: equal values are written once."""
_LIBRARY: Final = b"huggingface"


class ParquetFiles(Dataset):
    """Parquet files of the same columns, one after another; they name files relative to `root`."""

    def __init__(self, files: Sequence[Path], root: Path) -> None:
        self.root = root
        self.files = tuple(files)
        self.length = 0
        for path in self.files:
            with guarded(path, WRITE_AGAIN):
                metadata = pq.read_metadata(require_file(path).absolute())
                schema = metadata.schema.to_arrow_schema()
                names = set(schema.names)
            if path == self.files[0]:
                self.schema, self.columns = schema, tuple(schema.names)
            elif lacking := [name for name in self.columns if name not in names]:
                raise InputError(
                    f"{path} has no column {lacking[0]!r}, but {self.files[0].name} has; "
                    "give files of the same columns"
                )
            if metadata.num_rows > _ROWS_PER_BYTE * path.stat().st_size:
                raise InputError(
                    f"{path} says that it has {metadata.num_rows:,} rows, more than its "
                    f"{path.stat().st_size:,} bytes can hold; {WRITE_AGAIN}"
                )
            self.length += metadata.num_rows
        if not self.length:
            raise InputError(f"{root if len(self.files) > 1 else self.files[0]} has no rows")
        self._classes = class_names(self.schema.metadata or {})

    def rows(self, columns: Sequence[str], chosen: NDArray[np.int64] | None) -> Iterator[Row]:
        """Yield rows with `columns`; groups of rows of which none is chosen are not read."""
        begin = 0
        for path in self.files:
            # A group may hold all rows of a file: it is read piece by piece.
            with guarded(path, WRITE_AGAIN):
                opened = pq.ParquetFile(
                    require_file(path).absolute(), buffer_size=_BUFFER, pre_buffer=False
                )
            with opened as file:
                for group in range(file.num_row_groups):
                    end = begin + file.metadata.row_group(group).num_rows
                    places: Sequence[int] = range(begin, end)
                    if chosen is not None:
                        places = chosen[slice(*np.searchsorted(chosen, [begin, end]))].tolist()
                    if places:
                        yield from self._group(file, group, columns, places, begin)
                    begin = end

    def _group(
        self,
        file: pq.ParquetFile,
        group: int,
        columns: Sequence[str],
        places: Sequence[int],
        begin: int,
    ) -> Iterator[Row]:
        done = 0
        try:
            with guarded("the file"):
                for batch in file.iter_batches(_BATCH, row_groups=[group], columns=list(columns)):
                    while done < len(places) and places[done] < begin + batch.num_rows:
                        place = places[done]
                        yield arrow_row(batch.slice(place - begin, 1), place, self._classes)
                        done += 1
                    begin += batch.num_rows
        except InputError as error:
            # The pages of a group depend on each other: what follows in it is lost.
            for position in places[done:]:
                yield Row(position, str(position), broken=f"the file is damaged there: {error}")

    def digest(self) -> str:
        """Hash name, size, first and last MiB of every file, which include its index."""
        digests = "".join(ends_digest(path) for path in self.files)
        return hashlib.sha256(digests.encode()).hexdigest()

    def file_columns(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Return the columns of strings and of lists of strings, which may name files."""

        def holds_strings(kind: Any) -> bool:
            while hasattr(kind, "value_type"):  # a list, or categories
                kind = kind.value_type
            strings = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
            return any(check(kind) for check in strings)

        return tuple(name for name in columns if holds_strings(self.schema.field(name).type))


def arrow_row(
    table: pa.Table | pa.RecordBatch, position: int, classes: Mapping[str, Sequence[str]]
) -> Row:
    """Return the first row of a table, with names of classes; it is broken if a cell is."""
    values: dict[str, Any] = {}
    for name in table.schema.names:
        try:
            with guarded(f"column {name!r}"):
                value = table.column(name)[0].as_py()
        except InputError as error:
            return Row(position, str(position), broken=str(error))
        values[name] = class_of(value, classes[name]) if name in classes else value
    return Row(position, str(position), values)


def class_names(metadata: Mapping[bytes, bytes]) -> dict[str, list[str]]:
    """Return the names of classes that the library ``datasets`` wrote of columns of numbers."""
    try:
        features = json.loads(metadata[_LIBRARY])["info"]["features"]
        return {
            name: list(feature["names"])
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def class_of(value: Any, names: Sequence[str]) -> Any:
    """Return a class's name by its number; None for −1.

    Examples
    --------
    >>> class_of(1, ["cat", "dog"]), class_of(-1, ["cat", "dog"])
    ('dog', None)
    """
    if not isinstance(value, int):
        return value
    return names[value] if 0 <= value < len(names) else None

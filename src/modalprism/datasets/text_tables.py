"""CSV, TSV and JSON lines, read a row at a time."""

from __future__ import annotations

import codecs
import csv
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from modalprism.datasets.dataset import Dataset, Row, pick, whole_digest
from modalprism.errors import InputError
from modalprism.foreign import guarded, parse_json, repeated_name, require_file
from modalprism.suggest import separator_hint

SEPARATORS: Final = {".csv": ",", ".tsv": "\t"}
LINES: Final = frozenset({".jsonl", ".ndjson"})
_BYTE_ORDER_MARK: Final = "\ufeff"
_HEAD: Final = 100  # rows of JSON lines whose keys are the columns


class _TextTable(Dataset):
    """A table in one file; names of files in it are relative to its folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.root = path.parent
        self.columns = self._columns()
        self.length = sum(1 for _ in self._records())
        if not self.length:
            raise InputError(f"{path} has no rows")

    @abstractmethod
    def _columns(self) -> tuple[str, ...]:
        """Return the names of the columns."""

    @abstractmethod
    def _records(self) -> Iterator[Any]:
        """Yield the raw records."""

    @abstractmethod
    def _values(self, record: Any) -> Mapping[str, Any] | str:
        """Return a record's cells, or what is wrong with it."""

    def rows(self, columns: Sequence[str], chosen: NDArray[np.int64] | None) -> Iterator[Row]:  # noqa: ARG002
        """Yield rows with all their columns."""
        for position, record in pick(self._records(), chosen):
            values = self._values(record)
            if isinstance(values, str):
                yield Row(position, str(position), broken=values)
            else:
                yield Row(position, str(position), values)

    def digest(self) -> str:
        """Hash the whole table."""
        return whole_digest(self.path)

    def file_columns(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Return all columns: any may name files."""
        return tuple(columns)


class SeparatedTable(_TextTable):
    """A CSV or TSV file whose first line names the columns; every cell is a string."""

    def _lines(self) -> Iterator[list[str] | str]:
        """Yield the cells of every row, or what is wrong with it."""
        with self.path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=SEPARATORS[self.path.suffix.lower()], strict=True)
            while True:
                begin = reader.line_num + 1
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except UnicodeDecodeError as error:
                    raise InputError(
                        f"{self.path} is not in UTF-8 ({error}); save it so"
                    ) from error
                except csv.Error as error:
                    yield f"{_at(begin, reader.line_num)} cannot be read: {error}"
                    continue
                if any("\0" in cell for cell in cells):
                    yield (
                        f"NUL characters in {_at(begin, reader.line_num)}: the file is damaged, or "
                        "not in UTF-8; save it anew, in UTF-8"
                    )
                elif cells:
                    yield cells

    def _columns(self) -> tuple[str, ...]:
        names = next(self._lines(), None)
        if names is None:
            raise InputError(f"{self.path} is empty; its first line names the columns")
        if isinstance(names, str):
            raise InputError(f"{self.path}: {names}")
        if (twice := repeated_name(names)) is not None:
            raise InputError(f"{self.path} has two columns {twice!r}; names must differ")
        if marked := next((name for name in names if _BYTE_ORDER_MARK in name), ""):
            raise InputError(
                f"column {marked!r} of {self.path} has a byte order mark in its name, as files "
                "have that were joined; take it out"
            )
        return tuple(names)

    def _records(self) -> Iterator[list[str] | str]:
        lines = self._lines()
        next(lines, None)
        yield from lines

    def _values(self, record: list[str] | str) -> Mapping[str, Any] | str:
        if isinstance(record, str):
            return record
        if len(record) != len(self.columns):
            return (
                f"it has {len(record)} cells, and the first line names {len(self.columns)}"
                f"{separator_hint(self.columns)}"
            )
        return dict(zip(self.columns, record, strict=True))


def _at(begin: int, end: int) -> str:
    """Name the lines of a row: cells in quotes may hold line breaks."""
    return f"line {begin}" if begin == end else f"lines {begin} to {end}"


class JsonLines(_TextTable):
    """One JSON object per line; the columns are the keys of the first hundred."""

    def _records(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            for number, line in enumerate(file):
                content = line if number else line.removeprefix(codecs.BOM_UTF8)
                if content.strip():
                    yield content

    def _columns(self) -> tuple[str, ...]:
        first = [record for _, record in zip(range(_HEAD), self._records(), strict=False)]
        objects = [self._values(record) for record in first]
        if objects and all(isinstance(one, str) for one in objects):
            raise InputError(f"{self.path} has no JSON object in its first lines: {objects[0]}")
        return tuple(
            dict.fromkeys(key for one in objects if not isinstance(one, str) for key in one)
        )

    def _values(self, record: bytes) -> Mapping[str, Any] | str:
        try:
            values = parse_json(record, "the JSON of its line")
        except InputError as error:
            return str(error)
        return values if isinstance(values, dict) else f"its line is no JSON object: {values!r:.60}"


def text_table(path: Path) -> Dataset:
    """Open a ``.csv``, ``.tsv`` or ``.jsonl``.

    Raises InputError if it is empty, or cannot be read.
    """
    require_file(path)
    with guarded(path):
        return (JsonLines if path.suffix.lower() in LINES else SeparatedTable)(path)

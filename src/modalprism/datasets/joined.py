"""Two tables as one: questions here, their pictures there, told by a key."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from modalprism.datasets.contents import is_empty, word_of
from modalprism.datasets.recognise import source_of
from modalprism.datasets.rows import Row, Source
from modalprism.errors import InputError

_REMEMBERED: Final = 8
"""Rows of the second table that are held: questions about one picture often stand together."""


@dataclass(frozen=True)
class Join:
    """A second dataset, whose columns stand beside those of the first.

    Attributes
    ----------
    data : str
        A file, a folder, or an id of the hub; not streamed.
    key : str
        The column of the first that says which row of the second is meant.
    other : str
        The column of the second that it is looked up in; no value stands there twice.
    split : str, optional
        Of the second.
    """

    data: str
    key: str
    other: str
    split: str | None = None

    def beside(self, source: Source) -> Source:
        """Put the second dataset's columns beside a source's.

        Raises
        ------
        InputError
            If there is no such dataset or column, or a key stands twice.
        """
        return Joined(source, source_of(self.data, split=self.split), self)


class Joined(Source):
    """A source with the columns of another; where both have a name, the first's counts.

    Names of files are relative to the first one's folder, or the other's where the first has none.

    Parameters
    ----------
    source, other : Source
    join : Join
        How they belong together.
    """

    def __init__(self, source: Source, other: Source, join: Join) -> None:
        for name, columns in ((join.key, source.columns), (join.other, other.columns)):
            if name not in columns:
                raise InputError(
                    f"to join {join.data}, there is no column {name!r}; the columns are "
                    f"{', '.join(columns)}"
                )
        self.source, self.other, self.join = source, other, join
        added = (name for name in other.columns if name not in source.columns)
        self.columns = (*source.columns, *added)
        self.length, self.quick = source.length, source.quick
        self.root = source.root or other.root
        self._places: dict[str, int] = {}
        for row in other.rows([join.other], None):
            if not (key := _key(row.values, join.other)):
                continue
            place = self._places.setdefault(key, row.position)
            if place != row.position:
                raise InputError(
                    f"{join.data} has {row.values[join.other]!r} twice in column {join.other!r}; "
                    "every row has a key of its own there"
                )
        self._beside = lru_cache(_REMEMBERED)(self._read)

    def _read(self, place: int, columns: tuple[str, ...]) -> Row:
        return next(self.other.rows(columns, np.array([place])))

    def rows(self, columns: Sequence[str], chosen: NDArray[np.int64] | None) -> Iterator[Row]:
        """Yield rows with `columns` of both."""
        own = [name for name in columns if name in self.source.columns]
        others = tuple(name for name in columns if name not in self.source.columns)
        if not others:
            yield from self.source.rows(own, chosen)
            return
        for row in self.source.rows(list(dict.fromkeys([*own, self.join.key])), chosen):
            yield row if row.broken else self._joined(row, others)

    def _joined(self, row: Row, columns: tuple[str, ...]) -> Row:
        place = self._places.get(_key(row.values, self.join.key))
        if place is None:
            value = row.values.get(self.join.key)
            return replace(row, broken=f"{self.join.data} has no row of {value!r}")
        beside = self._beside(place, columns)
        if beside.broken:
            return replace(row, broken=f"in {self.join.data}, {beside.broken}")
        return replace(row, values={**row.values, **beside.values})

    def digest(self) -> str:
        """Hash both, and how they belong together."""
        words = [self.source.digest(), self.other.digest(), self.join.key, self.join.other]
        return hashlib.sha256(" ".join(words).encode()).hexdigest()

    def file_columns(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Those of either that may name files."""
        own = [name for name in columns if name in self.source.columns]
        others = [name for name in columns if name not in self.source.columns]
        return (*self.source.file_columns(own), *self.other.file_columns(others))


def _key(values: Mapping[str, Any], column: str) -> str:
    """Return a row's key as a word, empty where it is missing; 7 and "7" are the same."""
    value = word_of(values.get(column))
    return "" if is_empty(value) else str(value)

"""Join of two datasets by a key, such as questions and their pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from modalprism.datasets.config import Join
from modalprism.datasets.contents import is_empty, word_of
from modalprism.datasets.dataset import Dataset, Row
from modalprism.datasets.recognise import open_dataset
from modalprism.errors import InputError
from modalprism.suggest import listed

_CACHED: Final = 8
"""Rows of the second table that are held: questions about one picture often stand together."""


class Joined(Dataset):
    """Dataset with the columns of two; the first takes precedence.

    No key repeats in the second. Names of files are relative to the first one's folder, or the
    other's where the first has none.
    """

    def __init__(self, first: Dataset, join: Join) -> None:
        second = open_dataset(join.data, split=join.split)
        for name, columns in ((join.key, first.columns), (join.other, second.columns)):
            if name not in columns:
                raise InputError(
                    f"to join {join.data}, there is no column {name!r}; the columns are "
                    f"{listed(columns)}"
                )
        self.first, self.second, self.join = first, second, join
        added = (name for name in second.columns if name not in first.columns)
        self.columns = (*first.columns, *added)
        self.length, self.quick = first.length, first.quick
        self.root = first.root or second.root
        self._places: dict[str, int] = {}
        for row in second.rows([join.other], None):
            if not (key := _key(row.values, join.other)):
                continue
            place = self._places.setdefault(key, row.position)
            if place != row.position:
                raise InputError(
                    f"{join.data} has {row.values[join.other]!r} twice in column {join.other!r}; "
                    "every row has a key of its own there"
                )

        @lru_cache(_CACHED)
        def beside(place: int, columns: tuple[str, ...]) -> Row:
            return next(second.rows(columns, np.array([place])))

        self._beside = beside

    def rows(self, columns: Sequence[str], chosen: NDArray[np.int64] | None) -> Iterator[Row]:
        """Yield rows with `columns` of both."""
        own = [name for name in columns if name in self.first.columns]
        others = tuple(name for name in columns if name not in self.first.columns)
        if not others:
            yield from self.first.rows(own, chosen)
            return
        for row in self.first.rows(list(dict.fromkeys([*own, self.join.key])), chosen):
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
        words = [self.first.digest(), self.second.digest(), self.join.key, self.join.other]
        return hashlib.sha256(" ".join(words).encode()).hexdigest()

    def file_columns(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Return the columns of either that may name files."""
        own = [name for name in columns if name in self.first.columns]
        others = [name for name in columns if name not in self.first.columns]
        return (*self.first.file_columns(own), *self.second.file_columns(others))


def _key(values: Mapping[str, Any], column: str) -> str:
    """Return a row's key as text, empty if missing; 7 and "7" are the same."""
    value = word_of(values.get(column))
    return "" if is_empty(value) else str(value)

"""Recognise the kind of dataset behind a path, a pattern or an id, and join two of them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from modalprism.datasets.config import Join
from modalprism.datasets.contents import is_empty, word_of
from modalprism.datasets.dataset import SPLITS, Dataset, Row, chosen_split
from modalprism.datasets.hub import hub_dataset, is_hub_id, is_saved, saved_dataset
from modalprism.datasets.media_folder import MediaFolder
from modalprism.datasets.parquet import ParquetFiles
from modalprism.datasets.text_tables import LINES, SEPARATORS, text_table
from modalprism.datasets.webdataset import Shards, matching
from modalprism.errors import InputError
from modalprism.suggest import listed

_PARQUET: Final = ".parquet"
_SHARD: Final = ".tar"
_NUMBERED: Final = re.compile(r"(.+?)-\d+-of-\d+(-\w+)?")
_TABLES: Final = frozenset({*SEPARATORS, *LINES})
_KINDS: Final = f"{', '.join(sorted(_TABLES))}, {_PARQUET} and {_SHARD}"


def open_dataset(data: str | Path, *, split: str | None = None, streaming: bool = False) -> Dataset:
    """Open a dataset of any kind: a file, a folder, a pattern of shards, or an id of the hub.

    `split` is that of a dataset of the library ``datasets``, or of a folder of parquet files that
    are named as their split, ``train-00000-of-00002`` or ``train``; other kinds have none.
    `streaming` says whether a hub's dataset is streamed. Raises InputError if there is nothing, it
    is of no supported kind, damaged, or empty.
    """
    path = Path(data)
    if path.is_dir() and is_saved(path):
        return saved_dataset(path, split)
    here = path.exists() or re.search(r"[{*]", str(data)) is not None
    is_file_name = path.suffix.lower() in {*_TABLES, _PARQUET, _SHARD}
    if not here and not is_file_name and isinstance(data, str) and is_hub_id(data):
        return hub_dataset(data, split, streaming=streaming)
    if not here:
        raise InputError(
            f"there is no file or folder {data}; check the path, or give a hub's id, owner/name"
        )
    if path.is_dir():
        return _folder(path, split)
    _refuse_split(data, split)
    if path.exists():
        return _file(path)
    paths = matching(str(data))
    if other := next((one for one in paths if one.suffix.lower() != _SHARD), None):
        raise InputError(f"the pattern {data} means {other}, but patterns are of {_SHARD} only")
    return Shards(paths)


def _refuse_split(data: str | Path, split: str | None) -> None:
    if split is not None:
        raise InputError(
            f"{data} has no splits, as datasets of the hub have; give the file or folder of the "
            f"split {split!r}",
            parameter="split",
        )


def _file(path: Path) -> Dataset:
    suffix = path.suffix.lower()
    if suffix in _TABLES:
        return text_table(path)
    if suffix == _PARQUET:
        return ParquetFiles([path], path.parent)
    if suffix == _SHARD:
        return Shards([path])
    raise InputError(f"{path} is none of {_KINDS}; give one of these, or a folder")


def _folder(path: Path, split: str | None) -> Dataset:
    files = sorted(one for one in path.iterdir() if not one.is_dir() and one.name[0] != ".")
    tables = [one for one in files if one.suffix.lower() in _TABLES]
    parquet = sorted(
        one
        for one in path.rglob(f"*{_PARQUET}")
        if not any(part.startswith(".") for part in one.relative_to(path).parts)
    )
    shards = [one for one in files if one.suffix.lower() == _SHARD]
    described = [one for one in (*tables, *parquet) if one.stem == "metadata"]
    several = len(tables) + bool(parquet) + bool(shards) > 1
    if several and len(described) != 1:
        names = [one.name for one in tables]
        names += [f"*{_PARQUET}"] * bool(parquet) + [f"*{_SHARD}"] * bool(shards)
        raise InputError(f"{path} holds {listed(names)}; give the one that is meant by its path")
    if parquet and not described:
        return ParquetFiles(_of_split(parquet, split, path), path)
    _refuse_split(path, split)
    if described or tables:
        return _file((described or tables)[0])
    return Shards(shards) if shards else MediaFolder(path)


def _of_split(files: Sequence[Path], split: str | None, folder: Path) -> list[Path]:
    named = [(name, path) for path in files if (name := _split_of(path))]
    splits = sorted({name for name, _ in named})
    if split is not None or len(splits) > 1:
        if not splits:
            raise InputError(
                f"{folder} has no split {split!r}; choose from its files, by their paths",
                parameter="split",
            )
        split = chosen_split(split, splits, folder)
        files = [path for name, path in named if name == split]
    # Of several configurations, each has its own numbered files in its own folder.
    numbered: dict[str, Path] = {}
    for path in files:
        if _NUMBERED.fullmatch(path.stem) and numbered.setdefault(path.name, path) != path:
            other = numbered[path.name].parent
            raise InputError(f"{folder} holds several datasets; give one: {other} or {path.parent}")
    return list(files)


def _split_of(path: Path) -> str | None:
    """Return a file's split, from its name (``train-00000-of-00002``) or its folder."""
    if match := _NUMBERED.fullmatch(path.stem):
        return match[1]
    return next((name for name in (path.stem, path.parent.name) if name in SPLITS), None)


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
        self._cached: dict[tuple[int, tuple[str, ...]], Row] = {}

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
        if (key := (place, columns)) not in self._cached:  # no lru_cache, which cannot be sent
            if len(self._cached) == _CACHED:
                del self._cached[next(iter(self._cached))]
            self._cached[key] = next(self.second.rows(columns, np.array([place])))
        beside = self._cached[key]
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

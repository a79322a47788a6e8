"""Joint distributions from files: arrays of probabilities or counts, or tables of observations.

Every distinct value of a column is one symbol: a cell of CSV or TSV is a string, so that ``01`` and
``1`` differ; a value of parquet or JSON keeps its type. Empty and blank cells are refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from modalprism.datasets.arrays import load_array, open_archive
from modalprism.datasets.dataset import Row
from modalprism.datasets.text_tables import LINES, SEPARATORS, text_table
from modalprism.errors import InputError
from modalprism.foreign import guarded, repeated_name, require_file
from modalprism.suggest import listed, separator_hint, suggestion

COUNT_COLUMNS: Final = ("count", "proportion")
"""Columns that hold how often a row was seen, as ``DataFrame.value_counts`` names them."""
MOST_CELLS: Final = 10**8
_SUFFIXES: Final = (".npy", ".npz", *SEPARATORS, *sorted(LINES), ".parquet")
_CHUNK: Final = 1 << 16
_NUMBER: Final = re.compile(r"\+?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_UNNAMED: Final = re.compile(r"|__index_level_\d+__")
"""Names of columns without one: pandas writes row numbers that way."""


@dataclass(frozen=True)
class JointTable:
    """Input of `decompose` with the names of its variables.

    Attributes
    ----------
    tables : tuple of ndarray
        The joint, (n1, n2, C), by itself; or the marginals, (n1, C) and (n2, C), where the file
        has no joint. Probabilities or counts.
    count : str
        Name of the column that holds how often each row was seen; empty if every row counts once.
    """

    sources: tuple[str, str]
    target: str
    tables: tuple[NDArray[Any]] | tuple[NDArray[Any], NDArray[Any]]
    count: str = ""


def read_joint(
    path: str | Path,
    *,
    sources: Sequence[str] | None = None,
    target: str | None = None,
    count: str | None = None,
) -> JointTable:
    """Read a joint distribution.

    Raises InputError if the file is missing, damaged or of another kind, lacks a column, has an
    empty cell, or rows whose number of cells differs from the header's.

    Parameters
    ----------
    path : path
        ``.npy``: the joint, (n1, n2, C). ``.npz``: an array ``joint``, or ``p_x1y`` and ``p_x2y``.
        ``.csv``, ``.tsv``, ``.jsonl``, ``.ndjson``, ``.parquet``: one observation a row, or one
        combination and how often it was seen. The case of the suffix does not matter.
    sources : two of str, optional
        Names of the sources; columns of a table. By default the first two of a table that has
        three columns beside that of the counts.
    target : str, optional
        Name of the target; a column of a table. By default the third of such a table.
    count : str, optional
        Column that holds how often each row was seen: non-negative numbers such as 12, 0.25 or
        1e3. By default the column ``count`` or ``proportion``, if there is one that is neither
        source nor target; otherwise every row counts once.

    Notes
    -----
    Columns are not chosen among more than are needed: a table with further ones needs `sources`
    and `target`. The levels of a named pandas index in parquet are columns, and may be left over:
    such an index may number the rows.
    """
    path = require_file(Path(path))
    if sources is not None and len(sources) != 2:
        raise InputError(
            f"a decomposition has two sources; {len(sources)} were named", parameter="sources"
        )
    given = [name for name in (*(sources or ()), target) if name is not None]
    if len(set(given)) < len(given):
        raise InputError(
            f"sources and target must have different names; {listed(map(repr, given))} were named",
            parameter="target" if len(set(sources or ())) == len(sources or ()) else "sources",
        )
    suffix = path.suffix.lower()
    if suffix in {".npy", ".npz"}:
        if count is not None:
            raise InputError(
                f"{path} holds arrays, which have no columns; leave count out", parameter="count"
            )
        return _read_arrays(path, suffix, sources, target)
    if suffix in SEPARATORS or suffix in LINES:
        return _read_written(path, sources, target, count)
    if suffix == ".parquet":
        return _read_parquet(path, sources, target, count)
    raise InputError(f"{path} is none of {', '.join(_SUFFIXES[:-1])} and {_SUFFIXES[-1]}")


def _read_arrays(
    path: Path, suffix: str, sources: Sequence[str] | None, target: str | None
) -> JointTable:
    first, second = sources or ("source 1", "source 2")
    names = ((first, second), target or "target")
    with guarded(path):
        if suffix == ".npy":
            return JointTable(*names, (load_array(path),))
        with open_archive(path) as archive:
            if "joint" in archive.files:
                return JointTable(*names, (archive["joint"],))
            if {"p_x1y", "p_x2y"} <= set(archive.files):
                return JointTable(*names, (archive["p_x1y"], archive["p_x2y"]))
            found = listed(archive.files)
    raise InputError(f"{path} needs an array 'joint', or 'p_x1y' and 'p_x2y'; it has {found}")


def _read_written(
    path: Path, sources: Sequence[str] | None, target: str | None, count: str | None
) -> JointTable:
    table = text_table(path)
    names = _chosen_columns(path, table.columns, (), sources, target, count)
    lines = path.suffix.lower() in LINES
    columns = _chunks(path, table.rows(names, None), names, typed=lines)
    return _count_rows(path, names, columns)


def _chunks(
    path: Path, rows: Iterable[Row], names: Sequence[str], *, typed: bool
) -> dict[str, pa.ChunkedArray]:
    """Return columns as strings or, if `typed`, with the one type of their values."""

    def values(row: Row) -> tuple[Any, ...]:
        if row.broken:
            raise InputError(f"{path}, data row {row.position + 1}: {row.broken}")
        return tuple(map(row.values.get, names))

    cells = map(values, rows)
    parts: dict[str, list[pa.Array]] = {name: [] for name in names}
    while chunk := list(islice(cells, None if typed else _CHUNK)):
        for name, column in zip(names, zip(*chunk, strict=True), strict=True):
            with guarded(f"{path}: column {name!r}", "give it values of one type"):
                parts[name].append(pa.array(column, None if typed else pa.string()))
    return {name: pa.chunked_array(arrays) for name, arrays in parts.items()}


def _read_parquet(
    path: Path, sources: Sequence[str] | None, target: str | None, count: str | None
) -> JointTable:
    with guarded(path):
        schema = pq.read_schema(path.absolute())
        stored = (schema.pandas_metadata or {}).get("index_columns", [])
        key = [name for name in stored if isinstance(name, str) and name in schema.names]
    names = _chosen_columns(path, schema.names, key, sources, target, count)
    with guarded(path):
        table = pq.read_table(path.absolute(), columns=list(names), partitioning=None)
        columns = {name: table.column(name) for name in names}
    return _count_rows(path, names, columns)


def _chosen_columns(
    path: Path,
    columns: Sequence[str],
    key: Sequence[str],
    sources: Sequence[str] | None,
    target: str | None,
    count: str | None,
) -> tuple[str, ...]:
    """Choose the columns: two sources, the target, and the counts if there are any."""
    if (twice := repeated_name(columns)) is not None:
        raise InputError(f"{path} has two columns {twice!r}; names must differ")
    given = {*(sources or ()), target, count}
    counts = [name for name in COUNT_COLUMNS if name in columns and name not in given]
    if count is None and len(counts) > 1:
        raise InputError(
            f"{path} has the columns {' and '.join(counts)}: name one with count=",
            parameter="count",
        )
    named = {"sources": [*(sources or ())], "target": [target or ""], "count": [count or ""]}
    for parameter, names in named.items():
        if missing := [name for name in names if name and name not in columns]:
            raise InputError(
                f"{path} has no column {missing[0]!r}{suggestion(missing[0], columns)}; "
                f"its columns are {listed(map(repr, columns))}{separator_hint(columns)}",
                parameter=parameter,
            )
    chosen = [count] if count else counts
    free = [n for n in columns if n not in {*given, *chosen} and not _UNNAMED.fullmatch(n)]
    guessed = _guessed(path, columns, free, key, 2 * (not sources) + (not target))
    roles = [*(sources or guessed[:2]), target or guessed[-1]]
    if len({*roles, *chosen}) < len(roles) + len(chosen):
        raise InputError(
            f"{path}: sources, target and counts must be different columns; "
            f"{listed(map(repr, roles))} are the sources and the target"
            f"{f', {chosen[0]!r} the counts' if chosen else ''}"
        )
    return (*roles, *chosen)


def _guessed(
    path: Path, columns: Sequence[str], free: list[str], key: Sequence[str], missing: int
) -> list[str]:
    """Return the free columns where they are as many as are missing: none is chosen among more."""
    others = [name for name in free if name not in key]
    for some in (free, others):  # a named index may number the rows
        if len(some) == missing:
            return some
    if not missing:
        return []
    if len(free) < missing:
        raise InputError(
            f"{path} needs two source columns and a target column; its columns are "
            f"{listed(map(repr, columns))}{separator_hint(columns)}",
            parameter="sources",
        )
    raise InputError(
        f"{path} has more columns than two sources and a target, {listed(map(repr, columns))}: "
        "name the sources and the target, and as count the column that holds how often each row "
        "was seen, if there is one",
        parameter="sources",
    )


def _count_rows(
    path: Path, names: Sequence[str], columns: Mapping[str, pa.ChunkedArray]
) -> JointTable:
    symbols = {name: _symbols(f"{path}: column {name!r}", columns[name]) for name in names}
    first, second, target, *count = names
    sides = [len(symbols[name][1]) for name in names[:3]]
    if not sides[0]:
        raise InputError(f"{path} has no rows")
    if math.prod(sides) > MOST_CELLS:
        values = " × ".join(f"{side:,}" for side in sides)
        raise InputError(
            f"{path} has {values} distinct values in {first}, {second} and {target}; "
            "code continuous columns into few classes first"
        )
    weights = _weights(f"{path}: column {count[0]!r}", *symbols[count[0]]) if count else None
    cells = np.ravel_multi_index([symbols[name][0] for name in names[:3]], sides)
    joint = np.bincount(cells, weights, math.prod(sides)).astype(np.float64).reshape(sides)
    return JointTable((first, second), target, (joint,), "".join(count))


def _symbols(place: str, column: pa.ChunkedArray) -> tuple[NDArray[np.int64], list[Any]]:
    """Return each row's symbol as an index into the sorted distinct values."""
    import pandas as pd

    if pa.types.is_nested(column.type):
        raise InputError(f"{place} holds {column.type}; give a column of words or numbers")
    with guarded(place, "give a column of words or numbers"):
        codes, distinct = pd.factorize(_plain(column).to_pandas(), sort=True)
        values = distinct.tolist()
    blank = [not value.strip() if isinstance(value, str) else value == b"" for value in values]
    missing = (codes < 0) | np.array([*blank, True])[codes]
    if missing.any():
        row = int(missing.argmax())
        raise InputError(f"{place} is empty or NaN in data row {row + 1}; fill the cell or drop it")
    return codes, values


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return plain values: dictionaries and views are resolved, −0 becomes 0."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return _plain(pa.chunked_array([c.storage for c in column.chunks], kind.storage_type))
    if pa.types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type))
    if pa.types.is_string_view(kind):
        return column.cast(pa.large_string())
    if pa.types.is_binary_view(kind):
        return column.cast(pa.large_binary())
    if pa.types.is_floating(kind):
        return pc.add(column.cast(pa.float64()), 0.0)  # −0 and 0 are one number.
    return column


def _weights(place: str, codes: NDArray[np.int64], values: list[Any]) -> NDArray[np.float64]:
    weights = np.array([_weight(value) for value in values])[codes]
    if (bad := np.isnan(weights)).any():
        row = int(bad.argmax())
        raise InputError(
            f"{place} holds {values[codes[row]]!r:.60} in data row {row + 1}, which is no "
            "number of times that a row was seen, such as 12, 0.25 or 1e3; correct it, or rename "
            "the column if it holds something else"
        )
    # Relative to the largest where the sum would be more than a float holds.
    with np.errstate(over="ignore"):
        return weights if np.isfinite(weights.sum()) else weights / weights.max()


def _weight(value: Any) -> float:
    """Return a count as a float, or NaN for any other value."""
    if isinstance(value, str):
        value = float(value) if _NUMBER.fullmatch(value) else math.nan
    if isinstance(value, bool | bytes):
        return math.nan
    try:
        weight = float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return weight if math.isfinite(weight) and weight >= 0 else math.nan

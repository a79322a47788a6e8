"""Examples in: from where users keep them to what a model is given."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modalprism.datasets.columns import Columns
from modalprism.datasets.contents import file_inside, unwrapped
from modalprism.datasets.example import Example
from modalprism.datasets.lazy import example_of
from modalprism.datasets.recognise import source_of
from modalprism.datasets.rows import Source
from modalprism.errors import InputError

SAMPLING_RATE = 16_000


@dataclass(frozen=True, eq=False)
class Examples:
    """Examples of a dataset, one after another, in its order, as often as they are asked for.

    Memory does not grow with their number, but for the ids of shards and streams. A picture is
    decoded when it is asked for, ``example.inputs["image"]``, and `InputError` is raised then where
    it cannot be.

    Attributes
    ----------
    source : Source
    columns : Columns
        Those of this dataset, the guessed ones too.
    chosen : ndarray of int64, optional
        The positions that are taken; all where there is none.
    sampling_rate : int
        Of recordings, in Hz.
    """

    source: Source
    columns: Columns
    chosen: NDArray[np.int64] | None
    sampling_rate: int

    def __iter__(self) -> Iterator[Example]:
        seen: set[str] = set()
        for row in self.source.rows(self.columns.names, self.chosen):
            example = example_of(row, self.columns, self.source.root, self.sampling_rate)
            if not self.source.quick:
                _refuse_twice(example.id, seen, self.columns)
            yield example

    def fingerprint(self) -> str:
        """Return a hash that changes where the examples do, and not with place or time of files.

        It covers which columns are what, which rows are taken, the sampling rate of recordings, and
        of the data

        - a table (CSV, TSV, JSON lines): all its bytes, and the sizes of the files that it names;
        - a folder of files: their names and sizes;
        - parquet and saved datasets: names, sizes, and the first and last MiB of every file, and
          the sizes of the files that they name;
        - shards: the same, and the names and sizes of all files inside;
        - a hub's dataset: its id, configuration and split, and the addresses of its files.
        """
        columns = self.columns
        digest = hashlib.sha256(self.source.digest().encode())
        media = {
            one.column for one in columns.modalities.values() if one.kind in {"image", "audio"}
        }
        sounds = any(one.kind == "audio" for one in columns.modalities.values())
        words = [
            sorted((name, one.column, one.kind) for name, one in columns.modalities.items()),
            [columns.label, columns.id, *columns.groups],
            self.sampling_rate if sounds else 0,
        ]
        digest.update(json.dumps(words).encode())
        if self.chosen is not None:
            digest.update(self.chosen.tobytes())
        if names := self.source.file_columns(sorted(media)):
            for row in self.source.rows(names, self.chosen):
                sizes = [_size(self.source.root, row.values.get(name)) for name in names]
                digest.update(f"{sizes}".encode())
        return digest.hexdigest()[:16]


class CountedExamples(Examples):
    """Examples whose number is known."""

    def __len__(self) -> int:
        length = self.source.length or 0
        return length if self.chosen is None else len(self.chosen)


def open_examples(
    data: str | Path,
    columns: Columns | None = None,
    *,
    split: str | None = None,
    limit: int | None = None,
    seed: int = 0,
    streaming: bool = False,
    sampling_rate: int = SAMPLING_RATE,
) -> Examples:
    """Open a dataset where it is: a file, a folder, shards, or the hub.

    Parameters
    ----------
    data : str or Path
        A ``.csv``, ``.tsv`` or ``.jsonl`` with names of files, ``.parquet``, WebDataset shards
        (``shards-{000..009}.tar``), a folder of any of these, of pictures beside a table or in
        subfolders named as their class, a folder that the library ``datasets`` saved a dataset to,
        or an id of the hub, ``owner/name:configuration@revision``.
    columns : Columns, optional
        Which column is what; usual names are guessed.
    split : str, optional
        Of a dataset of the library, or of a folder of parquet files that are named as their split.
    limit : int, optional
        Take so many, drawn at random, in the dataset's order; of a stream the first.
    seed : int
        Of the draw.
    streaming : bool
        Whether a hub's dataset is streamed.
    sampling_rate : int
        What recordings are brought to, in Hz.

    Returns
    -------
    examples : Examples
        With a length, where it is known.

    Raises
    ------
    InputError
        If there is no such dataset or column, it is empty, or an id stands twice.
    """
    if limit is not None and limit < 1:
        raise InputError(f"the limit is {limit}; take 1 or more")
    if seed < 0:
        raise InputError(f"the seed is {seed}; give 0 or more")
    if sampling_rate < 1:
        raise InputError(f"the sampling rate is {sampling_rate} Hz; give 1 or more")
    source = source_of(data, split=split, streaming=streaming)
    found = (columns or Columns()).among(source.columns)
    chosen = _draw(source.length, limit, seed)
    if source.length is None:
        return Examples(source, found, chosen, sampling_rate)
    examples = CountedExamples(source, found, chosen, sampling_rate)
    if found.id is not None and source.quick:
        seen: set[str] = set()
        for row in source.rows([found.id], chosen):
            example = example_of(row, found, None, sampling_rate)
            _refuse_twice(example.id, seen, found)
    return examples


def _draw(length: int | None, limit: int | None, seed: int) -> NDArray[np.int64] | None:
    """Draw the positions that are taken, ascending; None for all."""
    if limit is None or (length is not None and limit >= length):
        return None
    if length is None:
        return np.arange(limit)
    generator = np.random.default_rng(seed)
    return np.sort(generator.choice(length, limit, replace=False, shuffle=False))


def _refuse_twice(identity: str, seen: set[str], columns: Columns) -> None:
    if identity in seen:
        if columns.id is None:  # only of shards
            raise InputError(
                f"two examples have the id {identity!r}; the files of an example stand together in "
                "a shard, and no other has its key"
            )
        raise InputError(
            f"two examples have the id {identity!r} in column {columns.id!r}; ids must differ: "
            "name another column, id=…, or none, id="
        )
    seen.add(identity)


def _size(root: Path | None, name: object) -> int:
    """Return the size of a file that a table names; −1 where there is none."""
    name = unwrapped(name)
    try:
        return file_inside(root, name).stat().st_size if isinstance(name, str) else -1
    except (InputError, OSError):
        return -1

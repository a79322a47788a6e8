"""Open a dataset as a sequence of examples."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modalprism.datasets.columns import Columns
from modalprism.datasets.config import SAMPLING_RATE, Join
from modalprism.datasets.contents import file_inside, unwrapped
from modalprism.datasets.dataset import Dataset, Example, Row
from modalprism.datasets.labels import Labels, no_match, unmatched
from modalprism.datasets.lazy import example_of
from modalprism.datasets.recognise import Joined, open_dataset
from modalprism.errors import InputError
from modalprism.strict_json import dumps


@dataclass(frozen=True, eq=False)
class Examples:
    """Examples of a dataset, in its order; iteration may be repeated.

    `columns` includes the guessed ones. `chosen` are the positions that are taken, by default all;
    `most` is how many are taken of a stream from which `labels` leave rows out. Recordings are
    brought to `sampling_rate`, in Hz.

    Memory does not grow with their number, but for the ids of shards and streams. A picture is
    decoded when ``example.inputs["image"]`` is read, which raises `InputError` where it cannot be.
    """

    dataset: Dataset
    columns: Columns
    chosen: NDArray[np.int64] | None
    sampling_rate: int
    labels: Labels = field(default_factory=Labels)
    most: int | None = None

    def __iter__(self) -> Iterator[Example]:
        seen: set[str] = set()
        taken = 0
        for row in self.dataset.rows(self.columns.names, self.chosen):
            example = self._example(row)
            if not self._keeps(example):
                continue
            if not self.dataset.quick:
                _refuse_twice(example.id, seen, self.columns)
            taken += 1
            yield example
            if taken == self.most:
                return  # before the next is read

    def _example(self, row: Row) -> Example:
        return example_of(row, self.columns, self.dataset.root, self.sampling_rate, self.labels)

    def _keeps(self, example: Example) -> bool:
        # Broken examples are kept, so that they are reported.
        return bool(getattr(example.inputs, "broken", "")) or self.labels.keeps(example.label)

    def fingerprint(self) -> str:
        """Return a hash of the examples, independent of paths and times of files.

        It covers which columns are what, the prompt, how labels are read, which rows are taken, the
        sampling rate of recordings, and of the data

        - a table (CSV, TSV, JSON lines): all its bytes, and the sizes of the files that it names;
        - a folder of files: their names and sizes;
        - parquet and saved datasets: names, sizes, and the first and last MiB of every file, and
          the sizes of the files that they name;
        - shards: the same, and the names and sizes of all files inside;
        - a hub's dataset: its id, configuration and split, and the addresses of its files.
        """
        columns = self.columns
        digest = hashlib.sha256(self.dataset.digest().encode())
        media = {
            name
            for one in columns.modalities.values()
            if one.kind in {"image", "audio"}
            for name in one.columns
        }
        sounds = any(one.kind == "audio" for one in columns.modalities.values())
        words: list[Any] = [
            sorted((name, one.column, one.kind) for name, one in columns.modalities.items()),
            [columns.label, columns.id, *columns.groups],
            self.sampling_rate if sounds else 0,
        ]
        # Only where there is something, so that what was captured without stays the same.
        beside = {name: one.beside for name, one in columns.modalities.items() if one.beside}
        prompts = [one.prompt.template for one in columns.modalities.values() if one.prompt]
        words += [more for more in (beside, prompts, self.labels.words(), self.most) if more]
        digest.update(dumps(words).encode())
        if self.chosen is not None:
            digest.update(self.chosen.tobytes())
        if names := self.dataset.file_columns(sorted(media)):
            for row in self.dataset.rows(names, self.chosen):
                sizes = [_size(self.dataset.root, row.values.get(name)) for name in names]
                digest.update(f"{sizes}".encode())
        return digest.hexdigest()[:16]


class CountedExamples(Examples):
    """Examples whose number is known."""

    def __len__(self) -> int:
        length = self.dataset.length or 0
        return length if self.chosen is None else len(self.chosen)

    def between(self, begin: int, end: int) -> Iterator[Example]:
        """Yield the examples from one place to another; others are not read."""
        places = np.arange(begin, end) if self.chosen is None else self.chosen[begin:end]
        yield from replace(self, chosen=places)


def open_examples(
    data: str | Path,
    columns: Columns | None = None,
    *,
    labels: Labels | None = None,
    join: Join | None = None,
    split: str | None = None,
    limit: int | None = None,
    seed: int = 0,
    streaming: bool = False,
    sampling_rate: int = SAMPLING_RATE,
) -> Examples:
    """Open a dataset from a file, a folder, shards, or the hub.

    Raises InputError if there is no such dataset or column, it is empty, an id stands twice, or
    there are candidates and no label is one of them.

    Parameters
    ----------
    data : str or Path
        A ``.csv``, ``.tsv`` or ``.jsonl`` with names of files, ``.parquet``, WebDataset shards
        (``shards-{000..009}.tar``), a folder of any of these, of pictures beside a table or in
        subfolders named as their class, a folder that the library ``datasets`` saved a dataset to,
        or an id of the hub, ``owner/name:configuration@revision``.
    columns : Columns, optional
        Which column is what; usual names are guessed.
    labels : Labels, optional
        How labels become candidates, and whether rows without one are left out.
    join, split, streaming, sampling_rate
        As in `modalprism.datasets.config.DatasetConfig`.
    limit, seed : int, optional
        Take so many, drawn at random by the seed, in the dataset's order; of a stream the first.
        Rows that are left out by their labels do not count.

    Returns
    -------
    examples : Examples
        With a length, where it is known.
    """
    if limit is not None and limit < 1:
        raise InputError(f"the limit is {limit}; take 1 or more", parameter="limit")
    if seed < 0:
        raise InputError(f"the seed is {seed}; give 0 or more", parameter="seed")
    if sampling_rate < 1:
        raise InputError(f"the sampling rate is {sampling_rate} Hz; give 1 or more")
    labels = labels or Labels()
    dataset = open_dataset(data, split=split, streaming=streaming)
    if join is not None:
        dataset = Joined(dataset, join)
    found = (columns or Columns()).among(dataset.columns)
    if labels.only and found.label is None:
        raise InputError(
            "only rows whose label is a candidate are wanted, but no column is known to be the "
            f"label; say which, label=…: the columns are {', '.join(dataset.columns)}"
        )
    if dataset.length is None:
        most = limit if labels.only else None
        chosen = None if labels.only else _draw(None, limit, seed)
        return Examples(dataset, found, chosen, sampling_rate, labels, most)
    if labels.only:
        everything = Examples(dataset, found, None, sampling_rate, labels)
        rows = list(_labels_of(everything))
        kept = np.array([position for position, _, is_kept in rows if is_kept], dtype=np.int64)
        if not len(kept):
            raise _none_matches(everything, (label for _, label, _ in rows))
        drawn = _draw(len(kept), limit, seed)
        chosen = kept if drawn is None else kept[drawn]
    else:
        chosen = _draw(dataset.length, limit, seed)
    examples = CountedExamples(dataset, found, chosen, sampling_rate, labels)
    if labels.candidates and found.label is not None and dataset.quick and not labels.only:
        _refuse_unmatched(examples)
    if found.id is not None and dataset.quick:
        seen: set[str] = set()
        for row in dataset.rows([found.id], chosen):
            example = example_of(row, found, None, sampling_rate)
            _refuse_twice(example.id, seen, found)
    return examples


def _draw(length: int | None, limit: int | None, seed: int) -> NDArray[np.int64] | None:
    if limit is None or (length is not None and limit >= length):
        return None
    if length is None:
        return np.arange(limit)
    generator = np.random.default_rng(seed)
    return np.sort(generator.choice(length, limit, replace=False, shuffle=False))


def _labels_of(examples: Examples) -> Iterator[tuple[int, int | str | None, bool]]:
    """Yield position, label, and whether the row is kept; only labels are read."""
    column = examples.columns.label or ""
    labelled = replace(examples, columns=Columns(label=column))
    for row in examples.dataset.rows([column], examples.chosen):
        example = labelled._example(row)
        yield row.position, example.label, labelled._keeps(example)


def _refuse_unmatched(examples: Examples) -> None:
    """Refuse labels none of which is a candidate; reads up to the first that is one."""
    candidates = examples.labels.candidates
    seen: list[int | str] = []
    for _, label, _ in _labels_of(examples):
        if label is not None:
            seen.append(label)
            if not unmatched([label], candidates):
                return
    if seen:
        raise _none_matches(examples, seen)


def _none_matches(examples: Examples, labels: Iterable[int | str | None]) -> InputError:
    where = f" in column {examples.columns.label!r}"
    return InputError(no_match(labels, examples.labels.candidates, where))


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

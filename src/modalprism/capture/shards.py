"""Shards of a store, each of which is whole or absent; docs/capture.md lists the files.

A shard's arrays are written first and its index last. A shard without an index is written again, so
that a run that is killed loses the rows of at most one shard, and repeats none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor

from modalprism.arrays import tensor_array
from modalprism.capture.notices import Notices, ShardNotices
from modalprism.datasets.dataset import whole_digest
from modalprism.errors import InputError
from modalprism.foreign import guarded, parse_json, require_file
from modalprism.progress import Track, silent
from modalprism.remote import present, shown
from modalprism.strict_json import dumps

FORMAT: Final = 1
METADATA_FILE: Final = "store.json"
FINISHED: Final = "finished.json"
REDRAWN: Final = "redrawn"
INDEX: Final = b"modalprism"


@dataclass(frozen=True)
class Shard:
    """A finished shard: its files, rows, checksum (SHA-256 of the arrays' file) and notices.

    The next shard begins at the position `end`. `skipped` lists examples of this stretch that could
    not be used, and why.
    """

    arrays: Path
    index: Path
    rows: int
    checksum: str
    end: int
    skipped: tuple[tuple[str, str], ...]
    notices: ShardNotices

    @classmethod
    def read(cls, folder: Path, number: int) -> Shard | None:
        """Read a shard's index; None where the shard is not finished.

        Raises InputError if the index is damaged.
        """
        arrays, index = paths_of(folder, number)
        if not index.is_file():
            return None
        with _reading(index):
            table = pq.read_metadata(require_file(index).absolute())
            metadata = parse_json(table.metadata[INDEX], f"the metadata of {shown(index)}")
            skipped = tuple((str(name), str(why)) for name, why in metadata["skipped"])
            return cls(
                arrays,
                index,
                table.num_rows,
                str(metadata["checksum"]),
                int(metadata["end"]),
                skipped,
                ShardNotices.read(metadata.get("notices")),
            )

    def arrays_here(self) -> Path:
        """Return the file of the arrays, brought here if it stands elsewhere.

        Raises InputError if it is missing, or not a regular file.
        """
        path = present(self.arrays)
        if not path.exists():
            raise InputError(f"{shown(path)} is missing, but {self.index.name} is there")
        return require_file(path, shown(path))

    def column(self, name: str) -> list[Any]:
        """Read a column of the index."""
        index = require_file(self.index)
        with _reading(index), pq.ParquetFile(index.absolute()) as file:
            cells: list[Any] = file.read(columns=[name]).column(name).to_pylist()
        return cells

    def check(self) -> None:
        """Compare the arrays with their checksum.

        Raises InputError if they are missing, or not what was written.
        """
        found = whole_digest(self.arrays_here())
        if found != self.checksum:
            raise InputError(
                f"{shown(self.arrays)} is not what was written: its checksum is {found[:12]}…, the "
                f"index says {self.checksum[:12]}…; delete {self.index.name} and capture again"
            )


def _reading(index: Path, arrays: Path | None = None) -> AbstractContextManager[None]:
    """Guard the reading of a shard's index, or of its arrays."""
    return guarded(
        f"the index {shown(index)}" if arrays is None else shown(arrays),
        f"if it is damaged or truncated, delete {index.name} and capture again: the other shards "
        "are kept",
    )


def paths_of(folder: Path, number: int) -> tuple[Path, Path]:
    """Return the paths of a shard's arrays and index."""
    name = f"part-{number:05d}"
    return folder / f"{name}.safetensors", folder / f"{name}.parquet"


def finished_shards(folder: Path) -> tuple[Shard, ...]:
    """Read the indices of all shards that are finished, in order."""
    shards: list[Shard] = []
    while (shard := Shard.read(folder, len(shards))) is not None:
        shards.append(shard)
    return tuple(shards)


def _counts_of(shards: Sequence[Shard]) -> dict[str, Any]:
    rows, skipped = sum(shard.rows for shard in shards), sum(len(shard.skipped) for shard in shards)
    return {"rows": rows, "skipped": skipped}


def mark_of(folder: Path) -> str:
    """Return the content of ``finished.json``: counts of the shards, and notices."""
    shards = finished_shards(folder)
    counts = _counts_of(shards)
    written = [shard for shard in shards if shard.rows]
    labels: list[int | str] = []
    if written and "label" in pq.read_schema(written[0].index.absolute()).names:
        labels = [label for shard in written for label in shard.column("label")]
    metadata = read_metadata(folder)
    notices = Notices.of(counts["rows"], (shard.notices for shard in shards), labels, metadata)
    return dumps({**counts, "notices": notices.stored()})


def _mark_in(folder: Path) -> dict[str, Any]:
    """Read ``finished.json``; empty if it is missing or damaged."""
    mark = folder / FINISHED
    if not mark.is_file():
        return {}
    try:
        content = parse_json(mark.read_bytes(), shown(mark))
    except InputError:
        return {}
    return content if isinstance(content, dict) else {}


def is_finished(folder: Path) -> bool:
    """Return whether a capture is finished and all its shards exist."""
    mark = _mark_in(folder)
    return bool(mark) and mark.items() >= _counts_of(finished_shards(folder)).items()


def is_whole(folder: Path, *, redrawn: bool) -> bool:
    """Return whether a capture is finished, with its redrawn pairs if wanted."""
    return is_finished(folder) and (not redrawn or is_finished(folder / REDRAWN))


def read_notices(folder: Path) -> Notices:
    """Read the notices of a finished store; none where it is not finished."""
    return Notices.read(_mark_in(folder).get("notices"))


def read_metadata(folder: Path) -> dict[str, Any]:
    """Read ``store.json``.

    Raises InputError if the folder is no store, or one of another version.
    """
    path = folder / METADATA_FILE
    if not path.is_file():
        raise InputError(f"{shown(folder)} is no store: it has no {METADATA_FILE}")
    with guarded(shown(path)):
        metadata: dict[str, Any] = parse_json(path.read_bytes(), shown(path))
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        found = metadata.get("format") if isinstance(metadata, dict) else None
        raise InputError(
            f"{shown(folder)} has format {found!r}; this version reads format {FORMAT}: "
            "capture again"
        )
    return metadata


@dataclass(frozen=True)
class StoreReader:
    """The arrays of a store's shards, one after another."""

    folder: Path
    shards: tuple[Shard, ...]
    metadata: dict[str, Any]

    def skipped(self) -> list[tuple[str, str]]:
        """Return the examples that could not be used, and why, in the order of the dataset."""
        return [one for shard in finished_shards(self.folder) for one in shard.skipped]

    @classmethod
    def open(cls, folder: Path) -> StoreReader:
        """Open a store that has at least one shard."""
        metadata = read_metadata(folder)
        shards = finished_shards(folder)
        if not any(shard.rows for shard in shards):
            if skipped := [one for shard in shards for one in shard.skipped]:
                raise InputError(
                    f"{shown(folder)} has no rows: all {len(skipped)} examples were skipped, the "
                    f"first of them, {skipped[0][0]!r}, because {skipped[0][1]}"
                )
            raise InputError(
                f"{shown(folder)} has no rows: give the capture an example, or run it to its end"
            )
        return cls(folder, tuple(shard for shard in shards if shard.rows), metadata)

    @property
    def names(self) -> tuple[str, ...]:
        """Arrays, and columns of the index that stand for arrays."""
        with self._opened(self.shards[0]) as file:
            arrays = tuple(file.keys())
        return arrays + tuple(name for name in self._columns() if name != "position")

    def _columns(self) -> list[str]:
        index = self.shards[0].index
        with _reading(index):
            columns: list[str] = pq.read_schema(require_file(index).absolute()).names
            return columns

    @contextmanager
    def _opened(self, shard: Shard) -> Iterator[Any]:
        """Open the arrays of a shard; what fails while they are read is damage."""
        path = shard.arrays_here()
        with _reading(shard.index, path), safe_open(path, framework="pt") as file:
            yield file

    def redrawn(self) -> StoreReader | None:
        """Open the runs on redrawn pairs; None where there are none, or not all yet."""
        folder = self.folder / REDRAWN
        return StoreReader.open(folder) if is_finished(folder) else None

    def fetch(self, track: Track = silent) -> None:
        """Bring all shards here, of a store that stands elsewhere.

        Raises InputError if one cannot be fetched.
        """
        redrawn = self.redrawn()
        shards = self.shards if redrawn is None else (*self.shards, *redrawn.shards)
        missing = [shard.arrays for shard in shards if not shard.arrays.is_file()]
        for path in track(missing, total=len(missing), description=f"fetching {self.folder.name}"):
            present(path)

    def shapes(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """Return the shape and type of every array, without reading it."""
        rows = sum(shard.rows for shard in self.shards)
        with self._opened(self.shards[0]) as file:
            slices = {name: file.get_slice(name) for name in sorted(file.keys())}
            return {
                name: ((rows, *piece.get_shape()[1:]), str(piece.get_dtype()))
                for name, piece in slices.items()
            }

    def pieces(self, name: str) -> Iterator[Tensor]:
        """Yield an array shard by shard, mapped from disk and not copied, as it was written.

        Raises InputError if a shard has no such array, or one of other columns, another type, or
        other rows than its index.
        """
        kinds = set()
        for shard in self.shards:
            with self._opened(shard) as file:
                piece = file.get_tensor(name)
            kinds.add((piece.dtype, *piece.shape[1:]))
            if not piece.ndim or len(piece) != shard.rows or len(kinds) > 1:
                raise InputError(
                    f"the array {name!r} of {shown(shard.arrays)} has shape {tuple(piece.shape)} "
                    f"of {piece.dtype}, which does not fit its index or the other shards; delete "
                    f"{shard.index.name} and capture again"
                )
            yield piece

    def array(self, name: str) -> NDArray[Any]:
        """Read a whole array, or a column of the index, into memory.

        Floating types that NumPy lacks become float32.
        """
        if name not in self._columns():
            return np.concatenate([tensor_array(piece) for piece in self.pieces(name)])
        cells: list[Any] = []
        for shard in self.shards:
            cells += shard.column(name)
        # Of labels in words and numbers a shard may hold numbers alone; the whole does not.
        if any(isinstance(cell, str) for cell in cells):
            cells = list(map(str, cells))
        return np.asarray(cells)

    def check(self) -> None:
        """Compare every shard with its checksum.

        Raises InputError if one differs.
        """
        for shard in self.shards:
            shard.check()
        if redrawn := self.redrawn():
            redrawn.check()

    def digest(self) -> str:
        """Digest of all that the store holds, from the checksums of its shards."""
        digest = hashlib.sha256(dumps(self.metadata, sort_keys=True).encode())
        for shard in self.shards:
            digest.update(shard.checksum.encode())
            digest.update(hashlib.sha256(shard.index.read_bytes()).digest())
        if redrawn := self.redrawn():
            digest.update(redrawn.digest().encode())
        return digest.hexdigest()

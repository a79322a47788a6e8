"""A store that is written while a model runs: a folder of parts, each whole or not there.

======================  ===========================================================================
``store.json``          what the store is: model, adapter, spans, dataset, versions, seed
``part-00000.safetensors``  arrays of the part's rows, named as in `store`
``part-00000.parquet``  a line a row: position in the dataset, id, label, group columns; in its
                        metadata the checksum of the arrays, where the part ends, what was skipped
``finished.json``       how many rows and skipped examples there are, once all are, and the notices
``redrawn/``            a store of the same kind: the model's answers on redrawn pairs
======================  ===========================================================================

A part's arrays are written first and its index last, and either appears whole. A part without its
index was never finished: it is written again. So a run that is killed loses at most the rows of one
part, and doubles none.
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

from modalprism.capture.named_arrays import tensor_array
from modalprism.capture.notices import Notices, PartNotices
from modalprism.errors import InputError
from modalprism.foreign import guarded, parse_json, require_file
from modalprism.progress import Track, silent
from modalprism.remote import present, shown
from modalprism.strict_json import dumps

FORMAT: Final = 1
WORDS: Final = "store.json"
FINISHED: Final = "finished.json"
REDRAWN: Final = "redrawn"
INDEX: Final = b"modalprism"


@dataclass(frozen=True)
class Part:
    """A finished part.

    Attributes
    ----------
    arrays, index : Path
    rows : int
    checksum : str
        SHA-256 of the arrays' file.
    end : int
        The position at which the next part begins.
    skipped : tuple of (str, str)
        Examples of this stretch that could not be used, and why.
    notices : PartNotices
    """

    arrays: Path
    index: Path
    rows: int
    checksum: str
    end: int
    skipped: tuple[tuple[str, str], ...]
    notices: PartNotices

    @classmethod
    def read(cls, folder: Path, number: int) -> Part | None:
        """Read a part's index; None where the part is not finished.

        Raises
        ------
        InputError
            If the index is damaged.
        """
        arrays, index = paths_of(folder, number)
        if not index.is_file():
            return None
        with _reading(index):
            table = pq.read_metadata(require_file(index).absolute())
            words = parse_json(table.metadata[INDEX], f"the metadata of {shown(index)}")
            skipped = tuple((str(name), str(why)) for name, why in words["skipped"])
            return cls(
                arrays,
                index,
                table.num_rows,
                str(words["checksum"]),
                int(words["end"]),
                skipped,
                PartNotices.read(words.get("notices")),
            )

    def arrays_here(self) -> Path:
        """Return the file of the arrays, brought here if it stands elsewhere.

        Raises
        ------
        InputError
            If it is missing, or not a regular file.
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

        Raises
        ------
        InputError
            If they are missing, or not what was written.
        """
        with self.arrays_here().open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != self.checksum:
            raise InputError(
                f"{shown(self.arrays)} is not what was written: its checksum is {found[:12]}…, the "
                f"index says {self.checksum[:12]}…; delete {self.index.name} and capture again"
            )


def _reading(index: Path, arrays: Path | None = None) -> AbstractContextManager[None]:
    """Guard the reading of a part's index, or of its arrays."""
    return guarded(
        f"the index {shown(index)}" if arrays is None else shown(arrays),
        f"if it is damaged or truncated, delete {index.name} and capture again: the other parts "
        "are kept",
    )


def paths_of(folder: Path, number: int) -> tuple[Path, Path]:
    """Return where a part's arrays and its index stand."""
    name = f"part-{number:05d}"
    return folder / f"{name}.safetensors", folder / f"{name}.parquet"


def finished_parts(folder: Path) -> tuple[Part, ...]:
    """Read the indices of all parts that are finished, in order."""
    parts: list[Part] = []
    while (part := Part.read(folder, len(parts))) is not None:
        parts.append(part)
    return tuple(parts)


def _counts_of(parts: Sequence[Part]) -> dict[str, Any]:
    rows, skipped = sum(part.rows for part in parts), sum(len(part.skipped) for part in parts)
    return {"rows": rows, "skipped": skipped}


def mark_of(folder: Path) -> str:
    """Return the mark of a finished store: the counts of its parts, and their notices."""
    parts = finished_parts(folder)
    counts = _counts_of(parts)
    written = [part for part in parts if part.rows]
    labels: list[int | str] = []
    if written and "label" in pq.read_schema(written[0].index.absolute()).names:
        labels = [label for part in written for label in part.column("label")]
    words = read_words(folder)
    notices = Notices.of(counts["rows"], (part.notices for part in parts), labels, words)
    return dumps({**counts, "notices": notices.said()})


def _mark_in(folder: Path) -> dict[str, Any]:
    """Read the mark of a finished store; empty where there is none, or it is damaged."""
    mark = folder / FINISHED
    if not mark.is_file():
        return {}
    try:
        content = parse_json(mark.read_bytes(), shown(mark))
    except InputError:
        return {}
    return content if isinstance(content, dict) else {}


def is_finished(folder: Path) -> bool:
    """Tell whether a capture into this folder came to its end, and all its parts are there."""
    mark = _mark_in(folder)
    return bool(mark) and mark.items() >= _counts_of(finished_parts(folder)).items()


def is_whole(folder: Path, *, redrawn: bool) -> bool:
    """Tell whether a capture is finished, with its redrawn pairs if they are wanted."""
    return is_finished(folder) and (not redrawn or is_finished(folder / REDRAWN))


def read_notices(folder: Path) -> Notices:
    """Read the notices of a finished store; none where it is not finished."""
    return Notices.read(_mark_in(folder).get("notices"))


def read_words(folder: Path) -> dict[str, Any]:
    """Read what a store says of itself.

    Raises
    ------
    InputError
        If the folder is no store, or one of another version.
    """
    path = folder / WORDS
    if not path.is_file():
        raise InputError(f"{shown(folder)} is no store: it has no {WORDS}")
    with guarded(shown(path)):
        words: dict[str, Any] = parse_json(path.read_bytes(), shown(path))
    if not isinstance(words, dict) or words.get("format") != FORMAT:
        found = words.get("format") if isinstance(words, dict) else None
        raise InputError(
            f"{shown(folder)} has format {found!r}; this version reads format {FORMAT}: "
            "capture again"
        )
    return words


@dataclass(frozen=True)
class PartsReader:
    """The arrays of a store's parts, one after another.

    Attributes
    ----------
    folder : Path
    parts : tuple of Part
    words : dict
    """

    folder: Path
    parts: tuple[Part, ...]
    words: dict[str, Any]

    def skipped(self) -> list[tuple[str, str]]:
        """Return the examples that could not be used, and why, in the order of the dataset."""
        return [one for part in finished_parts(self.folder) for one in part.skipped]

    @classmethod
    def open(cls, folder: Path) -> PartsReader:
        """Open a store that has at least one part.

        Raises
        ------
        InputError
            If there is none, or the store is damaged or of another version.
        """
        words = read_words(folder)
        parts = finished_parts(folder)
        if not any(part.rows for part in parts):
            if skipped := [one for part in parts for one in part.skipped]:
                raise InputError(
                    f"{shown(folder)} has no rows: all {len(skipped)} examples were skipped, the "
                    f"first of them, {skipped[0][0]!r}, because {skipped[0][1]}"
                )
            raise InputError(
                f"{shown(folder)} has no rows: give the capture an example, or run it to its end"
            )
        return cls(folder, tuple(part for part in parts if part.rows), words)

    @property
    def names(self) -> tuple[str, ...]:
        """Arrays, and columns of the index that stand for arrays."""
        with self._opened(self.parts[0]) as file:
            arrays = tuple(file.keys())
        return arrays + tuple(name for name in self._columns() if name != "position")

    def _columns(self) -> list[str]:
        index = self.parts[0].index
        with _reading(index):
            columns: list[str] = pq.read_schema(require_file(index).absolute()).names
            return columns

    @contextmanager
    def _opened(self, part: Part) -> Iterator[Any]:
        """Open the arrays of a part; what fails while they are read is damage."""
        path = part.arrays_here()
        with _reading(part.index, path), safe_open(path, framework="pt") as file:
            yield file

    def redrawn(self) -> PartsReader | None:
        """Open the runs on redrawn pairs; None where there are none, or not all yet."""
        folder = self.folder / REDRAWN
        return PartsReader.open(folder) if is_finished(folder) else None

    def fetch(self, track: Track = silent) -> None:
        """Bring all parts here, of a store that stands elsewhere.

        Raises
        ------
        InputError
            If one cannot be fetched.
        """
        redrawn = self.redrawn()
        parts = self.parts if redrawn is None else (*self.parts, *redrawn.parts)
        missing = [part.arrays for part in parts if not part.arrays.is_file()]
        for path in track(missing, total=len(missing), description=f"fetching {self.folder.name}"):
            present(path)

    def shapes(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """Return the shape and type of every array, without reading it."""
        rows = sum(part.rows for part in self.parts)
        with self._opened(self.parts[0]) as file:
            slices = {name: file.get_slice(name) for name in sorted(file.keys())}
            return {
                name: ((rows, *piece.get_shape()[1:]), str(piece.get_dtype()))
                for name, piece in slices.items()
            }

    def pieces(self, name: str) -> Iterator[Tensor]:
        """Yield an array part by part, mapped from disk and not copied, as it was written.

        Raises
        ------
        InputError
            If a part has no such array, or one of other columns, another type, or other rows than
            its index.
        """
        kinds = set()
        for part in self.parts:
            with self._opened(part) as file:
                piece = file.get_tensor(name)
            kinds.add((piece.dtype, *piece.shape[1:]))
            if not piece.ndim or len(piece) != part.rows or len(kinds) > 1:
                raise InputError(
                    f"the array {name!r} of {shown(part.arrays)} has shape {tuple(piece.shape)} of "
                    f"{piece.dtype}, which does not fit its index or the other parts; delete "
                    f"{part.index.name} and capture again"
                )
            yield piece

    def array(self, name: str) -> NDArray[Any]:
        """Read a whole array, or a column of the index, into memory.

        Floating types that NumPy lacks become float32.
        """
        if name not in self._columns():
            return np.concatenate([tensor_array(piece) for piece in self.pieces(name)])
        cells: list[Any] = []
        for part in self.parts:
            cells += part.column(name)
        # Of labels in words and numbers a part may hold numbers alone; the whole does not.
        if any(isinstance(cell, str) for cell in cells):
            cells = list(map(str, cells))
        return np.asarray(cells)

    def check(self) -> None:
        """Compare every part with its checksum.

        Raises
        ------
        InputError
            If one differs.
        """
        for part in self.parts:
            part.check()
        if redrawn := self.redrawn():
            redrawn.check()

    def digest(self) -> str:
        """Digest of all that the store holds, from the checksums of its parts."""
        digest = hashlib.sha256(dumps(self.words, sort_keys=True).encode())
        for part in self.parts:
            digest.update(part.checksum.encode())
            digest.update(hashlib.sha256(part.index.read_bytes()).digest())
        if redrawn := self.redrawn():
            digest.update(redrawn.digest().encode())
        return digest.hexdigest()

"""Base class of datasets, rows with columns in a fixed order, and the example made of a row."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from modalprism.errors import InputError
from modalprism.suggest import listed

T = TypeVar("T")

PICTURE_SUFFIXES: Final = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
)
SOUND_SUFFIXES: Final = frozenset({".wav"})
SPLITS: Final = frozenset({"train", "training", "validation", "valid", "val", "dev", "test"})
"""Usual names of a dataset's parts."""
_END: Final = 2**20


@dataclass(frozen=True)
class Row:
    """One row, before anything in it is decoded.

    `id` is the dataset's own name of it. Values are words, numbers, names of files, bytes, or
    functions that read bytes; `broken` says why there are none.
    """

    position: int
    id: str
    values: Mapping[str, Any] = field(default_factory=dict)
    broken: str = ""


class Dataset(ABC):
    """Rows of one dataset; reading starts anew with every call of `rows`.

    `length` is None where it is not known. File names in the rows are relative to the folder
    `root`, and never leave it. `quick` says whether a column is read without the others, so that
    all ids can be checked first.
    """

    columns: tuple[str, ...] = ()
    length: int | None = None
    root: Path | None = None
    quick: bool = True

    @abstractmethod
    def rows(self, columns: Sequence[str], chosen: NDArray[np.int64] | None) -> Iterator[Row]:
        """Yield the rows at the chosen positions (ascending), or all, with at least `columns`."""

    @abstractmethod
    def digest(self) -> str:
        """Return a hash of the content, independent of paths and times of files."""

    def file_columns(self, columns: Sequence[str]) -> tuple[str, ...]:  # noqa: ARG002
        """Return those of `columns` whose values may name files."""
        return ()


def pick(rows: Iterable[T], chosen: NDArray[np.int64] | None) -> Iterator[tuple[int, T]]:
    """Number rows, and keep those at the chosen positions (ascending), or all.

    Examples
    --------
    >>> list(pick("abcd", np.array([1, 3])))
    [(1, 'b'), (3, 'd')]
    """
    if chosen is None:
        yield from enumerate(rows)
        return
    places = iter(chosen.tolist())
    place = next(places, None)
    for position, row in enumerate(rows):
        if position == place:
            yield position, row
            place = next(places, None)
            if place is None:
                return  # before the next is read: of a stream that may take long, or fail


def chosen_split(split: str | None, splits: Sequence[str], where: str | Path) -> str:
    """Return the split that is asked for, or the only one there is."""
    if split is None and len(splits) == 1:
        return splits[0]
    if split is None or (splits and split not in splits):
        problem = "several splits" if split is None else f"no split {split!r}"
        raise InputError(
            f"{where} has {problem}; choose split from {listed(splits) if splits else 'its own'}",
            parameter="split",
        )
    return split


def printable(name: str) -> str:
    r"""Return a file's name as printable text, even if it is not in UTF-8.

    Examples
    --------
    >>> printable("caf\udce9.png")
    'caf\\xe9.png'
    """
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def whole_digest(path: Path) -> str:
    """Hash all of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def ends_digest(path: Path) -> str:
    """Hash a file's name, its size, and its first and last MiB."""
    size = path.stat().st_size
    digest = hashlib.sha256(f"{path.name} {size} ".encode())
    with path.open("rb") as file:
        digest.update(file.read(_END))
        file.seek(max(size - _END, 0))
        digest.update(file.read(_END))
    return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Example:
    """Inputs of a model by modality, with id, label and groups.

    Attributes
    ----------
    id : str
        Names the example in indices and messages; no two are the same.
    inputs : mapping of modality to value
        A picture is a PIL image in RGB, a text a string, audio an array of float32, shape
        (samples,), at the rate that the model wants.
    label : int or str, optional
        The right answer.
    groups : mapping of column to value
        Examples that share a value never straddle folds: the same patient, picture or question.

    Examples
    --------
    >>> Example("7", {"text": "a cat"}, label="cat").label
    'cat'
    """

    id: str
    inputs: Mapping[str, Any]
    label: int | str | None = None
    groups: Mapping[str, str] = field(default_factory=dict)

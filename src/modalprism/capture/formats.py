"""The kinds of file and folder that hold named arrays; each array is read when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from unicodedata import category

from numpy.typing import NDArray
from safetensors import safe_open

from modalprism.capture.hdf5_arrays import open_hdf5
from modalprism.capture.named_arrays import NamedArrays, tensor_array
from modalprism.capture.parquet_arrays import open_parquet
from modalprism.capture.parts import REDRAWN, WORDS, PartsReader, read_notices
from modalprism.capture.zarr_arrays import open_zarr
from modalprism.datasets.arrays import open_archive
from modalprism.errors import InputError
from modalprism.foreign import (
    WRITE_AGAIN,
    guarded,
    parse_json,
    repeated_name,
    require_file,
    require_room,
)
from modalprism.remote import shown
from modalprism.strict_json import dumps

HEADER: Final = "modalprism"
_ODD: Final = {"Cc", "Cs"}
Opener = Callable[[Path], AbstractContextManager[NamedArrays]]


@contextmanager
def opened(path: Path) -> Iterator[NamedArrays]:
    """Open a file or folder of named arrays.

    Raises
    ------
    InputError
        If it does not exist, is none of those that can be read, or is damaged.
    """
    opener = _opener_of(path)
    with ExitStack() as stack:
        with guarded(shown(path), WRITE_AGAIN):
            arrays = stack.enter_context(opener(path))
        yield arrays


def names_of(arrays: NamedArrays, path: Path) -> tuple[str, ...]:
    """Return the names of all arrays of an open file.

    Raises
    ------
    InputError
        If the file is damaged, a name cannot be printed, or two arrays have the same.
    """
    with guarded(shown(path), WRITE_AGAIN):
        names = tuple(arrays.names())
    if odd := next((name for name in names if any(category(c) in _ODD for c in name)), None):
        raise InputError(f"{shown(path)} has an array of the name {odd!a}; use printable names")
    if (twice := repeated_name(names)) is not None:
        raise InputError(f"{shown(path)} has two arrays of the name {twice!r}; names must differ")
    return names


@contextmanager
def _npz(path: Path) -> Iterator[NamedArrays]:
    with open_archive(path) as archive:
        yield NamedArrays(lambda: archive.files, lambda name, _: archive[name])


@contextmanager
def _safetensors(path: Path) -> Iterator[NamedArrays]:
    # Through torch, since NumPy has no bfloat16.
    with safe_open(path, framework="pt") as file:

        def read(name: str, what: str) -> NDArray[Any]:
            require_room(max(file.get_slice(name).get_shape(), default=0), what)
            return tensor_array(file.get_tensor(name))

        header = file.metadata() or {}
        words = parse_json(header[HEADER], "its metadata") if HEADER in header else header
        yield NamedArrays(file.keys, read, _as_words(words))


def _as_words(metadata: Any) -> dict[str, str]:
    """Return what a writer noted as words; what is no word is written as JSON."""
    if not isinstance(metadata, Mapping):
        raise ValueError("its metadata are not a JSON object")
    return {
        str(key): value if isinstance(value, str) else dumps(value)
        for key, value in metadata.items()
    }


@contextmanager
def _parts(path: Path) -> Iterator[NamedArrays]:
    reader = PartsReader.open(path)
    redrawn = reader.redrawn()
    also = () if redrawn is None else (name for name in redrawn.names if name != "id")
    # Whose input a redrawn run was given, its index says in group columns.
    names = [*reader.names, *(f"{REDRAWN}/{name.removeprefix('group/')}" for name in also)]

    def read(name: str, _: str) -> NDArray[Any]:
        own = name.removeprefix(f"{REDRAWN}/")
        if own == name or redrawn is None:
            return reader.array(name)
        return redrawn.array(own if own in redrawn.names else f"group/{own}")

    said = read_notices(path).said()
    yield NamedArrays(
        lambda: names, read, _as_words(reader.words | ({"notices": said} if said else {}))
    )


FORMATS: Final[dict[str, Opener]] = {
    ".npz": _npz,
    ".safetensors": _safetensors,
    ".parquet": open_parquet,
    ".h5": open_hdf5,
    ".hdf5": open_hdf5,
    ".zarr": open_zarr,
}


def _opener_of(path: Path) -> Opener:
    if path.is_dir():
        return _parts if path.suffix != ".zarr" or (path / WORDS).is_file() else open_zarr
    if path.suffix not in FORMATS and path.exists():
        raise InputError(
            f"{shown(path)} is neither a store nor one of {', '.join(FORMATS)}; save named arrays "
            "in one of them"
        )
    require_file(path, shown(path))
    return FORMATS[path.suffix]

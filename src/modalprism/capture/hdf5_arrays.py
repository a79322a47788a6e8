"""Embeddings in HDF5 files, read in a separate process (`modalprism.isolation`)."""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from modalprism import isolation
from modalprism.capture.named_arrays import NamedArrays
from modalprism.errors import InputError
from modalprism.foreign import require_room
from modalprism.remote import shown
from modalprism.strict_json import dumps

_CHILD: Final = "modalprism.capture.hdf5_child"


@contextmanager
def open_hdf5(path: Path) -> Iterator[NamedArrays]:
    """Open an HDF5 file; an array's name is its path in it."""
    if importlib.util.find_spec("h5py") is None:
        raise InputError(
            "HDF5 files need h5py; run pip install 'modalprism[formats]', or save .npz"
        )
    with isolation.start(_CHILD, str(path.absolute())) as child:
        try:
            yield NamedArrays(
                lambda: _request(child, None, shown(path))["names"],
                lambda name, what: _array(child, name, what),
            )
        finally:
            child.kill()


def _request(child: subprocess.Popen[bytes], name: str | None, what: str) -> dict[str, Any]:
    to_child = cast(IO[bytes], child.stdin)
    with suppress(BrokenPipeError):  # the child ended; reading says so
        to_child.write(dumps(name).encode() + b"\n")
        to_child.flush()
    return _answer(child, what)


def _answer(child: subprocess.Popen[bytes], what: str) -> dict[str, Any]:
    line = cast(IO[bytes], child.stdout).readline()
    if not line:
        raise ValueError(
            f"the HDF5 library crashed on it, or took longer than {isolation.PATIENCE:g} s"
        )
    answer: dict[str, Any] = json.loads(line)
    if "refused" in answer:
        raise InputError(f"{what} cannot be read: {answer['refused']}")
    if "error" in answer:
        raise ValueError(answer["error"])
    return answer


def _array(child: subprocess.Popen[bytes], name: str, what: str) -> NDArray[Any]:
    header = _request(child, name, what)
    shape = tuple(header["shape"])
    if header["dtype"] is None:
        words: list[str] = []
        while len(words) < math.prod(shape):
            words += _answer(child, what)["words"]
        found = np.empty(len(words), dtype=object)
        found[:] = words
        return found.reshape(shape)
    dtype = np.dtype(header["dtype"])
    require_room(math.prod(shape) * dtype.itemsize, what)
    array = np.empty(shape, dtype)
    rest = memoryview(array.reshape(-1).view(np.uint8).data) if array.nbytes else memoryview(b"")
    while rest:
        size = _answer(child, what)["bytes"]
        while size:
            read = child.stdout.readinto(rest[:size])  # type: ignore[union-attr]
            if not read:
                raise ValueError("the HDF5 library crashed on it")
            size, rest = size - read, rest[read:]
    return array

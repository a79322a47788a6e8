"""NumPy files, ``.npy`` and ``.npz``; pickled objects are never loaded."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from numpy.lib import format as npy
from numpy.typing import NDArray

from modalprism.errors import InputError
from modalprism.foreign import WRITE_AGAIN, guarded, require_file, require_room

_SUFFIX: Final = ".npy"
_MAGIC: Final = {_SUFFIX: npy.MAGIC_PREFIX, ".npz": b"PK"}
_HEADERS: Final = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
}


def load_array(path: Path) -> NDArray[Any]:
    """Read a ``.npy`` file.

    Raises InputError if it is missing, damaged, holds Python objects, or is a ``.npz`` file.
    """
    with guarded(path, WRITE_AGAIN), require_file(path).open("rb") as file:
        _refuse_other(file, _SUFFIX, path)
        return _read(file, path.stat().st_size, str(path))


@dataclass(frozen=True)
class Archive:
    """An open ``.npz`` file with the names of its arrays."""

    path: Path
    zipped: zipfile.ZipFile
    files: tuple[str, ...]

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Read an array.

        Raises InputError if it is damaged, no array, or holds Python objects.
        """
        with guarded(f"the array {name!r} of {self.path}", WRITE_AGAIN):
            member = self.zipped.getinfo(f"{name}{_SUFFIX}")
            with self.zipped.open(member) as file:
                return _read(file, member.file_size, f"the array {name!r} of {self.path}")


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a ``.npz`` file.

    Raises InputError if it is missing, damaged, holds something that is no array, or is a ``.npy``
    file.
    """
    with require_file(path).open("rb") as file:
        with guarded(path, WRITE_AGAIN):
            _refuse_other(file, ".npz", path)
            zipped = zipfile.ZipFile(file)
        names = zipped.namelist()
        if other := [name for name in names if not name.endswith(_SUFFIX)]:
            raise InputError(
                f"{path} holds {other[0]!r}, which is no array; keep only arrays in it (np.savez)"
            )
        yield Archive(path, zipped, tuple(name.removesuffix(_SUFFIX) for name in names))


def _refuse_other(file: IO[bytes], suffix: str, path: Path) -> None:
    """Refuse an ``.npz`` file named ``.npy``, and the reverse."""
    begin = file.read(8)
    file.seek(0)
    for kind, magic in _MAGIC.items():
        if begin.startswith(magic) and kind != suffix:
            raise InputError(f"{path} cannot be read: it holds {kind}; name it so")


def _read(file: IO[bytes], size: int, what: str) -> NDArray[Any]:
    """Read an array from a file of `size` bytes after checking its header."""
    version = npy.read_magic(file)
    if version not in _HEADERS:
        raise InputError(f"{what} is of a structured type; save numbers or words")
    shape, _, dtype = _HEADERS[version](file)
    if dtype.hasobject:
        raise InputError(f"{what} cannot be read: it holds pickled objects; save numbers or words")
    claimed = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or claimed > size:
        raise ValueError(f"its header says {dtype} of shape {shape}, but it has {size:,} bytes")
    require_room(max(claimed, *shape, 0), what)  # rows without columns take no bytes, but time
    file.seek(0)
    array: NDArray[Any] = npy.read_array(file, allow_pickle=False)
    return array

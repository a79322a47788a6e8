"""Program that reads an HDF5 file in a separate process, since the library can crash or hang.

Every line of standard input is a name in JSON, or ``null`` for all names. Answers are lines of JSON
with ``names``, ``error``, ``refused``, or ``shape`` and ``dtype``; blocks follow the latter, either
``{"bytes": n}`` and n bytes, or ``{"words": […]}``.
"""

from __future__ import annotations

import importlib
import json
import math
import posixpath
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import h5py
import numpy as np

from modalprism.errors import InputError
from modalprism.foreign import reason_of, require_chunks
from modalprism.isolation import alive, limit_memory, resting
from modalprism.strict_json import dumps

_DEEPEST: Final = 50
_MOST_LINKS: Final = 10
_BLOCK: Final = 2**24  # bytes that are read in one step


def main() -> None:
    """Answer requests until standard input ends."""
    path = sys.argv[1]
    limit_memory()
    with suppress(ImportError):
        importlib.import_module("hdf5plugin")  # more compression filters, where it is installed
    file = None
    for line in sys.stdin:
        alive()
        try:
            file = file or h5py.File(path, "r")
            name = json.loads(line)
            if name is None:
                _reply({"names": list(_names(file))})
            else:
                _send(_dataset(file, name))
        except InputError as error:
            _reply({"refused": str(error)})
        except Exception as error:  # noqa: BLE001, whatever it is, the other process says it
            _reply({"error": reason_of(error)})
        resting()


def _reply(words: dict[str, Any]) -> None:
    sys.stdout.buffer.write(dumps(words).encode() + b"\n")
    sys.stdout.buffer.flush()


def _names(file: h5py.File) -> Iterator[str]:
    """Yield the names of all arrays; links to other files are among them, and refused when read."""
    seen = {file["/"]}
    waiting = [("", file["/"], 0)]
    while waiting:
        prefix, group, depth = waiting.pop()
        alive()
        for key in group:
            name = f"{prefix}{key}"
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                try:
                    if isinstance(_dataset(file, name), h5py.Dataset):
                        yield name
                except InputError:
                    yield name
                except KeyError:
                    pass  # the link leads nowhere
                continue
            kind = group.get(key, getclass=True)
            if kind is h5py.Dataset:
                yield name
            elif kind is h5py.Group and (inner := group[key]) not in seen:
                if depth == _DEEPEST:
                    raise InputError(f"its groups nest deeper than {_DEEPEST} levels")
                seen.add(inner)
                waiting.append((f"{name}/", inner, depth + 1))


def _dataset(file: h5py.File, name: str, links: int = _MOST_LINKS) -> Any:
    """Open an array by its path; soft links are followed inside of the file only."""
    place: Any = file["/"]
    parts = [part for part in name.split("/") if part not in {"", "."}]
    for index, part in enumerate(parts):
        link = place.get(part, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise InputError(f"it is a link to another file, {link.filename!r}; write a copy of it")
        if isinstance(link, h5py.SoftLink):
            if not links:
                raise InputError("its links lead in a circle")
            target = posixpath.join(*parts[:index], link.path, *parts[index + 1 :])
            return _dataset(file, target, links - 1)
        place = place[part]
    return place


def _send(array: Any) -> None:
    _check(array)
    names = h5py.check_enum_dtype(array.dtype)
    by_value = None if names is None else {value: name for name, value in names.items()}
    row = max(1, math.prod(array.shape[1:]) * array.dtype.itemsize)
    unit = int(array.chunks[0]) if array.chunks else 1
    step = unit * max(1, _BLOCK // (row * unit))  # whole chunks
    count = array.shape[0] if array.shape else 1
    for begin in range(0, max(count, 1), step):
        block = np.asarray(array[begin : begin + step] if array.shape else array[()])
        words = by_value is not None or block.dtype.kind == "O"
        if not begin:
            shape = array.shape[:1] + block.shape[1:] if array.shape else ()
            _reply({"shape": shape, "dtype": None if words else block.dtype.str})
        if by_value is not None:  # a value without a name was never written
            _reply({"words": [by_value.get(int(value), "") for value in block.ravel()]})
        elif words:
            _reply({"words": [bytes(value).decode() for value in block.ravel()]})
        else:
            _reply({"bytes": block.nbytes})
            sys.stdout.buffer.write(np.ascontiguousarray(block).tobytes())
            sys.stdout.buffer.flush()
        alive()


def _check(array: Any) -> None:
    """Refuse what is not an array of numbers or words in this file, before it is read."""
    if not isinstance(array, h5py.Dataset) or array.shape is None:
        raise InputError("it is no array")
    if array.external:
        raise InputError(f"its values lie in another file, {array.external[0][0]!r}; write a copy")
    if array.is_virtual:
        raise InputError("it is a virtual dataset, made of others; write a copy of it")
    kind = array.dtype
    if h5py.check_ref_dtype(kind) is not None:
        raise InputError("it holds references to other arrays, neither numbers nor words")
    if kind.kind == "O" and h5py.check_string_dtype(kind) is None:
        raise InputError("it holds lists of different lengths; give every row equally many numbers")
    require_chunks(array.shape, array.chunks or array.shape, kind.itemsize, "it")


if __name__ == "__main__":
    main()

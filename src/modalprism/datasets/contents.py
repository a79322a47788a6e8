"""Contents of a cell: text, bytes, or the bytes of the file that it names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from modalprism.errors import InputError
from modalprism.foreign import guarded, one_line, require_file, require_room

_LONGEST_NAME: Final = 100


def is_empty(value: Any) -> bool:
    """Return whether a cell is missing: None, NaN, NaT, NA or white space.

    Examples
    --------
    >>> is_empty(None), is_empty(float("nan")), is_empty(" "), is_empty(b""), is_empty(0)
    (True, True, True, True, False)
    """
    if isinstance(value, str | bytes):
        return not value.strip()
    differs = value != value
    if isinstance(differs, bool | np.bool_):
        return value is None or bool(differs)  # NaN and NaT differ from themselves
    return differs is value  # what pandas' NA says; an array gives an array


def unwrapped(value: Any) -> Any:
    """Return the content of a cell: its ``bytes`` or ``path``, or the only item of a list."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, Mapping) and ("bytes" in value or "path" in value):
        value = value.get("bytes") or value.get("path")
    return value


def word_of(value: Any) -> Any:
    """Return a cell as text or number: bytes are decoded, whole floats become int."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        try:
            return value.decode().strip()
        except UnicodeDecodeError:
            return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def text_of(value: Any) -> str:
    """Return a cell's text.

    Raises InputError if it is empty, or neither a word nor a number.
    """
    value = word_of(value)
    if is_empty(value):
        raise InputError("it is empty")
    if not isinstance(value, str | int | float):
        raise InputError(f"it is {type(value).__name__}, no text")
    return str(value)


def content_of(value: Any, root: Path | None) -> bytes:
    """Return the bytes of a picture or recording.

    `value` is bytes, a mapping with ``bytes`` or ``path``, a function that reads bytes, the name of
    a file in `root`, or a list of one of these. Raises InputError if there is nothing, the file is
    missing or outside of `root`, or the value is another.
    """
    value = unwrapped(value)
    if is_empty(value):
        raise InputError("it is empty")
    if isinstance(value, bytes):
        return value
    if callable(value):
        with guarded("the file"):
            return bytes(value())
    if isinstance(value, str):
        name = one_line(value, _LONGEST_NAME)
        path = require_file(file_inside(root, value), name)
        require_room(path.stat().st_size, f"the file {name}")
        with guarded(f"the file {name}"):
            return path.read_bytes()
    if isinstance(value, list):
        raise InputError(f"it is a list of {len(value)}; a modality takes one")
    raise InputError(f"it is {type(value).__name__}, neither bytes nor the name of a file")


def file_inside(root: Path | None, name: str) -> Path:
    """Return the path of a file that is named relative to a folder.

    Links are followed, since caches of datasets are made of them.

    Raises InputError if there is no folder, or the name leads out of it.

    Examples
    --------
    >>> file_inside(Path("data"), "cats/1.png").as_posix()
    'data/cats/1.png'
    """
    if root is None:
        raise InputError(f"it names a file, {name!r}, but no files stand beside this dataset")
    path = Path(name)
    if ".." in path.parts or (path.is_absolute() and not path.is_relative_to(root.absolute())):
        raise InputError(f"the file {name} is outside of {root}; name files relative to it")
    if "\0" in name:
        raise InputError(f"{name!r} is no name of a file")
    return root / path

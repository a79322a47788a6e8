"""NumPy's files, without pickles; a file that is not what its name says is refused."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

DAMAGE: Final = (
    ValueError,
    OSError,
    EOFError,
    NotImplementedError,
    SyntaxError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""All that NumPy raises when a file is damaged, truncated, of another kind, or pickled."""


def load_array(path: Path) -> NDArray[Any]:
    """Read a ``.npy`` file; what it raises is in `DAMAGE`."""
    with path.open("rb") as file:
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, NpzFile):
            raise ValueError("it holds .npz: name it so")
        array: NDArray[Any] = loaded
        return array


@contextmanager
def open_archive(path: Path) -> Iterator[NpzFile]:
    """Open a ``.npz`` file; what it raises, then or when an array is read, is in `DAMAGE`."""
    with path.open("rb") as file:
        loaded = np.load(file, allow_pickle=False)
        if not isinstance(loaded, NpzFile):
            raise ValueError("it holds .npy, one array without a name: name it so, or use savez")
        yield loaded

"""Held-out log-odds of every row, on disk while the analysis lasts."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modalprism.errors import InputError

KINDS = 4
"""Log-odds of the first source, of the second, of both, and what products add."""


@contextmanager
def scratch_folder(place: Path | None) -> Iterator[Path]:
    """Make a folder that goes away again."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="modalprism-", dir=place)
    except OSError as error:
        raise InputError(
            f"no folder can be made in {place or tempfile.gettempdir()} ({error.strerror}); name "
            "another one, Streaming(folder=…)"
        ) from error
    with folder as path:
        yield Path(path)


def written(path: Path, blocks: Iterator[NDArray[np.float32]], classes: int) -> NDArray[np.float32]:
    """Write blocks (b, 4, C) one after another, and return all of them, mapped, (n, 4, C).

    Written as a file is, not into a map of it: a full disk then raises an error, and does not kill
    the process.

    Raises
    ------
    InputError
        If the disk is full.
    """
    rows = 0
    try:
        with path.open("wb") as file:
            for block in blocks:
                file.write(np.ascontiguousarray(block).data)
                rows += len(block)
    except OSError as error:
        raise InputError(
            f"the log-odds of {rows:,} rows are in {path.parent}, and no more can be written there "
            f"({error.strerror}); free some space, or name another folder, Streaming(folder=…)"
        ) from error
    return np.memmap(path, np.float32, "r", shape=(rows, KINDS, classes))

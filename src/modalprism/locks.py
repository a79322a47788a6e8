"""One process at a time writes into a folder.

The operating system holds the lock and releases it when the process ends, however it ends. So a
lock of a dead process is taken over without a check, and nothing has to be deleted by hand.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from modalprism.errors import InputError

LOCK_FILE: Final = ".lock"
"""The file that is locked, in the folder itself; it stays there, and says who had it last."""
_LONGEST_HOLDER: Final = 200


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold a folder for this process while the block runs; the folder is made if it is missing.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    InputError
        If another process, or another thread of this one, holds it.
    OSError
        If the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, exclusive(Path(folder)):
    ...     with exclusive(Path(folder)):
    ...         pass
    Traceback (most recent call last):
    modalprism.errors.InputError: another process (process ... on ...) writes into ...
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK_FILE
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise InputError(
            f"another process ({_holder(path)}) writes into {folder}; wait until it ends, or "
            "choose another folder"
        ) from error
    try:
        path.write_text(f"process {os.getpid()} on {socket.gethostname()}", "utf-8")
        yield
    finally:
        lock.release()


def _holder(path: Path) -> str:
    """Return who holds a lock, in words; Windows does not let others read a locked file."""
    try:
        words = path.read_bytes()[:_LONGEST_HOLDER].decode("utf-8", "replace")
    except OSError:
        words = ""
    return "".join(c for c in words if c.isprintable()) or "of unknown number"

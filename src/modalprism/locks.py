"""Lock of a folder: one process at a time writes into it.

The operating system releases the lock when the process ends, however it ends.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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

    Raises InputError if another process, or another thread of this one, holds it; OSError if the
    folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK_FILE
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        holder = ""
        with suppress(OSError):  # Windows does not let others read a locked file
            holder = path.read_bytes()[:_LONGEST_HOLDER].decode("utf-8", "replace")
        holder = "".join(filter(str.isprintable, holder)) or "of unknown number"
        raise InputError(
            f"another process ({holder}) writes into {folder}; wait until it ends, or choose "
            "another folder"
        ) from error
    try:
        path.write_text(f"process {os.getpid()} on {socket.gethostname()}", "utf-8")
        yield
    finally:
        lock.release()

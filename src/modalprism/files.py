"""Files that appear whole or not at all.

Content is written beside its place and then moved there, so that a run that is killed, or a disk
that fills, leaves the file that was there before.
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """Where what can be made or fetched again is kept: ``$MODALPRISM_CACHE``, or the user's own."""
    chosen = os.environ.get("MODALPRISM_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("modalprism")


def write_whole(path: Path, content: bytes | str) -> None:
    """Write `content` to `path`, making its folder; text is UTF-8.

    Raises
    ------
    OSError
        If the disk is full, or the place cannot be written; it names the file that was wanted, and
        nothing is left behind.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder) / "a" / "b.txt", "words")
    ...     (Path(folder) / "a" / "b.txt").read_text()
    'words'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(content if isinstance(content, bytes) else content.encode())
        partial.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        if partial.is_file():
            partial.unlink()

"""Which files of a run may be had, and their content: a short list of names, and nothing else."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from modalprism.reports.page import FIGURES_FOLDER, REPORT_FILE
from modalprism.serve.folder import STUDY_FILE, Run
from modalprism.studies.profile import MANIFEST_FILE, PROFILE_FILE

TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".tex": "text/plain; charset=utf-8",
    ".yaml": "application/yaml; charset=utf-8",
}
_NAMED: Final = (REPORT_FILE, PROFILE_FILE, MANIFEST_FILE, STUDY_FILE)
_FOLDERS: Final = {
    FIGURES_FOLDER: re.compile(r"[A-Za-z0-9_-]+\.(?:svg|pdf|png)"),
    "tables": re.compile(r"[A-Za-z0-9_-]+\.(?:tex|md)"),
}


def offered(run: Run) -> dict[str, Path]:
    """List the files of a run that may be had, by the names that ask for them.

    A name is looked up here and never joined to a path, so no name can lead anywhere else.
    """
    files = {name: run.path / name for name in _NAMED if _is_own(run.path / name, stat.S_ISREG)}
    for name, pattern in _FOLDERS.items():
        for path in _within(run.path / name):
            if pattern.fullmatch(path.name) and _is_own(path, stat.S_ISREG):
                files[f"{name}/{path.name}"] = path
    return files


def content(path: Path) -> bytes:
    """Read a file that `offered` has named.

    Raises
    ------
    OSError
        If it is gone, or has become a link or something else that is no file.
    """
    # O_NONBLOCK: what has become a pipe in this moment must not hold the page.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(f"{path} is no file")
        return file.read()


def _is_own(path: Path, kind: Callable[[int], bool]) -> bool:
    """Whether this is there, of this kind, and no link."""
    try:
        return kind(path.lstat().st_mode)
    except OSError:
        return False


def _within(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir()) if _is_own(folder, stat.S_ISDIR) else []
    except OSError:  # may not be read, or is gone
        return []

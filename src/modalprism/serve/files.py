"""Files of a run or a comparison that can be downloaded: a short list of names."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from modalprism.reports import compare
from modalprism.reports.page import FIGURES_FOLDER, REPORT_FILE
from modalprism.serve.folder import STUDY_FILE, Comparison, Run
from modalprism.studies.baselines import BASELINES_FILE
from modalprism.studies.example_store import EXAMPLES_FILE
from modalprism.studies.profile import MANIFEST_FILE, PROFILE_FILE
from modalprism.validation import VALIDATION_FILE, VALIDATION_TABLE

TYPES: Final = {
    ".csv": "text/csv; charset=utf-8",
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
_FIGURE: Final = re.compile(r"[A-Za-z0-9_-]+\.(?:svg|pdf|png)")
_OF_A_RUN: Final = (
    *(REPORT_FILE, PROFILE_FILE, MANIFEST_FILE, STUDY_FILE),
    *(BASELINES_FILE, EXAMPLES_FILE, VALIDATION_FILE, VALIDATION_TABLE),
)
_FOLDERS_OF_A_RUN: Final = {
    FIGURES_FOLDER: _FIGURE,
    "tables": re.compile(r"[A-Za-z0-9_-]+\.(?:tex|md)"),
}
_OF_A_COMPARISON: Final = (compare.PAGE, compare.TABLE)
_FOLDERS_OF_A_COMPARISON: Final = {compare.FIGURES: _FIGURE}


def downloads(place: Run | Comparison) -> dict[str, Path]:
    """List the files of a run or a comparison that can be downloaded, by the names in addresses.

    A name is looked up here and never joined to a path, so no name leads anywhere else.
    """
    compared = isinstance(place, Comparison)
    named = _OF_A_COMPARISON if compared else _OF_A_RUN
    folders = _FOLDERS_OF_A_COMPARISON if compared else _FOLDERS_OF_A_RUN
    files = {
        name: place.path / name for name in named if _is_no_link(place.path / name, stat.S_ISREG)
    }
    for name, pattern in folders.items():
        for path in _within(place.path / name):
            if pattern.fullmatch(path.name) and _is_no_link(path, stat.S_ISREG):
                files[f"{name}/{path.name}"] = path
    return files


def has(place: Run | Comparison, name: str) -> bool:
    """Return whether a run or a comparison has a file of this name."""
    return _is_no_link(place.path / name, stat.S_ISREG)


def read_regular(path: Path, most: int = -1) -> bytes:
    """Read a file that `downloads` has named, or `most` bytes of it.

    An `OSError` refuses one that is gone, or has become a link or no regular file.
    """
    # O_NONBLOCK: what has become a pipe in this moment must not hold the page.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(f"{path} is no file")
        return file.read(most)


def _is_no_link(path: Path, kind: Callable[[int], bool]) -> bool:
    """Return whether a path exists, is of this kind, and is no link."""
    try:
        return kind(path.lstat().st_mode)
    except OSError:
        return False


def _within(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir()) if _is_no_link(folder, stat.S_ISDIR) else []
    except OSError:  # may not be read, or is gone
        return []

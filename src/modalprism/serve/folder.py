"""Runs in a folder, finished or not, and comparisons of runs.

Symbolic links are not followed, so that nothing outside the folder is found.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from modalprism.cache import MemoryCache
from modalprism.reports.compare import FIGURES, PAGE, TABLE
from modalprism.studies.profile import MANIFEST_FILE, PROFILE_FILE
from modalprism.studies.status import STATUS_FILE

DEPTH: Final = 3
MOST_FOLDERS: Final = 10_000
ANALYSES: Final = "analyses"
STORE: Final = "store"
STUDY_FILE: Final = "study.yaml"  # as in studies.study, which would bring torch
_PARTS_OF_A_RUN: Final = frozenset({ANALYSES, STORE, "figures", "tables"})
_FINISHED_FILES: Final = frozenset({PROFILE_FILE, MANIFEST_FILE})
_OF_A_RUN: Final = _FINISHED_FILES | {STATUS_FILE}
_GRAIN_NS: Final = 2_000_000_000


@dataclass(frozen=True)
class _Shown:
    """A folder that holds something to show.

    `name` is its path from the served folder, and `finished` whether it is complete.
    """

    path: Path
    name: str
    finished: bool

    @property
    def id(self) -> str:
        """The name in addresses: a digest, which reveals nothing of the path.

        Examples
        --------
        >>> Run(Path("runs/demo"), "demo", True).id
        '2a97516c354b6884'
        """
        return hashlib.sha256(os.fsencode(self.name)).hexdigest()[:16]


@dataclass(frozen=True)
class Run(_Shown):
    """A run's folder; the run is finished where the profile and its manifest are there."""

    def changed(self) -> float:
        """Return when the run was last written, in seconds since 1970."""
        if self.finished:
            return written_at(self.path / MANIFEST_FILE)
        # A folder is written when a file comes into it: parts of a store, analyses.
        stores = [self.path / STORE / name for name in list_folder(self.path / STORE).folders]
        return max(map(written_at, [self.path, self.path / ANALYSES, self.path / STORE, *stores]))


@dataclass(frozen=True)
class Comparison(_Shown):
    """A folder of `modalprism compare`, finished where the page is there."""

    def changed(self) -> float:
        """Return when it was last written, in seconds since 1970."""
        return written_at(self.path / (PAGE if self.finished else TABLE))


@dataclass(frozen=True)
class Found:
    """Runs and comparisons, last written first; not `whole` where there were too many folders."""

    runs: tuple[Run, ...]
    whole: bool = True
    comparisons: tuple[Comparison, ...] = ()


_Kind = TypeVar("_Kind", Run, Comparison)


@dataclass(frozen=True)
class Listing:
    """Names of the files and folders in a folder; links stay unread."""

    files: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()
    linked: bool = False


_EMPTY: Final = Listing()


class Listings:
    """Listings of folders, cached until the folder changes."""

    def __init__(self) -> None:
        self._cache: MemoryCache[tuple[Path, int, int, int], Listing] = MemoryCache(
            2 * MOST_FOLDERS
        )

    def __call__(self, folder: Path) -> Listing:
        """List a folder; one that is a link, or is gone, is empty."""
        try:
            status = folder.lstat()
        except OSError:
            return _EMPTY
        if not stat.S_ISDIR(status.st_mode):
            return _EMPTY
        key = folder, status.st_mtime_ns, status.st_ino, status.st_dev
        listing = self._cache.find(key, None)
        if listing is None:
            listing = list_folder(folder)
            # Another change within the clock's grain would leave the folder's time as it is.
            if time.time_ns() - status.st_mtime_ns > _GRAIN_NS:
                self._cache.put(key, listing)
        return listing


def find_runs(
    root: Path, most: int = MOST_FOLDERS, listed: Callable[[Path], Listing] | None = None
) -> Found:
    """Look for runs and comparisons in a folder, which may be one itself, and three levels below.

    At most `most` folders are looked through. `listed` lists a folder, such as `Listings`; by
    default every folder is read anew.
    """
    listed = listed or list_folder
    runs: list[Run] = []
    only_planned: list[Run] = []
    comparisons: list[Comparison] = []
    waiting = deque([(root, 0)])
    seen = 0
    while waiting and seen < most:
        folder, depth = waiting.popleft()
        seen += 1
        listing = listed(folder)
        name = folder.relative_to(root).as_posix()
        if listing.files >= _FINISHED_FILES:
            runs.append(Run(folder, name, finished=True))
        elif listing.folders & {ANALYSES, STORE} or listing.files & _OF_A_RUN:
            runs.append(Run(folder, name, finished=False))
        elif STUDY_FILE in listing.files:
            only_planned.append(Run(folder, name, finished=False))
        # A comparison may lie in a run's own folder. Its page is written last, after the table;
        # but a table of that name without figures beside it is somebody's own.
        if PAGE in listing.files or (TABLE in listing.files and FIGURES in listing.folders):
            comparisons.append(Comparison(folder, name, finished=PAGE in listing.files))
        if depth < DEPTH:
            below = sorted(listing.folders - _PARTS_OF_A_RUN)
            waiting.extend((folder / name, depth + 1) for name in below if name[0] != ".")
    # A study beside the folder of its run is no run of its own.
    runs += [
        plan for plan in only_planned if not any(plan.path in run.path.parents for run in runs)
    ]
    return Found(_last_first(runs), not waiting, _last_first(comparisons))


def _last_first(places: list[_Kind]) -> tuple[_Kind, ...]:
    return tuple(sorted(places, key=lambda place: (-place.changed(), place.name)))


def list_folder(folder: Path) -> Listing:
    """List a folder; one that may not be read, or is gone, is empty."""
    files, folders, linked = set(), set(), False
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.add(entry.name)
                elif entry.is_file(follow_symlinks=False):
                    files.add(entry.name)
                linked = linked or entry.is_symlink()
    except OSError:
        return _EMPTY
    return Listing(frozenset(files), frozenset(folders), linked)


def written_at(path: Path) -> float:
    """Return when a path was last written, in seconds since 1970; 0 where it is gone."""
    try:
        return path.lstat().st_mtime
    except OSError:  # not there, or removed in this moment
        return 0.0

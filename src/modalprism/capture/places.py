"""Where a store or a file of arrays stands on this machine: itself, or the copy of an address."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Final

from modalprism.capture.parts import FINISHED, REDRAWN, WORDS, paths_of
from modalprism.errors import InputError
from modalprism.remote import Names, brought, shown

_LARGEST_WORDS: Final = 64 * 2**20
_OF_ZARR: Final = ("zarr.json", ".zgroup", ".zmetadata")


def opened_place(place: str | Path) -> Path:
    """Return where a store or a file stands here, with what it takes to open it.

    Of a store at an address that is its description and the indices of its parts; arrays come when
    they are first read. A zarr folder, and a single file, come whole.

    Raises
    ------
    InputError
        If the address cannot be read, or copied (`modalprism.remote.brought`), or a description of
        the store is too large to be one.
    """
    here = brought(place, _needed)
    for name in (WORDS, FINISHED, f"{REDRAWN}/{WORDS}", f"{REDRAWN}/{FINISHED}"):
        # Read whole: of an archive, a few kilobytes may become as many gigabytes.
        if (here / name).is_file() and (size := (here / name).stat().st_size) > _LARGEST_WORDS:
            raise InputError(
                f"{shown(here / name)} has {size:,} bytes, which no store writes (it may have "
                f"{_LARGEST_WORDS:,}); capture again"
            )
    return here


def _needed(names: Names) -> tuple[Names, Names]:
    """Choose the files that opening a folder reads, and those that wait until they are read."""
    now, later = [], []
    for level in (Path(), Path(REDRAWN)) if WORDS in names else ():
        now += [name for one in (WORDS, FINISHED) if (name := (level / one).as_posix()) in names]
        for number in count():
            arrays, index = (path.as_posix() for path in paths_of(level, number))
            if index not in names:
                break
            now.append(index)
            later.append(arrays)
    if not now and any(name in names for name in _OF_ZARR):
        now = list(names)
    return now, later

"""What was read of a folder, kept until its files change."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from time import monotonic
from typing import Final, Generic, Protocol, TypeVar

PATIENCE: Final = 0.4
"""Seconds for which a page waits for what was not read before; the rest it shows later."""


class Place(Protocol):
    """What lies in a folder of its own."""

    @property
    def path(self) -> Path:
        """The folder."""


PlaceT = TypeVar("PlaceT", bound=Place)
SaidT = TypeVar("SaidT")


class Remembered(Generic[PlaceT, SaidT]):
    """What was read of each folder, once for each state of its files.

    Parameters
    ----------
    files : iterable of str
        The files that it is read from.
    read : callable
        Reads it anew.
    """

    def __init__(self, files: Iterable[str], read: Callable[[PlaceT], SaidT]) -> None:
        self._files, self._read = tuple(files), read
        self._kept: dict[Path, tuple[list[tuple[int, int]], SaidT]] = {}
        self._reading = threading.Lock()

    def of(self, place: PlaceT) -> SaidT:
        """Return what is read of a folder, however long it takes."""
        # One at a time: two pages that open at once would otherwise read the same twice.
        with self._reading:
            if not self.knows(place):
                stamp = self._stamp(place)  # of before: what changes meanwhile is read again
                self._kept[place.path] = stamp, self._read(place)
            return self._kept[place.path][1]

    def of_many(self, places: Iterable[PlaceT], patience: float) -> dict[PlaceT, SaidT | None]:
        """Return what is read of folders; None for those that there was no time to read yet."""
        end = monotonic() + patience
        return {
            place: self.of(place) if self.knows(place) or monotonic() < end else None
            for place in places
        }

    def knows(self, place: PlaceT) -> bool:
        """Whether this state of a folder was read before."""
        kept = self._kept.get(place.path)
        return kept is not None and kept[0] == self._stamp(place)

    def _stamp(self, place: PlaceT) -> list[tuple[int, int]]:
        """Tell one state of the files from another."""
        marks = []
        for name in self._files:
            try:
                status = (place.path / name).lstat()
                marks.append((status.st_mtime_ns, status.st_size))
            except OSError:
                marks.append((0, -1))
        return marks

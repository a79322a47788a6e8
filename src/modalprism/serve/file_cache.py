"""Values read from files, in memory until the files change."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from time import monotonic
from typing import Any, Final, Generic, TypeVar

from modalprism.cache import MemoryCache

PATIENCE: Final = 0.4
"""Seconds that a page waits for values that are not read yet; it shows the rest later."""

PlaceT = TypeVar("PlaceT", bound=Hashable)
ValueT = TypeVar("ValueT")
_UNREAD: Final = object()


class FileCache(Generic[PlaceT, ValueT]):
    """Values that `read` returns for a place, by the time and size of each of its `files`.

    At most `most` values are held.
    """

    def __init__(
        self,
        files: Callable[[PlaceT], Iterable[Path]],
        read: Callable[[PlaceT], ValueT],
        most: int = 10_000,
    ) -> None:
        self._files, self._read = files, read
        self._values: MemoryCache[tuple[PlaceT, Any], ValueT] = MemoryCache(most)

    def get(self, place: PlaceT) -> ValueT:
        """Return the value of a place, however long it takes to read."""
        # The files are looked at before they are read: a later change is read again.
        return self._values.get(self._key(place), lambda: self._read(place))

    def get_many(self, places: Iterable[PlaceT], patience: float) -> dict[PlaceT, ValueT | None]:
        """Return the values of places; None for those that there was no time to read yet."""
        end = monotonic() + patience
        found: dict[PlaceT, ValueT | None] = {}
        for place in places:
            value: Any = self._values.find(self._key(place), _UNREAD)
            late = value is _UNREAD and monotonic() >= end
            found[place] = None if late else self.get(place) if value is _UNREAD else value
        return found

    def _key(self, place: PlaceT) -> tuple[PlaceT, Any]:
        return place, tuple(map(_time_and_size, self._files(place)))


def _time_and_size(path: Path) -> tuple[int, int]:
    try:
        status = path.lstat()
    except OSError:  # not there, or removed in this moment
        return 0, -1
    return status.st_mtime_ns, status.st_size

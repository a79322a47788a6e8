"""What was read of files, kept until they change."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from time import monotonic
from typing import Final, Generic, TypeVar

PATIENCE: Final = 0.4
"""Seconds for which a page waits for what was not read before; the rest it shows later."""

KeyT = TypeVar("KeyT", bound=Hashable)
ReadT = TypeVar("ReadT")
_Stamp = tuple[tuple[int, int], ...]


class Remembered(Generic[KeyT, ReadT]):
    """A cache of what a function reads of files, by the time and size of each.

    Parameters
    ----------
    files : callable
        Lists the files that the value of a key is read from.
    read : callable
        Reads the value of a key.
    most : int
        Number of values that are kept; the one that was used last goes last.
    """

    def __init__(
        self,
        files: Callable[[KeyT], Iterable[Path]],
        read: Callable[[KeyT], ReadT],
        most: int = 10_000,
    ) -> None:
        self._files, self._read, self._most = files, read, most
        self._kept: OrderedDict[KeyT, tuple[_Stamp, ReadT]] = OrderedDict()
        self._reading = threading.Lock()
        self._changing = threading.Lock()

    def of(self, key: KeyT) -> ReadT:
        """Return the value of a key, however long it takes to read."""
        known = self._known(key)
        if known is None:
            # One at a time: two pages that open at once would otherwise read the same twice.
            with self._reading:
                known = self._known(key) or self._read_anew(key)
        return known[1]

    def of_many(self, keys: Iterable[KeyT], patience: float) -> dict[KeyT, ReadT | None]:
        """Return the values of keys; None for those that there was no time to read yet."""
        end = monotonic() + patience
        found: dict[KeyT, ReadT | None] = {}
        for key in keys:
            known = self._known(key)
            if known is not None:
                found[key] = known[1]
            else:
                found[key] = self.of(key) if monotonic() < end else None
        return found

    def _known(self, key: KeyT) -> tuple[_Stamp, ReadT] | None:
        stamp = self._stamp(key)
        with self._changing:
            kept = self._kept.get(key)
            if kept is None or kept[0] != stamp:
                return None
            self._kept.move_to_end(key)
            return kept

    def _read_anew(self, key: KeyT) -> tuple[_Stamp, ReadT]:
        kept = self._stamp(key), self._read(key)  # the stamp first: later changes are read again
        with self._changing:
            self._kept[key] = kept
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return kept

    def _stamp(self, key: KeyT) -> _Stamp:
        """Tell one state of the files from another."""
        return tuple(map(_mark, self._files(key)))


def _mark(path: Path) -> tuple[int, int]:
    try:
        status = path.lstat()
    except OSError:  # not there, or removed in this moment
        return 0, -1
    return status.st_mtime_ns, status.st_size

"""Caches of results, on disk and in memory: `get(key, make)` makes what is not there yet.

**Raise the version number of an estimator, a baseline, a view or a figure in the commit that
changes its results** by more than the rounding of sums: entries of the old one then count no more.
"""

from __future__ import annotations

import errno
import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from modalprism.errors import InputError
from modalprism.files import file_name, write_whole
from modalprism.foreign import guarded, parse_json, require_file
from modalprism.strict_json import dumps

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")
DefaultT = TypeVar("DefaultT")
_VALUE: Final = "json"


@dataclass(frozen=True)
class Key:
    """Everything that a result depends on.

    File names begin with the `label`, for people. `makers` are version numbers of what makes the
    result, by name; `inputs` are whatever JSON can hold.

    Examples
    --------
    >>> Key("clip-vqa", {"posterior estimator": 1}, {"seed": 0}).name
    'clip-vqa-86e0d4f9b0578bab'
    """

    label: str
    makers: Mapping[str, int | str]
    inputs: Mapping[str, Any]

    @cached_property
    def record(self) -> dict[str, Any]:
        """Makers and inputs as JSON gives them back."""
        content = {"makers": self.makers, "inputs": self.inputs}
        return {name: json.loads(dumps(of, sort_keys=True)) for name, of in content.items()}

    @cached_property
    def name(self) -> str:
        """Name of the entry's files, without their endings."""
        digest = hashlib.sha256(dumps(self.record, sort_keys=True).encode()).hexdigest()
        return f"{file_name(self.label)}-{digest[:16]}"


@dataclass(frozen=True)
class Entry:
    """A result: a value for JSON (NaN becomes null), and contents of files by their endings."""

    value: Any
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def checksum(self) -> str:
        """Digest of the value and of all files."""
        digest = hashlib.sha256(dumps(self.value).encode())
        for ending in sorted(self.files):
            digest.update(hashlib.sha256(self.files[ending]).digest())
        return digest.hexdigest()


@dataclass(frozen=True)
class Cache:
    """Results in a folder; with `fresh`, everything is made anew.

    An entry is a JSON file with its key, its value and a checksum, and the entry's further files
    beside it. Each file appears whole or not at all, the JSON file last. An entry that is damaged,
    or was made from another key, counts as missing. With `one_each`, files are named by the label
    alone: a label then has at most one entry.
    """

    folder: Path
    fresh: bool = False
    one_each: bool = False

    def get(self, key: Key, make: Callable[[], Entry]) -> Entry:
        """Return the entry of a key; make and write it where it is missing.

        Raises OSError if the entry cannot be written.
        """
        return self.find(key) or self.put(key, make())

    def find(self, key: Key) -> Entry | None:
        """Return the entry of a key; None where it is missing, damaged, or to be made anew."""
        return None if self.fresh else self._read(key)

    def put(self, key: Key, entry: Entry) -> Entry:
        """Write an entry, and return it as `find` reads it.

        Raises OSError if the entry cannot be written, or not be read again.
        """
        for ending, content in entry.files.items():
            write_whole(self._path(key, ending), content)
        path = self._path(key, _VALUE)
        head = {**key.record, "files": sorted(entry.files), "checksum": entry.checksum}
        write_whole(path, dumps({**head, "value": entry.value}, indent=1) + "\n")
        read = self._read(key)
        if read is None:
            raise OSError(errno.EIO, "what was written there cannot be read again", str(path))
        return read

    def _path(self, key: Key, ending: str) -> Path:
        name = key.label if self.one_each else key.name
        return self.folder / f"{name}.{ending}"

    def _read(self, key: Key) -> Entry | None:
        path = self._path(key, _VALUE)
        try:
            with guarded(path):
                found = parse_json(require_file(path).read_bytes(), path)
                if {name: found[name] for name in key.record} != key.record:
                    return None
                endings = [ending for ending in found["files"] if ending.isalnum()]
                files = {one: require_file(self._path(key, one)).read_bytes() for one in endings}
                entry, checksum = Entry(found["value"], files), found["checksum"]
        except InputError:
            return None
        return entry if entry.checksum == checksum else None


class MemoryCache(Generic[KeyT, ValueT]):
    """At most `most` values in memory; the one that was used least recently is dropped first."""

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._values: OrderedDict[KeyT, ValueT] = OrderedDict()
        self._making, self._changing = threading.RLock(), threading.Lock()

    def get(self, key: KeyT, make: Callable[[], ValueT]) -> ValueT:
        """Return the value of a key; make it where it is missing.

        One value is made at a time: two threads that ask for the same one do not make it twice.
        """
        missing = object()
        value = self.find(key, missing)
        if value is missing:
            with self._making:
                value = self.find(key, missing)
                if value is missing:
                    value = make()
                    self.put(key, value)
        return value  # type: ignore[return-value]

    def find(self, key: KeyT, default: DefaultT) -> ValueT | DefaultT:
        """Return the value of a key, or `default` where it is missing."""
        with self._changing:
            if key not in self._values:
                return default
            self._values.move_to_end(key)
            return self._values[key]

    def put(self, key: KeyT, value: ValueT) -> None:
        """Hold a value."""
        with self._changing:
            self._values[key] = value
            while len(self._values) > self._most:
                self._values.popitem(last=False)

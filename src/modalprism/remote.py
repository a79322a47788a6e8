"""Copies of files and folders that stand elsewhere, at any address that fsspec knows.

Whenever an address is opened, the caller chooses which files are copied into the cache folder now
and which when they are first read. Files are copied whole, since arrays are mapped from disk.
fsspec's own ``filecache`` writes in place, flattens folders, and misses changes on web servers.
"""

from __future__ import annotations

import errno
import filecmp
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Collection, Container, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import unquote

from modalprism.addresses import ADVICE, Info, files_at, joined, opened, stamp_of
from modalprism.errors import InputError
from modalprism.files import cache_folder, check_names, file_name, inside, unprintable, write_whole
from modalprism.foreign import HIDDEN, guarded, reason_of, redacted
from modalprism.strict_json import dumps

_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(::|://)|(file|local):")
_CUT_SHORT: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/[^/]")
_HERE: Final = re.compile(r"(file|local):(//(?P<machine>[^/]*))?(?P<path>/.*)?")
_ENDING: Final = re.compile(r"\.\w{1,16}")
_COPIES: Final = "elsewhere"
_ORIGIN: Final = "address"
_STAMPS: Final = "stamps.json"
_NOT_COPIED: Final = "other-files-are-not-copied"
_WHOLE: Final = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oci", "oss", "memory"})
"""Storage in which an object appears whole or not at all, and nothing need be moved into place."""
_ONE_CASE: Final = ("darwin", "win32")
"""Systems whose disks take names that differ in case alone for one."""
_MOST_FILES: Final = 100_000
_FILLED: Final = 0.9  # the part of the free disk that one copy may take
_BLOCK: Final = 4096  # bytes that a file takes on disk beside its own

Names = Collection[str]
Choose = Callable[[Names], tuple[Names, Names]]
"""From the names of files in a folder to those to copy now, and those to copy when asked for.

A web server lists nothing: its collection has no items, but can tell whether a name is in it.
"""


def is_address(place: str | Path) -> bool:
    """Tell an address from a path.

    Examples
    --------
    >>> is_address("s3://bucket/run/store"), is_address("runs/store"), is_address("C:/store")
    (True, False, False)
    """
    return isinstance(place, str) and _ADDRESS.match(place) is not None


def brought(place: str | Path, choose: Choose) -> Path:
    """Return where a place stands on this machine; files of an address are copied.

    A path is returned as it is, and so is that of a ``file:`` address, which is absolute. A single
    file is copied whole; `choose` chooses the files of a folder. Raises InputError if the address
    cannot be reached, its package is missing, it lists a name that cannot be copied, or the disk
    has no room.

    Examples
    --------
    >>> brought("file:///data/store", lambda names: (names, ())).as_posix()
    '/data/store'
    >>> brought("file://localhost/data/my%20store", lambda names: (names, ())).as_posix()
    '/data/my store'
    """
    if isinstance(place, str) and (here := _HERE.match(place)) and "::" not in place:
        if (here["machine"] or "").lower() not in ("", "localhost"):
            raise InputError(
                f"{place!r} names a file of the machine {here['machine']!r}; give file:// and an "
                "absolute path (file:///…), or the path alone"
            )
        if not here["path"]:
            raise InputError(
                f"{place!r} holds no absolute path; give file:// and one (file:///…), or the path "
                "alone"
            )
        literal, decoded = Path(here["path"]), Path(unquote(here["path"]))
        return decoded if decoded != literal and not literal.exists() else literal
    if is_address(place):
        return _Copy.of(str(place)).brought(choose)
    if _CUT_SHORT.match(str(place)):
        raise InputError(
            f"{str(place)!r} is an address that has lost a slash; give it as a string, not as a "
            "Path"
        )
    return Path(place)


def present(path: Path) -> Path:
    """Return a path, once its file is here: one of a copy is fetched if it is missing.

    Raises InputError if it cannot be fetched.
    """
    if not path.exists() and (copy := _Copy.around(path)) is not None:
        copy.fetch(path)
    return path


def shown(path: Path) -> str:
    """Return what messages call a path: of a copy, the address without its credentials."""
    copy = _Copy.around(path)
    return str(path) if copy is None else copy.address_of(path)


def write_through(path: Path, content: bytes | str, *, keep: bool = True) -> None:
    """Write a file whole, as `write_whole` does; one of a copy is written at its address.

    It stays here, too, if `keep` is true. Raises OSError, naming the file or address, if it cannot
    be written; nothing is left behind.
    """
    copy = _Copy.around(path)
    if copy is None:
        write_whole(path, content)
    else:
        copy.write(path, content if isinstance(content, bytes) else content.encode(), keep)


@dataclass(frozen=True)
class _Copy:
    """An address, and the folder `key` of the cache with its copy and the stamps of its files."""

    address: str
    key: str

    @classmethod
    def of(cls, address: str) -> _Copy:
        address = address.rstrip("/")
        if any(map(unprintable, address)):
            raise InputError(f"the address {redacted(address)!r} holds control characters")
        if HIDDEN in address:
            raise InputError(
                f"{address} stands without its credentials, as reports and messages show it; give "
                "the whole address, or let the storage's package find the credentials"
            )
        return cls(address, hashlib.sha256(address.encode()).hexdigest()[:16])

    @classmethod
    def around(cls, path: Path) -> _Copy | None:
        """Find the copy that a path belongs to, by where it lies."""
        root = cache_folder() / _COPIES
        if not path.is_relative_to(root) or path == root:
            return None
        key = path.relative_to(root).parts[0]
        with suppress(OSError, UnicodeDecodeError):
            return cls((root / key / _ORIGIN).read_text("utf-8"), key)
        return None

    @cached_property
    def folder(self) -> Path:
        return inside(cache_folder(), f"{_COPIES}/{self.key}")

    @cached_property
    def place(self) -> Path:
        """Path of the copied file or folder; it ends as the address does."""
        links = self.address.split("::")
        link = next((link for link in links if "://" in link), links[0])
        name = PurePosixPath(re.split(r"[/:]", link.split("?")[0])[-1])
        ending = name.suffix if _ENDING.fullmatch(name.suffix) else ""
        return inside(self.folder, file_name(name.stem if ending else name.name) + ending)

    def file(self, name: str) -> Path:
        """Return where a file of this name stands; the empty name is the address itself."""
        return inside(self.place, name) if name else self.place

    def name_of(self, file: Path) -> str:
        return file.relative_to(self.place).as_posix() if file != self.place else ""

    def address_of(self, file: Path) -> str:
        head, *chained = self.address.split("::")
        return redacted("::".join([joined(head, self.name_of(file)), *chained]))

    def brought(self, choose: Choose) -> Path:
        """Return where a place stands on this machine; files of an address are copied.

        A path is returned as it is, and so is that of a ``file:`` address, which is absolute. A
        single file is copied whole; `choose` chooses the files of a folder. Raises InputError if
        the address cannot be reached, its package is missing, it lists a name that cannot be
        copied, or the disk has no room.
        """
        system, path = opened(self.address)
        with guarded(redacted(self.address), ADVICE):
            found = files_at(system, path)
            now, later = choose(found)
            if not now and "" in found:
                now = [""]
            self._check([*found, *now])
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # addresses have passwords
            write_whole(self.folder / _ORIGIN, self.address)
            self._update(system, path, {name: found[name] for name in now}, later)
            if len(found) and not now:
                write_whole(self.file(_NOT_COPIED), b"")
        return self.place

    def _check(self, names: Names) -> None:
        """Refuse names that cannot be copied, before anything is written."""
        if len(names) > _MOST_FILES:
            raise InputError(
                f"{redacted(self.address)} has more than {_MOST_FILES:,} files; save its arrays in "
                "fewer, larger ones"
            )
        try:
            check_names({name for name in names if name}, one_case=sys.platform in _ONE_CASE)
        except InputError as error:
            raise InputError(f"{redacted(self.address)}: {error}; nothing was copied") from error

    def _update(self, system: Any, path: str, now: Mapping[str, Info], later: Names) -> None:
        """Fetch files that are new or changed, and remove those that no longer exist."""
        stamps = self.folder / _STAMPS
        copied = json.loads(stamps.read_text("utf-8")) if stamps.is_file() else {}
        files = {name: self.file(name) for name in now}
        stale = {
            name: info
            for name, info in now.items()
            if copied.get(name) != [stamp_of(info), _identity(files[name])] or not stamp_of(info)
        }
        with self._fetched(system, path, stale) as fetched:
            outdated = self._removed({*now, *later})
            for name, partial in fetched.items():
                here = files[name].is_file()
                if here and filecmp.cmp(partial, files[name], shallow=False):
                    continue
                outdated = outdated or here
            # Where anything changed, so may have what was fetched later.
            for name in later if outdated else ():
                self.file(name).unlink(missing_ok=True)
            for name, partial in fetched.items():
                copied[name] = [stamp_of(now[name]), _identity(partial)]
                _move(partial, files[name])
        write_whole(stamps, dumps({name: copied[name] for name in now}))

    def _removed(self, kept: Container[str]) -> bool:
        """Remove what is not kept, and tell whether there was any."""
        below = (Path(folder, name) for folder, _, names in os.walk(self.place) for name in names)
        gone = [file for file in (self.place, *below) if self.name_of(file) not in kept]
        gone = [file for file in gone if not file.is_dir()]
        for file in gone:
            file.unlink(missing_ok=True)
        return bool(gone)

    @contextmanager
    def _fetched(
        self, system: Any, path: str, infos: Mapping[str, Info]
    ) -> Iterator[dict[str, Path]]:
        """Copy files into a folder beside the copy that goes away again, under numbers."""
        room = int(shutil.disk_usage(self.folder).free * _FILLED)
        needed = sum(max(int(info.get("size") or 0), 0) + _BLOCK for info in infos.values())
        if needed > room:
            raise self._too_large(f"would take {needed / 1e9:,.1f} GB", room)
        with tempfile.TemporaryDirectory(prefix="fetching-", dir=self.folder) as scratch:
            fetched = {name: Path(scratch, str(number)) for number, name in enumerate(infos)}
            if fetched:
                places = [joined(path, name) for name in fetched]
                system.get(places, list(map(str, fetched.values())), callback=self._limit(room))
            yield fetched

    def _limit(self, room: int) -> Any:
        """Make a callback that stops a transfer that outgrows what was listed, and the disk."""
        from fsspec.callbacks import Callback

        def check(_: int | None, received: int, **__: Any) -> None:
            if received > room:
                raise self._too_large(f"has sent {received / 1e9:,.1f} GB", room)

        callback = Callback(hooks={"room": check})
        callback.branched = lambda *_, **__: callback  # one count for all files
        return callback

    def _too_large(self, what: str, room: int) -> InputError:
        return InputError(
            f"{redacted(self.address)} {what}, and the cache folder {cache_folder()} has room for "
            f"{room / 1e9:,.1f} GB; free some space, or set MODALPRISM_CACHE to a larger disk"
        )

    def fetch(self, file: Path) -> None:
        """Bring one file here, whole; nothing happens where there is none at the address."""
        system, path = opened(self.address)
        name = self.name_of(file)
        try:
            with guarded(redacted(self.address), ADVICE):
                info = system.info(joined(path, name))
                with self._fetched(system, path, {name: info}) as fetched:
                    _move(fetched[name], self.file(name))
        except InputError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise

    def write(self, file: Path, content: bytes, keep: bool) -> None:
        """Write a file at the address, and a copy of it here if it is kept."""
        name = self.name_of(file)
        here = self.file(name)
        try:
            with guarded(redacted(self.address)):
                system, path = opened(self.address)
                target = joined(path, name)
                protocols = system.protocol
                names = {protocols} if isinstance(protocols, str) else set(protocols)
                if names & _WHOLE:
                    system.pipe_file(target, content)
                else:
                    system.makedirs(target.rpartition("/")[0], exist_ok=True)
                    system.pipe_file(f"{target}.partial", content)
                    system.mv(f"{target}.partial", target)
        except InputError as error:
            if error.__cause__ is None:
                raise
            cause = error.__cause__
            number = getattr(cause, "errno", None) or errno.EIO
            raise OSError(number, reason_of(cause), self.address_of(file)) from error
        if keep:
            write_whole(here, content)
        else:
            here.unlink(missing_ok=True)  # what stood there before


def _identity(file: Path) -> list[int]:
    """Tell a file here from another that a process put in its place; empty where there is none."""
    try:
        found = file.stat()
    except OSError:
        return []
    return [found.st_ino, found.st_mtime_ns, found.st_size]


def _move(partial: Path, file: Path) -> None:
    if not partial.is_file():
        raise InputError(f"{file.name} was listed as a file, and is none")
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.is_dir():  # it was a folder before
        shutil.rmtree(file)
    partial.replace(file)

"""Folders and files elsewhere: any address that fsspec knows, and what of it is here.

``s3://bucket/run/store`` has a copy in the cache folder. What is small (what a store says of
itself, and the indices of its parts) is brought here whenever the address is opened; a part's
arrays come whole, when they are first asked for, and stay. Whole, because arrays are mapped from
disk, and an analysis reads each of a part's arrays by itself: streamed, every one would be a
request, again for every process and every run. fsspec's own ``simplecache`` keeps whole files too,
but never asks whether they are still what is there.

What is written goes to the address first, whole, and is known here only then; of arrays no copy
stays behind, so that a capture may be larger than this machine's disk.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from modalprism.errors import InputError
from modalprism.files import cache_folder, write_whole

_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(::|://)")
_CUT_SHORT: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/[^/]")
_HERE: Final = re.compile(r"(file|local)://")
_COPIES: Final = "elsewhere"
_ORIGIN: Final = "address"
_STAMPS: Final = "stamps.json"
_ARRAYS: Final = ".safetensors"
_DESCRIBED: Final = "store.json"
_LEVELS: Final = ("", "redrawn/")
_SMALL: Final = re.compile(r"(redrawn/)?(store\.json|finished\.json|part-\d+\.parquet)")
_TELLS: Final = frozenset(
    {"etag", "lastmodified", "last_modified", "mtime", "modified", "created", "updated", "md5hash"}
)
"""What a listing says of a file that changes with its content, beside its size."""
_WHOLE: Final = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oci", "oss", "memory"})
"""Storage in which an object appears whole or not at all, and nothing need be moved into place."""
_OTHERS: Final = {
    "aiohttp": "ClientError",
    "azure.core.exceptions": "AzureError",
    "botocore.exceptions": "BotoCoreError",
    "gcsfs.retry": "HttpError",
    "google.auth.exceptions": "GoogleAuthError",
    "paramiko": "SSHException",
}
"""What libraries of storage raise that is no OSError; they are asked only if they are loaded."""


def is_address(place: str | Path) -> bool:
    """Tell an address from a path.

    Examples
    --------
    >>> is_address("s3://bucket/run/store"), is_address("runs/store"), is_address("C:/store")
    (True, False, False)
    """
    return isinstance(place, str) and _ADDRESS.match(place) is not None


def brought(place: str | Path) -> Path:
    """Return where a place stands on this machine; an address is looked at, and copied.

    Parameters
    ----------
    place : str or Path
        A path is returned as it is, and so is that of a ``file://``.

    Raises
    ------
    InputError
        If the address cannot be reached, or its package is missing.

    Examples
    --------
    >>> brought("runs/store").as_posix(), brought("file:///data/store").as_posix()
    ('runs/store', '/data/store')
    """
    if isinstance(place, str) and _HERE.match(place) and "::" not in place:
        return Path(_HERE.sub("", place))
    if is_address(place):
        return _Copy.of(str(place)).brought()
    if _CUT_SHORT.match(str(place)):
        raise InputError(
            f"{str(place)!r} is an address that has lost a slash; give it as a string, not as a "
            "Path"
        )
    return Path(place)


def present(path: Path) -> Path:
    """Return a path, once its file is here: one of a copy is fetched if it is missing.

    Raises
    ------
    InputError
        If it cannot be fetched.
    """
    if not path.exists() and (copy := _Copy.around(path)) is not None:
        copy.fetch(path)
    return path


def shown(path: Path) -> str:
    """Return what messages call a path: of a copy, the address."""
    copy = _Copy.around(path)
    return str(path) if copy is None else copy.address_of(path)


def write_through(path: Path, content: bytes | str) -> None:
    """Write a file whole, as `write_whole` does; one of a copy is written at its address.

    Raises
    ------
    OSError
        If it cannot be written; it names the file or address, and nothing is left behind.
    """
    copy = _Copy.around(path)
    if copy is None:
        write_whole(path, content)
    else:
        copy.write(path, content if isinstance(content, bytes) else content.encode())


@dataclass(frozen=True)
class _Copy:
    """An address, and the folder in which its copy stands.

    Attributes
    ----------
    address : str
    folder : Path
        Of this address alone: it holds the copy, the address, and what was known of the files.
    """

    address: str
    folder: Path

    @classmethod
    def of(cls, address: str) -> _Copy:
        address = address.rstrip("/")
        key = hashlib.sha256(address.encode()).hexdigest()[:16]
        return cls(address, cache_folder() / _COPIES / key)

    @classmethod
    def around(cls, path: Path) -> _Copy | None:
        """Find the copy that a path belongs to, by where it lies."""
        root = cache_folder() / _COPIES
        if not path.is_relative_to(root) or path == root:
            return None
        folder = root / path.relative_to(root).parts[0]
        return cls((folder / _ORIGIN).read_text("utf-8"), folder)

    @property
    def place(self) -> Path:
        """Where the file or folder itself stands; it ends as the address does."""
        return self.folder / (re.split(r"[/:]", self.address.split("::")[0])[-1] or "root")

    def address_of(self, path: Path) -> str:
        inside = path.relative_to(self.place).as_posix() if path != self.place else "."
        head, *chained = self.address.split("::")
        return "::".join([head if inside == "." else f"{head}/{inside}", *chained])

    def opened(self) -> tuple[Any, str]:
        """Open the file system, and return the address's path in it."""
        import fsspec

        protocol = self.address.partition(":")[0]
        try:
            system, path = fsspec.core.url_to_fs(self.address)
        except ImportError as error:
            package = getattr(error.__cause__, "name", None) or str(error)
            raise InputError(
                f"{protocol}:// needs the package {package}; run pip install {package}"
            ) from error
        except failures() as error:
            raise InputError(f"{self.address} cannot be opened: {_words(error)}") from error
        return system, str(path).rstrip("/")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except InputError:
            raise
        except failures() as error:
            raise InputError(
                f"{self.address} cannot be read ({_words(error)}); check the address, the network "
                "and the credentials"
            ) from error

    def brought(self) -> Path:
        """Bring what is small, or the only file, up to date, and return where it stands."""
        system, path = self.opened()
        system.invalidate_cache()
        with self._reading():
            found = _found(system, path)
            write_whole(self.folder / _ORIGIN, self.address)
            self._update(system, path, found)
        return self.place

    def _update(self, system: Any, path: str, found: Mapping[str, str]) -> None:
        """Fetch what is new or another, and forget what is there no longer."""
        stamps = self.folder / _STAMPS
        known = json.loads(stamps.read_text("utf-8")) if stamps.is_file() else {}
        store = _DESCRIBED in found
        wanted = [name for name in found if not store or _SMALL.fullmatch(name)]
        foreign = bool(found) and not store and "" not in found and self.place.suffix != ".zarr"
        for file in [self.place, *self.place.rglob("*")]:
            name = file.relative_to(self.place).as_posix() if file != self.place else ""
            if file.is_file() and name not in found:
                file.unlink()
        stale = [
            name
            for name in wanted
            if not (self.place / name).is_file()
            or not found[name]
            or known.get(name) != found[name]
        ]
        if foreign:  # a folder of other things: that they are there is all that is asked
            for name in stale[:1]:
                write_whole(self.place / name, b"")
            return
        for name, content in _contents(system, path, stale).items():
            file = self.place / name
            if not file.is_file() or file.read_bytes() != content:
                file.with_suffix(_ARRAYS).unlink(missing_ok=True)
                write_whole(file, content)
        write_whole(stamps, json.dumps({name: found[name] for name in wanted}))

    def fetch(self, file: Path) -> None:
        """Bring one file here, whole; nothing happens where there is none at the address."""
        system, path = self.opened()
        name = file.relative_to(self.place).as_posix()
        partial = file.with_name(f"{file.name}.{os.getpid()}.partial")
        try:
            with self._reading():
                file.parent.mkdir(parents=True, exist_ok=True)
                system.get_file(f"{path}/{name}", str(partial))
                partial.replace(file)
        except InputError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
        finally:
            partial.unlink(missing_ok=True)

    def write(self, file: Path, content: bytes) -> None:
        """Write a file at the address, and a copy of it here if it is small."""
        system, path = self.opened()
        wanted = f"{path}/{file.relative_to(self.place).as_posix()}"
        protocols = system.protocol
        names = {protocols} if isinstance(protocols, str) else set(protocols)
        beside = wanted if names & _WHOLE else f"{wanted}.partial"
        try:
            if beside != wanted:
                system.makedirs(wanted.rpartition("/")[0], exist_ok=True)
            system.pipe_file(beside, content)
            if beside != wanted:
                system.mv(beside, wanted)
        except failures() as error:
            number = getattr(error, "errno", None) or errno.EIO
            raise OSError(number, _words(error), self.address_of(file)) from error
        if file.suffix == _ARRAYS:
            file.unlink(missing_ok=True)  # what stood there before
        else:
            write_whole(file, content)


def _found(system: Any, path: str) -> dict[str, str]:
    """List what is at an address, by its name from there, with what tells it from another.

    An address that is itself a file has the empty name; nothing at all gives an empty dict.
    """
    if not _lists(system):
        if system.exists(f"{path}/{_DESCRIBED}"):
            return dict.fromkeys(_probed(system, path), "")
        return {"": _stamp(system.info(path))} if system.exists(path) else {}
    try:
        listed = system.find(path, detail=True)
    except FileNotFoundError:
        return {}
    names = {str(name).strip("/"): info for name, info in listed.items()}
    return {
        name.removeprefix(path.strip("/")).strip("/"): _stamp(info) for name, info in names.items()
    }


def _lists(system: Any) -> bool:
    """Tell whether folders can be listed: of the web's servers nobody knows."""
    return "http" not in system.protocol


def _probed(system: Any, path: str) -> Iterator[str]:
    """Find a store's small files where there is no listing."""
    for level in _LEVELS:
        for name in (_DESCRIBED, "finished.json"):
            if system.exists(f"{path}/{level}{name}"):
                yield f"{level}{name}"
        number = 0
        while system.exists(f"{path}/{level}part-{number:05d}.parquet"):
            yield f"{level}part-{number:05d}.parquet"
            yield f"{level}part-{number:05d}{_ARRAYS}"
            number += 1


def _contents(system: Any, path: str, names: list[str]) -> dict[str, bytes]:
    """Read whole files, many at once where the system can."""
    places = {f"{path}/{name}" if name else path: name for name in names}
    read = system.cat(list(places)) if places else {}
    by_place = {str(place).strip("/"): content for place, content in read.items()}
    return {name: by_place[place.strip("/")] for place, name in places.items()}


def _stamp(info: Mapping[str, Any]) -> str:
    """Return what tells a file from another of its name; empty where nothing does."""
    told = {key.lower(): str(value) for key, value in info.items() if key.lower() in _TELLS}
    return json.dumps({"size": info.get("size"), **told}, sort_keys=True) if told else ""


def failures() -> tuple[type[BaseException], ...]:
    """Return all that reading or writing elsewhere may raise."""
    named = (
        getattr(sys.modules[module], name, None)
        for module, name in _OTHERS.items()
        if module in sys.modules
    )
    return (OSError, ValueError, NotImplementedError, KeyError, *filter(None, named))


def _words(error: BaseException) -> str:
    """Return one line of what went wrong."""
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(words).split())

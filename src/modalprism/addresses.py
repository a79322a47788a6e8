"""File systems at addresses that fsspec knows, and the files that they have there."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from modalprism.errors import InputError
from modalprism.foreign import guarded, redacted
from modalprism.strict_json import dumps

ADVICE: Final = "check the address, the network and the credentials"
_POINTING: Final = frozenset({"reference"})
"""Protocols whose files are lists of pieces of other files, those of this machine among them."""
_VERSION_FIELDS: Final = frozenset(
    {"content-md5", "crc", "created", "etag", "last_modified", "lastmodified"}
    | {"md5hash", "modified", "mtime", "updated"}
)
"""Fields of a listing, beside the size, that change with a file's content."""

Info = Mapping[str, Any]
"""A file system's description of a file: ``size``, and further fields."""


def opened(address: str) -> tuple[Any, str]:
    """Open the file system of an address; return that of fsspec, and the path in it.

    Raises InputError if it is unknown, cannot be reached, or needs a package that is missing.
    """
    import fsspec

    protocols = [link.partition("://")[0].lower() for link in address.split("::")]
    if pointing := _POINTING.intersection(protocols):
        raise InputError(
            f"{min(pointing)}:// is not read: its files are pieces of any other files, those of "
            "this machine among them; give the address of the files themselves"
        )
    try:
        with guarded(redacted(address), ADVICE):
            system, path = fsspec.core.url_to_fs(address)
            system.invalidate_cache()
            return system, str(path).rstrip("/")
    except InputError as error:
        missing = error.__cause__
        if not isinstance(missing, ImportError):
            raise
        package = getattr(missing.__cause__, "name", None) or str(missing)
        raise InputError(
            f"{protocols[0]}:// needs the package {package}; run pip install {package}"
        ) from error


def files_at(system: Any, path: str) -> Mapping[str, Info]:
    """Return the files below a path, by their names from there.

    A path that is itself a file has the empty name. A web server lists nothing: its mapping has no
    items, but answers for a name. Names come from outside; nothing has checked them.
    """
    if "http" in system.protocol:
        return _WebFolder(system, path)
    try:
        listed = system.find(path, detail=True)
    except FileNotFoundError:
        return {}
    rooted = path.startswith("/") or system.root_marker == "/"
    base = path.strip("/")
    found = {}
    for place, info in listed.items():
        name = place.removeprefix("/") if rooted else place
        if base and name != base and not name.startswith(f"{base}/"):
            raise InputError(f"{redacted(path)} lists {place[:100]!r}, which is not below it")
        if info.get("type") != "directory" and not place.endswith("/"):
            found[name[len(base) + 1 :] if base else name] = info
    return found


def joined(path: str, name: str) -> str:
    """Return the place of a file below a path; a query stays at the end."""
    if not (name and path):
        return path or name
    path, mark, query = path.partition("?") if path.startswith("http") else (path, "", "")
    return f"{path}/{name}{mark}{query}"


def stamp_of(info: Info) -> str:
    """Return the version of a file, as its file system lists it; empty where it lists none."""
    lowered = {key.lower(): str(value) for key, value in info.items()}
    fields = {key: lowered[key] for key in _VERSION_FIELDS & lowered.keys()}
    return dumps({"size": info.get("size"), **fields}, sort_keys=True) if fields else ""


class _WebFolder(Mapping[str, Info]):
    """Files of a web server, which cannot list them but can look up one.

    If a server answers for every name, only the address itself counts as a file.
    """

    def __init__(self, system: Any, path: str) -> None:
        @cache
        def look_up(name: str) -> Info | None:
            try:
                info: Info = system.info(joined(path, name))
            except FileNotFoundError:
                return None
            return info

        self._look_up = look_up
        self._answers_all = look_up(uuid.uuid4().hex) is not None

    def __getitem__(self, name: str) -> Info:
        info = None if name and self._answers_all else self._look_up(name)
        if info is None:
            raise KeyError(name)
        return info

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

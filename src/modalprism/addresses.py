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
_TELLS: Final = frozenset(
    {"content-md5", "crc", "created", "etag", "last_modified", "lastmodified"}
    | {"md5hash", "modified", "mtime", "updated"}
)
"""Fields of a listing, beside the size, that change with a file's content."""

Info = Mapping[str, Any]
"""A file system's description of a file: ``size``, and further fields."""


def opened(address: str) -> tuple[Any, str]:
    """Open the file system of an address.

    Returns
    -------
    system : fsspec.AbstractFileSystem
    path : str
        The address's path in it.

    Raises
    ------
    InputError
        If it is unknown, cannot be reached, or needs a package that is missing.
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
    return _WebFolder(system, path) if "http" in system.protocol else _listed(system, path)


def joined(path: str, name: str) -> str:
    """Return the place of a file below a path; a query stays at the end."""
    if not (name and path):
        return path or name
    path, mark, query = path.partition("?") if path.startswith("http") else (path, "", "")
    return f"{path}/{name}{mark}{query}"


def stamp_of(info: Info) -> str:
    """Return what tells a file from another of its name; empty where nothing does."""
    told = {key.lower(): str(value) for key, value in info.items() if key.lower() in _TELLS}
    return dumps({"size": info.get("size"), **told}, sort_keys=True) if told else ""


class _WebFolder(Mapping[str, Info]):
    """The files of a web server, which lists none, but tells whether one is there.

    A server with an answer for every name tells nothing: only the address itself is then there.
    """

    def __init__(self, system: Any, path: str) -> None:
        @cache
        def ask(name: str) -> Info | None:
            try:
                info: Info = system.info(joined(path, name))
            except FileNotFoundError:
                return None
            return info

        self._ask = ask
        self._answers_all = ask(uuid.uuid4().hex) is not None

    def __getitem__(self, name: str) -> Info:
        info = None if name and self._answers_all else self._ask(name)
        if info is None:
            raise KeyError(name)
        return info

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _listed(system: Any, path: str) -> dict[str, Info]:
    """List the files at an address by their names from there.

    An address that is itself a file has the empty name; nothing at all gives an empty dict.
    """
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

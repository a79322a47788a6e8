"""Tar files read as they stand: the files of one example stand together, by one key."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from modalprism.errors import InputError
from modalprism.foreign import guarded


@dataclass(frozen=True)
class Sample:
    """The files of one example in a shard.

    Attributes
    ----------
    key : str
    members : mapping of extension to TarInfo
    broken : str
        Why it cannot be used; empty where it can.
    """

    key: str
    members: dict[str, tarfile.TarInfo] = field(default_factory=dict)
    broken: str = ""


def samples_of(shard: Path) -> Iterator[tuple[Sample, tarfile.TarFile | None]]:
    """Yield a shard's examples; the archive is open until the next is asked for.

    A shard that is cut off ends with an example that is broken, in place of the one that was cut.
    """
    now = Sample("")
    try:
        with guarded(shard, "it is cut off or damaged"), tarfile.open(shard, "r:") as archive:
            for member in _members(archive):
                name = PurePosixPath(member.name)
                stem, _, extension = name.name.partition(".")
                if not member.isreg() or not extension or not stem:
                    continue
                key = (name.parent / stem).as_posix()
                if key != now.key:
                    if now.key:
                        yield now, archive
                    outside = ".." in name.parts or name.is_absolute()
                    now = Sample(key, broken="its name leads out of the shard" if outside else "")
                if extension.lower() in now.members:
                    now = Sample(key, now.members, f"it has two files .{extension.lower()}")
                if member.issparse():
                    now = Sample(key, now.members, "it has a sparse file, whose size can be a lie")
                now.members[extension.lower()] = member
            if now.key:
                yield now, archive
    except InputError as error:
        yield Sample(now.key or "beginning", broken=str(error)), None


def _members(archive: Any) -> Iterator[tarfile.TarInfo]:
    """Yield the members of an archive, which ends with a block of zeros.

    Raises
    ------
    ReadError
        If the end is missing, or a size is negative: reading would go round in a circle.
    """
    begin = -1
    while (member := archive.next()) is not None:
        archive.members.clear()  # it would keep all of them, and memory would grow
        if archive.offset <= begin or member.size < 0:
            raise tarfile.ReadError("a size is negative")
        begin = archive.offset
        yield member
    if not _ends(archive):
        raise tarfile.ReadError("the mark at its end is missing")


def _ends(archive: Any) -> bool:
    """Tell whether an archive that was read through ends as it should, with a block of zeros."""
    archive.fileobj.seek(archive.offset)
    return bool(archive.fileobj.read(tarfile.BLOCKSIZE) == bytes(tarfile.BLOCKSIZE))

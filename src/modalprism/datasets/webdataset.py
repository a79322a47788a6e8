"""WebDataset shards: tar files in which the files of one example stand together, by one key.

``000.jpg``, ``000.txt`` and ``000.json`` are an example with the key ``000``. Nothing is unpacked.
"""

from __future__ import annotations

import glob
import hashlib
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from modalprism.datasets.dataset import (
    PICTURE_SUFFIXES,
    SOUND_SUFFIXES,
    Dataset,
    Row,
    ends_digest,
    pick,
    printable,
)
from modalprism.errors import InputError
from modalprism.foreign import guarded, parse_json, require_file


def expand(pattern: str) -> Iterator[str]:
    """Expand braces like a shell.

    Raises InputError if braces hold neither a range nor a list.

    Examples
    --------
    >>> list(expand("{a,b}-{08..10}.tar"))[:4]
    ['a-08.tar', 'a-09.tar', 'a-10.tar', 'b-08.tar']
    """
    braces = re.search(r"\{([^{}]*)\}", pattern)
    if braces is None:
        yield pattern
        return
    ends = re.fullmatch(r"(\d+)\.\.(\d+)", braces[1])
    if ends and int(ends[1]) <= int(ends[2]):
        numbers = range(int(ends[1]), int(ends[2]) + 1)
        words = [f"{number:0{len(ends[1])}}" for number in numbers]
    elif "," in braces[1]:
        words = braces[1].split(",")
    else:
        raise InputError(
            f"{{{braces[1]}}} in {pattern} is no range such as {{000..009}}, and no list"
        )
    for word in words:
        yield from expand(f"{pattern[: braces.start()]}{word}{pattern[braces.end() :]}")


def matching(pattern: str) -> list[Path]:
    """Return the files that match a pattern with braces or stars, in order.

    Raises InputError if one that is named is not there, or none matches.
    """
    paths: list[Path] = []
    for name in expand(pattern):
        # Only stars are a pattern: question marks and brackets stand for themselves.
        literal = re.sub(r"[?\[]", r"[\g<0>]", name)
        found = sorted(map(Path, glob.glob(literal))) if "*" in name else [Path(name)]
        if not found or not all(path.is_file() for path in found):
            raise InputError(f"there is no file {name}; check the pattern {pattern}")
        paths += found
    return list(dict.fromkeys(paths))


@dataclass(frozen=True)
class Sample:
    """The files of one example in a shard, by extension; `broken` says why they cannot be used."""

    key: str
    members: dict[str, tarfile.TarInfo] = field(default_factory=dict)
    broken: str = ""


def samples_of(shard: Path) -> Iterator[tuple[Sample, tarfile.TarFile | None]]:
    """Yield a shard's examples; the archive is open until the next one.

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

    Raises ReadError if the end is missing, or a size is negative: reading would go round in a
    circle.
    """
    begin = -1
    while (member := archive.next()) is not None:
        archive.members.clear()  # it would keep all of them, and memory would grow
        if archive.offset <= begin or member.size < 0:
            raise tarfile.ReadError("a size is negative")
        begin = archive.offset
        yield member
    archive.fileobj.seek(archive.offset)
    if archive.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("the mark at its end is missing")


_HEAD: Final = 16  # examples whose extensions and JSON keys are the columns
_MEDIA: Final = {suffix.removeprefix(".") for suffix in PICTURE_SUFFIXES | SOUND_SUFFIXES}
_ALSO: Final = {
    "image": tuple(sorted(suffix.removeprefix(".") for suffix in PICTURE_SUFFIXES)),
    "audio": tuple(suffix.removeprefix(".") for suffix in SOUND_SUFFIXES),
    "text": ("txt",),
    "label": ("cls",),
}
"""Columns that are whichever of these extensions an example has."""


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo, extension: str) -> Any:
    """Read a file: bytes of media, otherwise text where it is text; ``.cls`` is a number."""
    file = archive.extractfile(member)
    content = b"" if file is None else file.read()
    if extension.rpartition(".")[2] in _MEDIA:
        return content
    try:
        words = content.decode()
    except UnicodeDecodeError:
        return content
    number = words.strip()
    return int(number) if extension == "cls" and re.fullmatch(r"-?\d{1,18}", number) else words


class Shards(Dataset):
    """Shards, one after another; the id is the shard's name and the key.

    Columns are the extensions, the keys of the objects in ``.json``, and ``image``, ``audio``,
    ``text`` and ``label`` for whichever picture, ``.wav``, ``.txt`` or ``.cls`` there is. The
    headers are read once at the beginning, to count the examples.
    """

    quick = False

    def __init__(self, shards: Sequence[Path]) -> None:
        self.shards = tuple(map(require_file, shards))
        plain = len({shard.name for shard in shards}) == len(shards)
        self._names = [shard.name if plain else shard.as_posix() for shard in self.shards]
        self.length = 0
        columns: dict[str, None] = {}
        digest, head, broken = hashlib.sha256(), 0, ""
        for sample, archive, _ in self._samples():
            self.length += 1
            broken = broken or sample.broken
            for extension, member in sample.members.items():
                words = f"{sample.key}.{extension} {member.size}\n"
                digest.update(words.encode(errors="surrogateescape"))
            if archive and not sample.broken and head < _HEAD:
                head += 1
                names = sample.members
                columns |= dict.fromkeys(
                    name for name, also in _ALSO.items() if any(one in names for one in also)
                )
                columns |= dict.fromkeys(names)
                with suppress(InputError), guarded(sample.key):  # reported when it is read
                    columns |= dict.fromkeys(self._object(archive, sample))
        if not columns:
            raise InputError(broken or f"{self.shards[0]} holds no examples")
        self.columns = tuple(columns)
        self._headers = digest.hexdigest()

    def _samples(self) -> Iterator[tuple[Sample, tarfile.TarFile | None, str]]:
        for shard, name in zip(self.shards, self._names, strict=True):
            for sample, archive in samples_of(shard):
                yield sample, archive, name

    def rows(self, columns: Sequence[str], chosen: NDArray[np.int64] | None) -> Iterator[Row]:
        """Yield rows with `columns`; files of other examples are not read."""
        for position, (sample, archive, name) in pick(self._samples(), chosen):
            identity, broken = f"{name}/{printable(sample.key)}", sample.broken
            values: Mapping[str, Any] = {}
            if archive and not broken:
                try:
                    with guarded("it"):
                        values = self._values(archive, sample, columns)
                except InputError as error:
                    broken = str(error)
            yield Row(position, identity, values, broken)

    def _values(
        self, archive: tarfile.TarFile, sample: Sample, columns: Sequence[str]
    ) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for column in columns:
            also = (column, *_ALSO.get(column, ()))
            if extension := next((one for one in also if one in sample.members), None):
                values[column] = _read(archive, sample.members[extension], extension)
        if not values.keys() >= set(columns):
            values = {**self._object(archive, sample), **values}
        return values

    def _object(self, archive: tarfile.TarFile, sample: Sample) -> dict[str, Any]:
        """Read the object in ``.json``; empty where there is none."""
        if "json" not in sample.members:
            return {}
        values = parse_json(_read(archive, sample.members["json"], "json"), "its .json")
        return values if isinstance(values, dict) else {}

    def digest(self) -> str:
        """Hash all names and sizes inside, and the first and last MiB of every shard."""
        digests = "".join(ends_digest(shard) for shard in self.shards)
        return hashlib.sha256(f"{self._headers}{digests}".encode()).hexdigest()

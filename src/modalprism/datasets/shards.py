"""WebDataset shards: tar files in which the files of one example stand together, by one key.

``000.jpg``, ``000.txt`` and ``000.json`` are an example with the key ``000``. Nothing is unpacked.
"""

from __future__ import annotations

import hashlib
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from modalprism.datasets.rows import (
    PICTURE_SUFFIXES,
    SOUND_SUFFIXES,
    Row,
    Source,
    ends_digest,
    pick,
    printable,
)
from modalprism.datasets.tar_samples import Sample, samples_of
from modalprism.errors import InputError
from modalprism.foreign import guarded, parse_json, require_file

_LOOKED_AT: Final = 16
"""Examples whose extensions and JSON keys are the columns."""
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


class Shards(Source):
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
        digest, looked_at, broken = hashlib.sha256(), 0, ""
        for sample, archive, _ in self._samples():
            self.length += 1
            broken = broken or sample.broken
            for extension, member in sample.members.items():
                words = f"{sample.key}.{extension} {member.size}\n"
                digest.update(words.encode(errors="surrogateescape"))
            if archive and not sample.broken and looked_at < _LOOKED_AT:
                looked_at += 1
                columns |= dict.fromkeys(_columns(sample.members))
                with suppress(InputError), guarded(sample.key):  # said when the example is read
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
        """Yield rows with `columns`; of examples that are not chosen no file is read."""
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


def _columns(members: Mapping[str, Any]) -> Iterator[str]:
    yield from (name for name, also in _ALSO.items() if any(one in members for one in also))
    yield from members

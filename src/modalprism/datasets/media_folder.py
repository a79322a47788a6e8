"""A folder of pictures or recordings, in subfolders that are named as their class."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modalprism.datasets.dataset import (
    PICTURE_SUFFIXES,
    SOUND_SUFFIXES,
    SPLITS,
    Dataset,
    Row,
    pick,
    printable,
)
from modalprism.errors import InputError


def modality_of(name: str) -> str | None:
    """Return ``image`` or ``audio`` by the suffix of a file, or None.

    Examples
    --------
    >>> modality_of("a/b.JPG"), modality_of("a/b.txt")
    ('image', None)
    """
    suffix = os.path.splitext(name)[1].lower()
    if suffix in PICTURE_SUFFIXES:
        return "image"
    return "audio" if suffix in SOUND_SUFFIXES else None


class MediaFolder(Dataset):
    """Files in the order of their names; the label is the first subfolder's name.

    The id is the file's path in the folder. Names that begin with a dot are skipped.
    """

    def __init__(self, root: Path) -> None:
        self.root = self.folder = root
        self.length = 0
        found: set[str] = set()
        labels: set[str | None] = set()
        for name in self._names():
            label = name.split("/")[0] if "/" in name else None
            labels.add(label)
            found |= {modality_of(name) or "", "label" if label else ""}
            self.length += 1
        if not self.length:
            raise InputError(
                f"{root} holds nothing that is known as examples; give a folder of pictures or WAV "
                "files, with a table (.csv, .tsv, .jsonl) or in subfolders named as their class, "
                "of .parquet or .tar files, or one that a Hugging Face dataset was saved to"
            )
        if splits := sorted(label for label in labels if label and label.casefold() in SPLITS):
            raise InputError(
                f"{root} holds the split {splits[0]}, which is no class; give its folder, "
                f"{root / splits[0]}"
            )
        self.columns = tuple(name for name in ("image", "audio", "label") if name in found)

    def _names(self) -> Iterator[str]:
        for here, inside, files in os.walk(self.folder):
            inside[:] = sorted(name for name in inside if not name.startswith("."))
            beside = Path(here).relative_to(self.folder)
            for name in sorted(files):
                if modality_of(name) and not name.startswith("."):
                    yield (beside / name).as_posix()

    def rows(self, columns: Sequence[str], chosen: NDArray[np.int64] | None) -> Iterator[Row]:  # noqa: ARG002
        """Yield one row per file."""
        for position, name in pick(self._names(), chosen):
            label = name.split("/")[0] if "/" in name else None
            values = {str(modality_of(name)): name, "label": label and printable(label)}
            yield Row(position, printable(name), values)

    def digest(self) -> str:
        """Hash the names of all files."""
        digest = hashlib.sha256()
        for name in self._names():
            digest.update(f"{name}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()

    def file_columns(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Return all columns but the label."""
        return tuple(name for name in columns if name != "label")

"""Datasets of the library ``datasets``: saved to a folder, or of the hub, streamed or not.

Rows come as Arrow tables, which are not decoded: damage is found later, an example at a time.
"""

from __future__ import annotations

import hashlib
import importlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from modalprism import isolation
from modalprism.datasets.dataset import Dataset, Row, chosen_split, ends_digest, pick
from modalprism.datasets.parquet import arrow_row
from modalprism.errors import InputError, optional
from modalprism.files import check_names
from modalprism.foreign import WRITE_AGAIN, guarded, parse_json, require_file
from modalprism.remote import is_address

_LOCAL: Final = re.compile("^(file|local)://")
_STATE: Final = "state.json"
_SAVED: Final = ("dataset_dict.json", _STATE)
_ID: Final = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)(:(?P<config>[\w.-]+))?(@(?P<at>[\w./-]+))?")


class LibraryDataset(Dataset):
    """A dataset of the library, or a stream of one; messages call it `name`."""

    def __init__(self, dataset: Any, name: str, digest: str) -> None:
        self.quick = hasattr(dataset, "select")
        self.length = len(dataset) if self.quick else None
        self.name = name
        self._dataset = dataset.with_format("arrow")
        self._digest = digest
        features = dataset.features
        if features is None:  # of a stream that does not say
            first = next((table for _, table in self._tables(self._dataset, None)), None)
            features = {} if first is None else dict.fromkeys(first.column_names)
        self.columns = tuple(features)
        self._classes = {
            column: list(feature.names)
            for column, feature in features.items()
            if type(feature).__name__ == "ClassLabel"
        }
        if self.length == 0 or not self.columns:
            raise InputError(f"the dataset {name} has no rows")

    def _tables(
        self, dataset: Any, chosen: NDArray[np.int64] | None
    ) -> Iterator[tuple[int, pa.Table]]:
        numbered: Iterator[tuple[int, pa.Table]]
        if chosen is not None and self.quick:
            numbered = zip(chosen.tolist(), dataset.select(chosen).iter(batch_size=1), strict=True)
        else:
            numbered = pick(dataset.iter(batch_size=1), chosen)
        with guarded(f"the dataset {self.name}", "the same command goes on where it stopped"):
            yield from numbered

    def rows(self, columns: Sequence[str], chosen: NDArray[np.int64] | None) -> Iterator[Row]:
        """Yield rows with `columns`; only streams are read beyond the chosen rows."""
        dataset = self._dataset.select_columns(list(columns))
        for position, table in self._tables(dataset, chosen):
            row = arrow_row(table, position, self._classes)
            yield replace(row, values={name: _cell(value) for name, value in row.values.items()})

    def digest(self) -> str:
        """Return the hash that was computed when the dataset was opened."""
        return self._digest


def _cell(value: Any) -> Any:
    """Replace a file of the hub or of the library's cache by a function that reads it."""
    if isinstance(value, list):
        return [_cell(one) for one in value] if value and isinstance(value[0], dict) else value
    elsewhere = isinstance(value, Mapping) and value.keys() == {"bytes", "path"}
    if elsewhere and value["bytes"] is None and value["path"]:
        return partial(_fetch, value["path"])
    return value


def _fetch(path: str) -> bytes:
    here = _LOCAL.sub("", path.rpartition("::")[2])  # of a chain, the file that holds all else
    if not is_address(here):
        require_file(Path(here))
    with guarded(path), importlib.import_module("fsspec").open(path, "rb") as file:
        content: bytes = file.read()
        return content


def is_saved(folder: Path) -> bool:
    """Return whether the library saved a dataset, with or without splits, to this folder."""
    return any((folder / name).is_file() for name in _SAVED)


def is_hub_id(data: str) -> bool:
    """Return whether a string has the form ``owner/name:config@revision`` of the hub.

    Examples
    --------
    >>> is_hub_id("facebook/winoground"), is_hub_id("winoground"), is_hub_id("a/b/c")
    (True, False, False)
    """
    return _ID.fullmatch(data) is not None


def saved_dataset(folder: Path, split: str | None) -> Dataset:
    """Open a folder that the library saved a dataset to.

    Raises InputError if the library is missing, the folder is damaged, or has several splits, or
    not this one.
    """
    need = f"the saved dataset {folder} needs the library datasets"
    library = optional("datasets", need, "datasets")
    _check_saved(folder)
    with guarded(f"the dataset saved to {folder}"):
        dataset = library.load_from_disk(str(folder.absolute()))
    if isinstance(dataset, dict):
        split = chosen_split(split, list(dataset), folder)
        dataset, folder = dataset[split], folder / split
    elif split is not None and split != str(dataset.split):
        raise InputError(
            f"{folder} has no split {split!r}, only one, {dataset.split or 'without a name'}; "
            "leave split out",
            parameter="split",
        )
    digests = "".join(ends_digest(path) for path in sorted(folder.glob("*.arrow")))
    return LibraryDataset(dataset, str(folder), hashlib.sha256(digests.encode()).hexdigest())


def _check_saved(folder: Path) -> None:
    """Refuse a folder that holds pipes or devices, names files elsewhere, or is damaged."""
    for file in sorted(folder.rglob("*")):
        if not file.is_dir():
            require_file(file)
    for file in sorted(folder.rglob("*.json")):
        if file.name in _SAVED:
            content = parse_json(file.read_bytes(), file)
            with guarded(file):
                if file.name == _STATE:
                    named = [str(one["filename"]) for one in content["_data_files"]]
                else:
                    named = list(map(str, content["splits"]))
                check_names(named)
            if file.name == _STATE:
                _check_arrow([file.parent / name for name in named], file.parent)


def _check_arrow(files: Sequence[Path], folder: Path) -> None:
    """Refuse Arrow files that are damaged: reading one in this process may end it."""
    for file in files:
        require_file(file)
    with isolation.start("modalprism.datasets.arrow_child", *map(str, files)) as child:
        answer, _ = child.communicate()
    if answer != b"ok":
        reason = answer.decode() or "the Arrow library crashed on it, or was too slow"
        raise InputError(f"the dataset saved to {folder} cannot be read: {reason}; {WRITE_AGAIN}")


def hub_dataset(data: str, split: str | None, *, streaming: bool) -> Dataset:
    """Open a dataset of the hub, by its id; code that comes with it does not run.

    Raises InputError if the library is missing, there is no such dataset, or it has several splits,
    or not this one.
    """
    need = f"there is no file or folder {data}, and a dataset of the hub needs the library datasets"
    library = optional("datasets", need, "datasets")
    parts = _ID.fullmatch(data)
    name, config, revision = parts.group("name", "config", "at") if parts else (data, None, None)
    with guarded(f"{data} is no file or folder here, and as a dataset of the hub it"):
        builder = library.load_dataset_builder(name, config, revision=revision)
        files = builder.config.data_files or {}
        split = chosen_split(split, list(map(str, builder.info.splits or files)), data)
        if streaming:
            dataset = builder.as_streaming_dataset(split=split)
        else:
            builder.download_and_prepare()
            dataset = builder.as_dataset(split=split)
    # The hub's addresses of files say the revision, and so what is in them; paths do not.
    addresses = [
        ends_digest(Path(file)) if Path(file).is_file() else str(file)
        for file in files.get(split, ())
    ]
    words = f"{name} {builder.config.name} {split} {addresses}"
    return LibraryDataset(dataset, data, hashlib.sha256(words.encode()).hexdigest())

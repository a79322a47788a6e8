"""Writer of a store's shards; `shards` describes and reads them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.torch import save
from torch import Tensor

from modalprism.capture.notices import ShardNotices
from modalprism.capture.shards import (
    FINISHED,
    FORMAT,
    INDEX,
    METADATA_FILE,
    finished_shards,
    mark_of,
    paths_of,
    read_metadata,
)
from modalprism.errors import InputError
from modalprism.files import LOCK_FILE
from modalprism.remote import shown, write_through
from modalprism.strict_json import dumps
from modalprism.tables import parquet_bytes

SHARD_ROWS: Final = 512
SHARD_BYTES: Final = 256 * 2**20
"""A shard has fewer rows where so many would be larger than this: what is held stays bounded."""


@dataclass(frozen=True)
class IndexEntry:
    """Entry of an example, at its position in the dataset, in the index of a shard."""

    position: int
    id: str
    label: int | str | None
    groups: Mapping[str, str]


@dataclass
class StoreWriter:
    """Append rows to a store, a shard of at most `shard_rows` rows at a time.

    The rows of one shard are held in memory, and a kill may lose them. A store with other metadata
    is not resumed.
    """

    folder: Path
    metadata: Mapping[str, Any]
    shard_rows: int = SHARD_ROWS
    _number: int = 0
    _end: int = 0
    _rows: list[IndexEntry] = field(default_factory=list)
    _pending: dict[str, list[Tensor]] = field(default_factory=dict)
    _skipped: list[tuple[str, str]] = field(default_factory=list)
    _labelled: bool | None = None
    _grouped: tuple[str, ...] | None = None
    _notices: list[ShardNotices] = field(default_factory=list)
    _begun: bool = False

    def resume(self) -> tuple[int, int]:
        """Open the folder; return the next position and the number of rows.

        Raises InputError if the folder holds another capture, or something else.
        """
        described = self.folder / METADATA_FILE
        new = json.loads(dumps({"format": FORMAT, **self.metadata}))
        if described.is_file():
            old = read_metadata(self.folder)
            keys = sorted(new.keys() | old.keys())
            if key := next((key for key in keys if new.get(key) != old.get(key)), None):
                raise InputError(
                    f"{shown(self.folder)} holds another capture: its {key} is {old.get(key)!r}, "
                    f"not {new.get(key)!r}; give another out, or delete the folder",
                    parameter="out",
                )
        elif self.folder.is_dir() and any(p.name != LOCK_FILE for p in self.folder.iterdir()):
            raise InputError(
                f"{shown(self.folder)} is no store and not empty; give another out", parameter="out"
            )
        else:
            write_through(described, dumps(new, indent=1))
        for left in self.folder.glob("*.partial"):  # of a run that was killed while it wrote
            left.unlink()
        shards = finished_shards(self.folder)
        self._number = len(shards)
        self._end = shards[-1].end if shards else 0
        if written := next((shard for shard in shards if shard.rows), None):
            names = pq.read_schema(written.index.absolute()).names
            self._labelled = "label" in names
            self._grouped = tuple(sorted(n[6:] for n in names if n.startswith("group/")))
            self._begun = True
        return self._end, sum(shard.rows for shard in shards)

    def skip(self, position: int, name: str, why: str) -> None:
        """Record an example that cannot be used."""
        self._skipped.append((name, why))
        self._end = position + 1

    def add(
        self,
        rows: list[IndexEntry],
        arrays: Mapping[str, Tensor],
        notices: ShardNotices | None = None,
    ) -> None:
        """Append rows; a shard that is full is written.

        Raises InputError if one has a label and another none, or they have different groups.
        """
        if self._labelled is None:
            self._labelled = rows[0].label is not None
        if self._grouped is None:
            self._grouped = tuple(sorted(rows[0].groups))
        for row in rows:
            if (row.label is not None) != self._labelled:
                have, lacks = ("have", "lacks") if self._labelled else ("lack", "has")
                raise InputError(
                    f"the example {row.id!r} {lacks} a label, which others {have}; give all "
                    "examples one, or none"
                )
            if tuple(sorted(row.groups)) != self._grouped:
                raise InputError(
                    f"the example {row.id!r} has the groups {', '.join(row.groups) or 'none'}, and "
                    f"others {', '.join(self._grouped) or 'none'}; give all examples the same"
                )
        self._rows += rows
        self._notices += [notices] if notices else []
        self._end = rows[-1].position + 1
        for name, values in arrays.items():
            self._pending.setdefault(name, []).append(values)
        a_row = sum(values[0].numel() * values.element_size() for values in arrays.values())
        if len(self._rows) >= min(self.shard_rows, max(SHARD_BYTES // max(a_row, 1), 1)):
            self.flush()

    def finish(self) -> None:
        """Write pending rows and ``finished.json``."""
        self.flush()
        write_through(self.folder / FINISHED, mark_of(self.folder))

    def flush(self) -> None:
        """Write pending rows as a shard."""
        if not self._rows and not self._skipped:
            return
        arrays_path, index_path = paths_of(self.folder, self._number)
        content = save({name: torch.cat(shards) for name, shards in self._pending.items()})
        write_through(arrays_path, content, keep=False)
        metadata: dict[str, Any] = {
            "checksum": hashlib.sha256(content).hexdigest(),
            "end": self._end,
            "skipped": self._skipped,
        }
        summed = ShardNotices.summed(self._notices)
        if notices := (replace(summed, prompt="") if self._begun else summed).stored():
            metadata["notices"] = notices
        self._begun = self._begun or bool(self._rows)
        write_through(index_path, _index(self._rows, metadata))
        self._number += 1
        self._rows, self._pending, self._skipped, self._notices = [], {}, [], []


def _index(rows: list[IndexEntry], metadata: dict[str, Any]) -> bytes:
    columns: dict[str, Any] = {
        "position": pa.array([row.position for row in rows], pa.int64()),
        "id": pa.array([row.id for row in rows], pa.string()),
    }
    labels = [row.label for row in rows]
    if labels and labels[0] is not None:  # all have one, or none
        whole = all(isinstance(label, int) for label in labels)
        columns["label"] = pa.array(
            labels if whole else [str(label) for label in labels],
            pa.int64() if whole else pa.string(),
        )
    for name in sorted({name for row in rows for name in row.groups}):
        columns[f"group/{name}"] = pa.array([str(row.groups.get(name)) for row in rows])
    table = pa.table(columns).replace_schema_metadata({INDEX: dumps(metadata).encode()})
    return parquet_bytes(table)

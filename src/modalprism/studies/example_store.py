"""The examples of a run on disk: one tidy row each, with thumbnails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from modalprism.errors import InputError
from modalprism.files import write_whole
from modalprism.foreign import guarded, require_file
from modalprism.results.examples import ShownExample
from modalprism.results.quantities import ATOMS, keys
from modalprism.tables import parquet_bytes, parquet_table

EXAMPLES_FILE: Final = "examples.parquet"

_ATOMS: Final = [f"{which}_{name}".lstrip("_") for name, which in keys(ATOMS, ("first", "second"))]
SCHEMA: Final = pa.schema(
    [
        ("model", pa.string()),
        ("dataset", pa.string()),
        ("atom", pa.string()),  # the atom it stands for: redundancy | unique | synergy
        ("modality", pa.string()),  # whose, of unique; null for others
        ("rank", pa.int64()),  # 0 for the first
        ("row", pa.int64()),  # of the store
        ("id", pa.string()),
        ("first_modality", pa.string()),
        ("second_modality", pa.string()),
        *((name, pa.float64()) for name in _ATOMS),  # pointwise, in `unit`
        ("unit", pa.string()),
        ("label", pa.string()),  # null where unknown, as in all below
        ("answer", pa.string()),
        ("probability", pa.float64()),
        ("first_picture", pa.binary()),  # WebP
        ("second_picture", pa.binary()),
        ("first_text", pa.string()),
        ("second_text", pa.string()),
        ("note", pa.string()),  # why it cannot be shown
    ]
)


def pack_examples(examples: Sequence[ShownExample]) -> bytes:
    """Return the content of a file of examples, one row each."""
    # In the order of the schema, from which the names are: nothing stands twice.
    rows = (
        (
            *(one.model, one.dataset, one.atom, one.modality, one.rank, one.row, one.id),
            *(*one.modalities, *one.atoms, one.unit, one.label, one.answer, one.probability),
            *(*one.pictures, *one.texts, one.note),
        )
        for one in examples
    )
    records = [dict(zip(SCHEMA.names, row, strict=True)) for row in rows]
    return parquet_bytes(pa.Table.from_pylist(records, schema=SCHEMA))


def unpack_examples(content: bytes, what: str | Path) -> list[ShownExample]:
    """Read the content of a file of examples; an `InputError` about `what` if it is damaged."""
    table = parquet_table(content, what)
    if not table.schema.equals(SCHEMA):
        raise InputError(f"{what} lacks columns of examples; run the study again")
    return [_example(record) for record in table.to_pylist()]


def write_examples(folder: Path, examples: Sequence[ShownExample]) -> None:
    """Write a run's examples, whole or not at all; without examples there is no file."""
    path = folder / EXAMPLES_FILE
    if examples:
        write_whole(path, pack_examples(examples))
    else:
        path.unlink(missing_ok=True)


def read_examples(folder: Path) -> list[ShownExample]:
    """Read a run's examples; none where it has no file of them."""
    path = folder / EXAMPLES_FILE
    if not path.is_file():
        return []
    with guarded(path):
        return unpack_examples(require_file(path).read_bytes(), path)


def _example(record: Mapping[str, Any]) -> ShownExample:
    def pair(what: str) -> tuple[Any, Any]:
        return record[f"first_{what}"], record[f"second_{what}"]

    redundancy, one, other, synergy = (record[name] for name in _ATOMS)
    same = ("model", "dataset", "atom", "modality", "rank", "row", "id", "unit", "label")
    return ShownExample(
        **{name: record[name] for name in (*same, "answer", "probability", "note")},
        modalities=pair("modality"),
        atoms=(redundancy, one, other, synergy),
        pictures=pair("picture"),
        texts=pair("text"),
    )

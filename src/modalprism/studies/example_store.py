"""The examples of a run on disk: one tidy row each, with its thumbnails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from modalprism.errors import InputError
from modalprism.files import write_whole
from modalprism.foreign import parse_json
from modalprism.parquet import parquet_bytes, read_parquet
from modalprism.plotting.examples import ShownExample
from modalprism.strict_json import dumps

EXAMPLES_FILE: Final = "examples.parquet"
_KEYS: Final = b"modalprism"

_ATOMS: Final = ("redundancy", "first_unique", "second_unique", "synergy")
SCHEMA: Final = pa.schema(
    [
        ("model", pa.string()),
        ("dataset", pa.string()),
        ("atom", pa.string()),  # of which it tells most: redundancy | unique | synergy
        ("modality", pa.string()),  # whose, of unique; null for others
        ("rank", pa.int64()),  # 0 for the first
        ("row", pa.int64()),  # of the store
        ("id", pa.string()),
        ("first_modality", pa.string()),
        ("second_modality", pa.string()),
        *((name, pa.float64()) for name in _ATOMS),  # pointwise, in `unit`
        ("unit", pa.string()),
        ("label", pa.string()),  # null where nobody knows, as in all below
        ("answer", pa.string()),
        ("probability", pa.float64()),
        ("first_picture", pa.binary()),  # WebP
        ("second_picture", pa.binary()),
        ("first_text", pa.string()),
        ("second_text", pa.string()),
        ("note", pa.string()),  # why it cannot be shown
    ]
)


def write_examples(
    folder: Path, examples: Sequence[ShownExample], keys: Mapping[str, str] | None = None
) -> None:
    """Write a run's examples, whole or not at all; where there are none, there is no file.

    Parameters
    ----------
    folder : Path
    examples : sequence of ShownExample
    keys : mapping, optional
        By case, see `case_of`, what its examples were made of.
    """
    path = folder / EXAMPLES_FILE
    if not examples:
        path.unlink(missing_ok=True)
        return
    words = {_KEYS: dumps(dict(keys or {}), sort_keys=True).encode()}
    table = pa.Table.from_pylist(
        [_record(example) for example in examples], schema=SCHEMA.with_metadata(words)
    )
    write_whole(path, parquet_bytes(table))


def read_examples(folder: Path) -> list[ShownExample]:
    """Read a run's examples; none where it has no file of them.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    path = folder / EXAMPLES_FILE
    if not path.is_file():
        return []
    table = read_parquet(path)
    if not table.schema.equals(SCHEMA):
        raise InputError(f"{path} lacks columns of examples; run the study again")
    return [_example(record) for record in table.to_pylist()]


def written_before(folder: Path) -> dict[str, list[ShownExample]]:
    """Return what an earlier run wrote, by what it was made of; what it could not read is left."""
    try:
        examples = read_examples(folder)
        words = pq.read_schema((folder / EXAMPLES_FILE).absolute()).metadata if examples else {}
        keys = parse_json((words or {}).get(_KEYS, b"{}"), folder / EXAMPLES_FILE)
    except InputError:
        return {}
    before: dict[str, list[ShownExample]] = {}
    for example in examples:
        key = keys.get(case_of(example.model, example.dataset))
        if key is not None:
            before.setdefault(key, []).append(example)
    return {key: shown for key, shown in before.items() if not any(one.note for one in shown)}


def case_of(model: str, dataset: str) -> str:
    """Name a case among the keys of the file."""
    return dumps([model, dataset])


def _record(example: ShownExample) -> dict[str, Any]:
    # In the order of the schema, from which the names are: nothing stands twice.
    values = (
        *(example.model, example.dataset, example.atom, example.modality, example.rank),
        *(example.row, example.id, *example.modalities, *example.atoms, example.unit),
        *(example.label, example.answer, example.probability),
        *(*example.pictures, *example.texts, example.note),
    )
    return dict(zip(SCHEMA.names, values, strict=True))


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

"""Examples whose inputs are decoded on access, so that a damaged one can be skipped."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modalprism.datasets.columns import Columns, Modality
from modalprism.datasets.contents import content_of, is_empty, text_of, unwrapped, word_of
from modalprism.datasets.dataset import Example, Row
from modalprism.datasets.labels import Labels, label_from
from modalprism.datasets.media import picture_of, resampled, side_by_side, sound_of
from modalprism.errors import InputError


@dataclass(frozen=True, eq=False)
class LazyInputs(Mapping[str, Any]):
    """Inputs of a model by modality, decoded from the cells of a row at every access.

    Names of files are relative to `root`, and recordings are brought to `sampling_rate`, in Hz.
    `broken` says why there are no values. Asking raises `InputError` where a value cannot be used;
    it names the row, the column and the cause.
    """

    id: str
    modalities: Mapping[str, Modality]
    cells: Mapping[str, Any]
    root: Path | None
    sampling_rate: int
    broken: str = ""

    def __getitem__(self, name: str) -> Any:
        if name not in self.modalities:
            raise InputError(
                f"there is no {name!r} in this dataset, only {', '.join(self.modalities)}; say "
                f"which column it is, {name}=…"
            )
        if self.broken:
            raise InputError(f"row {self.id!r}: {self.broken}")
        modality = self.modalities[name]
        if modality.prompt is not None:
            try:
                return modality.prompt.filled(self.cells)
            except InputError as error:
                raise InputError(f"row {self.id!r}, {error}") from error
        values = [self._cell(column, modality.kind) for column in modality.columns]
        return side_by_side(values) if modality.beside else values[0]

    def _cell(self, column: str, kind: str) -> Any:
        try:
            if column not in self.cells:
                raise InputError("it is missing")
            value = self.cells[column]
            match kind:
                case "image":
                    return picture_of(content_of(value, self.root))
                case "audio":
                    if isinstance(value, Mapping) and "array" in value:
                        return _waveform(value, self.sampling_rate)
                    return sound_of(content_of(value, self.root), self.sampling_rate)
                case "array":
                    return _array(value)
            return text_of(value)
        except InputError as error:
            raise InputError(f"row {self.id!r}, column {column!r}: {error}") from error

    def __contains__(self, name: object) -> bool:
        return name in self.modalities

    def get(self, name: str, default: Any = None) -> Any:
        """Return a modality, or `default` where the dataset has none of that name."""
        # Mapping's own catches KeyError, and what cannot be decoded is no KeyError.
        return self[name] if name in self else default  # noqa: SIM401

    def __iter__(self) -> Iterator[str]:
        return iter(self.modalities)

    def __len__(self) -> int:
        return len(self.modalities)


def example_of(
    row: Row,
    columns: Columns,
    root: Path | None,
    sampling_rate: int,
    labels: Labels | None = None,
) -> Example:
    """Make an example of a row.

    Mistakes of its label or groups are reported when its inputs are read, as all others.
    """
    broken = row.broken
    identity = row.id if columns.id is None else f"row {row.position}"
    label: int | str | None = None
    groups: dict[str, str] = {}
    if not broken:
        try:
            identity = _identity(row, columns)
            if columns.label:
                place = f"its label in column {columns.label!r}"
                label = label_from(row.values.get(columns.label), labels or Labels(), place)
                if label is None and not (labels and labels.only):
                    # Kept as none beside others' labels, it would be one more class.
                    raise InputError(f"{place} is empty; say label= where there is none")
            groups = {name: group_of(name, row.values.get(name)) for name in columns.groups}
        except InputError as error:
            broken = str(error)
    inputs = LazyInputs(identity, columns.modalities, row.values, root, sampling_rate, broken)
    return Example(identity, inputs, label, groups)


def _identity(row: Row, columns: Columns) -> str:
    if columns.id is None:
        return row.id
    value = word_of(row.values.get(columns.id))
    if is_empty(value) or not isinstance(value, str | int):
        raise InputError(f"its id in column {columns.id!r} is {value!r}; give a word or number")
    return str(value)


def group_of(name: str, value: Any) -> str:
    """Return a row's value of a group column as text; bytes become a digest.

    Raises InputError if it is missing, or neither a word nor a number.
    """
    value = unwrapped(value)
    if callable(value):
        value = content_of(value, None)
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()[:16]
    value = word_of(value)
    if is_empty(value) or not isinstance(value, str | int | float):
        raise InputError(f"its group in column {name!r} is {value!r:.60}; give a word or number")
    return str(value)


def _waveform(value: Mapping[str, Any], sampling_rate: int) -> NDArray[np.float32]:
    rate = value.get("sampling_rate")
    if not isinstance(rate, int | float):
        raise InputError(f"its sampling_rate is {rate!r}; give it in Hz")
    samples = _array(value["array"])
    if np.asarray(value["array"]).dtype.kind in "iu":
        raise InputError("its samples are whole numbers of a range nobody knows; give −1 to 1")
    return resampled(samples, rate, sampling_rate)


def _array(value: Any) -> NDArray[np.float32]:
    try:
        array = np.asarray(value, dtype=np.float32)
    except (ValueError, TypeError) as error:
        raise InputError(f"it is no array of numbers: {error}") from error
    if not array.size or not np.isfinite(array).all():
        raise InputError("it is empty, or a number is not finite")
    return array

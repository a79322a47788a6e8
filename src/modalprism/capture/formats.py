"""The kinds of file and folder that hold named arrays; each is read when asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from modalprism.capture.parts import REDRAWN, WORDS, PartsReader
from modalprism.datasets.arrays import DAMAGE, open_archive
from modalprism.errors import InputError
from modalprism.remote import shown
from modalprism.strict_json import dumps

HEADER: Final = "modalprism"
BROKEN: Final = (SafetensorError, pa.ArrowException, *DAMAGE)
"""All that the readers raise when a file is damaged, truncated, or of another kind."""


@dataclass(frozen=True)
class Format:
    """How a kind of file is read.

    Attributes
    ----------
    names : callable
        Path → names of arrays, and what the writer said of them.
    array : callable
        Path and name → array.
    """

    names: Callable[[Path], tuple[tuple[str, ...], dict[str, str]]]
    array: Callable[[Path, str], NDArray[Any]]


def _npz_names(path: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    with open_archive(path) as archive:
        return tuple(archive.files), {}


def _npz_array(path: Path, name: str) -> NDArray[Any]:
    with open_archive(path) as archive:
        array: NDArray[Any] = archive[name]
        return array


def _safetensors_names(path: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    with safe_open(path, framework="np") as file:
        header = file.metadata() or {}
        words: dict[str, str] = json.loads(header[HEADER]) if HEADER in header else header
        return tuple(file.keys()), words


def _safetensors_array(path: Path, name: str) -> NDArray[Any]:
    # Through torch, since NumPy has no bfloat16.
    with safe_open(path, framework="pt") as file:
        tensor = file.get_tensor(name)
        array: NDArray[Any] = (
            tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor
        ).numpy()
        return array


def _parquet_names(path: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    return tuple(pq.read_schema(path).names), {}


def _parquet_array(path: Path, name: str) -> NDArray[Any]:
    """Read a column: a number or word a row, or a list of equally many numbers."""
    column = pq.read_table(path, columns=[name])[name].combine_chunks()
    if not isinstance(column, pa.ListArray | pa.LargeListArray | pa.FixedSizeListArray):
        values: NDArray[Any] = column.to_numpy(zero_copy_only=False)
        return values
    lengths = np.unique(np.asarray(pa.compute.list_value_length(column).to_pylist(), dtype=float))
    if len(lengths) != 1 or not np.isfinite(lengths[0]):
        raise ValueError(f"the lists of column {name!r} differ in length, or some are missing")
    flat: NDArray[Any] = column.flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(column), int(lengths[0]))


def _hdf5() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise InputError(
            "HDF5 files need h5py; run pip install 'modalprism[formats]', or save .npz"
        ) from error
    return h5py


def _hdf5_names(path: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    h5py = _hdf5()
    found: list[str] = []
    with h5py.File(path, "r") as file:
        file.visititems(
            lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None
        )
    return tuple(found), {}


def _hdf5_array(path: Path, name: str) -> NDArray[Any]:
    h5py = _hdf5()
    with h5py.File(path, "r") as file:
        values: NDArray[Any] = file[name][()]
    return np.asarray([_word(value) for value in values]) if values.dtype == object else values


def _word(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def _zarr() -> Any:
    try:
        import zarr
    except ImportError as error:
        raise InputError(
            "zarr stores need zarr; run pip install 'modalprism[formats]', or save .npz"
        ) from error
    return zarr


def _zarr_names(path: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    zarr = _zarr()
    group = zarr.open_group(path, mode="r")
    return tuple(
        name for name, item in group.members(max_depth=None) if isinstance(item, zarr.Array)
    ), {}


def _zarr_array(path: Path, name: str) -> NDArray[Any]:
    values: NDArray[Any] = np.asarray(_zarr().open_group(path, mode="r")[name][...])
    return values


def _parts_names(path: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    reader = PartsReader.open(path)
    words = {
        key: value if isinstance(value, str) else dumps(value)
        for key, value in reader.words.items()
    }
    redrawn = reader.redrawn()
    also = () if redrawn is None else (name for name in redrawn.names if name != "id")
    # Whose input a redrawn run was given, its index says in group columns.
    return reader.names + tuple(f"{REDRAWN}/{name.removeprefix('group/')}" for name in also), words


def _parts_array(path: Path, name: str) -> NDArray[Any]:
    reader = PartsReader.open(path)
    own = name.removeprefix(f"{REDRAWN}/")
    if own == name or (redrawn := reader.redrawn()) is None:
        return reader.array(name)
    return redrawn.array(own if own in redrawn.names else f"group/{own}")


_PARTS: Final = Format(_parts_names, _parts_array)
_HDF5: Final = Format(_hdf5_names, _hdf5_array)
FORMATS: Final[dict[str, Format]] = {
    ".npz": Format(_npz_names, _npz_array),
    ".safetensors": Format(_safetensors_names, _safetensors_array),
    ".parquet": Format(_parquet_names, _parquet_array),
    ".h5": _HDF5,
    ".hdf5": _HDF5,
    ".zarr": Format(_zarr_names, _zarr_array),
}


def format_of(path: Path) -> Format:
    """Tell a file's or folder's format.

    Raises
    ------
    InputError
        If it does not exist, or is none of those that can be read.
    """
    if not path.exists():
        raise InputError(f"the embeddings file {shown(path)} does not exist; check the path")
    if path.is_dir() and ((path / WORDS).is_file() or path.suffix != ".zarr"):
        return _PARTS
    if path.suffix in FORMATS:
        return FORMATS[path.suffix]
    raise InputError(
        f"{shown(path)} is neither a store nor one of {', '.join(FORMATS)}; save named arrays in "
        "one of them"
    )

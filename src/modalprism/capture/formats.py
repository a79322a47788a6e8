"""Formats of files and folders with named arrays; an array is read on request.

In zarr folders, only codecs of numbers and words are allowed: a codec of NumPy objects may run code
when it decodes. An array's own metadata are checked; consolidated metadata are not read.
"""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final, Literal, cast
from unicodedata import category

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from safetensors import safe_open

from modalprism import isolation
from modalprism.arrays import tensor_array
from modalprism.capture.named_arrays import NamedArrays
from modalprism.capture.shards import METADATA_FILE, REDRAWN, StoreReader, read_notices
from modalprism.datasets.arrays import open_archive
from modalprism.errors import InputError, optional
from modalprism.foreign import (
    WRITE_AGAIN,
    guarded,
    parse_json,
    repeated_name,
    require_chunks,
    require_file,
    require_plain_folder,
    require_room,
)
from modalprism.remote import shown
from modalprism.strict_json import dumps

_CHILD: Final = "modalprism.capture.hdf5_child"
HEADER: Final = "modalprism"
_ODD: Final = {"Cc", "Cs"}
_LISTS: Final = (
    *(pa.ListType, pa.LargeListType, pa.FixedSizeListType),
    *(pa.ListViewType, pa.LargeListViewType),
)
_VERSIONS: Final[dict[str, Literal[2, 3]]] = {"zarr.json": 3, ".zarray": 2}
_WORD_CODECS: Final = frozenset({"vlen-utf8", "vlen-bytes"})
_NUMBER_CODECS: Final = frozenset(
    {
        *("adler32", "crc32", "crc32c", "fletcher32", "jenkins_lookup3"),
        *("blosc", "bz2", "gzip", "lz4", "lzma", "zlib", "zstd"),
        *("astype", "bitround", "delta", "fixedscaleoffset", "packbits", "quantize", "shuffle"),
        *("bytes", "transpose", "sharding_indexed"),
    }
)
Opener = Callable[[Path], AbstractContextManager[NamedArrays]]


@contextmanager
def open_hdf5(path: Path) -> Iterator[NamedArrays]:
    """Open an HDF5 file; an array's name is its path in it."""
    if importlib.util.find_spec("h5py") is None:
        raise InputError(
            "HDF5 files need h5py; run pip install 'modalprism[formats]', or save .npz"
        )
    with isolation.start(_CHILD, str(path.absolute())) as child:
        try:
            yield NamedArrays(
                lambda: _request(child, None, shown(path))["names"],
                lambda name, what: _array(child, name, what),
            )
        finally:
            child.kill()


def _request(child: subprocess.Popen[bytes], name: str | None, what: str) -> dict[str, Any]:
    to_child = cast(IO[bytes], child.stdin)
    with suppress(BrokenPipeError):  # the child ended; reading says so
        to_child.write(dumps(name).encode() + b"\n")
        to_child.flush()
    return _answer(child, what)


def _answer(child: subprocess.Popen[bytes], what: str) -> dict[str, Any]:
    line = cast(IO[bytes], child.stdout).readline()
    if not line:
        raise ValueError(
            f"the HDF5 library crashed on it, or took longer than {isolation.PATIENCE:g} s"
        )
    answer: dict[str, Any] = json.loads(line)
    if "refused" in answer:
        raise InputError(f"{what} cannot be read: {answer['refused']}")
    if "error" in answer:
        raise ValueError(answer["error"])
    return answer


def _array(child: subprocess.Popen[bytes], name: str, what: str) -> NDArray[Any]:
    header = _request(child, name, what)
    shape = tuple(header["shape"])
    if header["dtype"] is None:
        words: list[str] = []
        while len(words) < math.prod(shape):
            words += _answer(child, what)["words"]
        found = np.empty(len(words), dtype=object)
        found[:] = words
        return found.reshape(shape)
    dtype = np.dtype(header["dtype"])
    require_room(math.prod(shape) * dtype.itemsize, what)
    array = np.empty(shape, dtype)
    rest = memoryview(array.reshape(-1).view(np.uint8).data) if array.nbytes else memoryview(b"")
    while rest:
        size = _answer(child, what)["bytes"]
        while size:
            read = child.stdout.readinto(rest[:size])  # type: ignore[union-attr]
            if not read:
                raise ValueError("the HDF5 library crashed on it")
            size, rest = size - read, rest[read:]
    return array


@contextmanager
def open_parquet(path: Path) -> Iterator[NamedArrays]:
    """Open a parquet file; its columns hold numbers, words, lists of equal shape, or tensors."""
    with pq.ParquetFile(path.absolute()) as file:

        def read(name: str, what: str) -> NDArray[Any]:
            # Every row takes a byte at least. What a file claims is not yet what it holds.
            require_room(file.metadata.num_rows, what)
            column = file.read(columns=[name], use_threads=False).column(name).combine_chunks()
            return column_array(column, what)

        yield NamedArrays(lambda: file.schema_arrow.names, read)


def column_array(column: pa.Array, what: str) -> NDArray[Any]:
    """Return a column, which messages call `what`, as an array whose first axis is the rows.

    Numbers and words give shape (n,). Lists of equal length, also as views or nested, and tensors
    of a fixed shape add axes: a list of one list of four numbers a row gives (n, 1, 4). Raises
    InputError if lists differ in length, or some are missing.

    Examples
    --------
    >>> column_array(pa.array([[[1, 2]], [[3, 4]]]), "the column").shape
    (2, 1, 2)
    """
    if isinstance(column, pa.FixedShapeTensorArray):
        if column.null_count:
            raise InputError(f"{what} cannot be read: some of its tensors are missing")
        tensors: NDArray[Any] = column.to_numpy_ndarray()
        return tensors
    if isinstance(column, pa.ExtensionArray):
        return column_array(column.storage, what)
    kind = column.type
    if pa.types.is_decimal(kind):
        column = column.cast(pa.float64())
    if not isinstance(kind, _LISTS):
        values: NDArray[Any] = column.to_numpy(zero_copy_only=False)
        return values
    lengths = pc.unique(pc.list_value_length(column)).to_pylist()
    if len(lengths) > 1 or None in lengths:
        raise InputError(f"{what} cannot be read: its lists differ in length, or some are missing")
    inner = column_array(column.flatten(), what)
    return inner.reshape(len(column), lengths[0] if lengths else 0, *inner.shape[1:])


@contextmanager
def open_zarr(path: Path) -> Iterator[NamedArrays]:
    """Open a zarr folder; an array's name is its path in it."""
    zarr = optional("zarr", "zarr stores need zarr, or save .npz", "formats")
    versions = {
        file.parent.relative_to(path).as_posix(): _VERSIONS[file.name]
        for file in require_plain_folder(path, shown(path))
        if file.name == ".zarray"
        or (file.name == "zarr.json" and _metadata(file).get("node_type") == "array")
    }
    if "." in versions:
        raise InputError(
            f"{shown(path)} is one array without a name; save it as an array of a group"
        )

    def read(name: str, what: str) -> NDArray[Any]:
        version = versions[name]
        _check_codecs(path / name, version)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on parts of the format that may change
            array = zarr.open_array(path / name, mode="r", zarr_format=version)
            for chunks in (array.chunks, array.shards or array.chunks):
                require_chunks(array.shape, chunks, array.dtype.itemsize, what)
            return np.asarray(array[...])

    yield NamedArrays(lambda: list(versions), read)


def _metadata(file: Path) -> dict[str, Any]:
    metadata = parse_json(file.read_bytes(), shown(file))
    if not isinstance(metadata, dict):
        raise InputError(f"{shown(file)} is not a JSON object")
    return metadata


def _check_codecs(folder: Path, version: int) -> None:
    """Refuse an array that holds Python objects, or whose codec is not known to be safe."""
    metadata = _metadata(folder / {3: "zarr.json", 2: ".zarray"}[version])
    if version == 2:
        codecs = [*(metadata.get("filters") or ()), metadata.get("compressor")]
        names = {str(codec["id"]) for codec in codecs if codec is not None}
        if "O" in str(metadata.get("dtype")) and not names & _WORD_CODECS:
            raise InputError(f"{shown(folder)} holds Python objects; save numbers or words")
    else:
        names = set(_codec_names(metadata["codecs"]))
    if unknown := sorted(names - _NUMBER_CODECS - _WORD_CODECS):
        raise InputError(
            f"{shown(folder)} uses the codec {unknown[0]!r}, which is not read; write it again "
            "with zstd, blosc or gzip"
        )


def _codec_names(codecs: Iterable[Any]) -> Iterator[str]:
    """Yield the names of codecs of version 3, those inside of shards too."""
    for codec in codecs:
        described = codec if isinstance(codec, dict) else {"name": codec}
        yield str(described["name"]).removeprefix("numcodecs.")
        inner = described.get("configuration") or {}
        for key in ("codecs", "index_codecs"):
            yield from _codec_names(inner.get(key) or ())


@contextmanager
def opened(path: Path) -> Iterator[NamedArrays]:
    """Open a file or folder of named arrays.

    Raises InputError if it does not exist, is none of those that can be read, or is damaged.
    """
    opener = _opener_of(path)
    with ExitStack() as stack:
        with guarded(shown(path), WRITE_AGAIN):
            arrays = stack.enter_context(opener(path))
        yield arrays


def names_of(arrays: NamedArrays, path: Path) -> tuple[str, ...]:
    """Return the names of all arrays of an open file.

    Raises InputError if the file is damaged, a name cannot be printed, or two arrays have the same.
    """
    with guarded(shown(path), WRITE_AGAIN):
        names = tuple(arrays.names())
    if odd := next((name for name in names if any(category(c) in _ODD for c in name)), None):
        raise InputError(f"{shown(path)} has an array of the name {odd!a}; use printable names")
    if (twice := repeated_name(names)) is not None:
        raise InputError(f"{shown(path)} has two arrays of the name {twice!r}; names must differ")
    return names


@contextmanager
def _npz(path: Path) -> Iterator[NamedArrays]:
    with open_archive(path) as archive:
        yield NamedArrays(lambda: archive.files, lambda name, _: archive[name])


@contextmanager
def _safetensors(path: Path) -> Iterator[NamedArrays]:
    # Through torch, since NumPy has no bfloat16.
    with safe_open(path, framework="pt") as file:

        def read(name: str, what: str) -> NDArray[Any]:
            require_room(max(file.get_slice(name).get_shape(), default=0), what)
            return tensor_array(file.get_tensor(name))

        header = file.metadata() or {}
        words = parse_json(header[HEADER], "its metadata") if HEADER in header else header
        yield NamedArrays(file.keys, read, _as_words(words))


def _as_words(metadata: Any) -> dict[str, str]:
    if not isinstance(metadata, Mapping):
        raise ValueError("its metadata are not a JSON object")
    return {
        str(key): value if isinstance(value, str) else dumps(value)
        for key, value in metadata.items()
    }


@contextmanager
def _shards(path: Path) -> Iterator[NamedArrays]:
    reader = StoreReader.open(path)
    redrawn = reader.redrawn()
    also = () if redrawn is None else (name for name in redrawn.names if name != "id")
    # Whose input a redrawn run was given, its index says in group columns.
    names = [*reader.names, *(f"{REDRAWN}/{name.removeprefix('group/')}" for name in also)]

    def read(name: str, _: str) -> NDArray[Any]:
        own = name.removeprefix(f"{REDRAWN}/")
        if own == name or redrawn is None:
            return reader.array(name)
        return redrawn.array(own if own in redrawn.names else f"group/{own}")

    notices = read_notices(path).stored()
    metadata = reader.metadata | ({"notices": notices} if notices else {})
    yield NamedArrays(lambda: names, read, _as_words(metadata))


FORMATS: Final[dict[str, Opener]] = {
    ".npz": _npz,
    ".safetensors": _safetensors,
    ".parquet": open_parquet,
    ".h5": open_hdf5,
    ".hdf5": open_hdf5,
    ".zarr": open_zarr,
}


def _opener_of(path: Path) -> Opener:
    if path.is_dir():
        return _shards if path.suffix != ".zarr" or (path / METADATA_FILE).is_file() else open_zarr
    if path.suffix not in FORMATS and path.exists():
        raise InputError(
            f"{shown(path)} is neither a store nor one of {', '.join(FORMATS)}; save named arrays "
            "in one of them"
        )
    require_file(path, shown(path))
    return FORMATS[path.suffix]

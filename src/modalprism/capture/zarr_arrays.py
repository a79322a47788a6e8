"""Embeddings in zarr folders, of versions 2 and 3 of the format.

A codec of NumPy objects may run code when it decodes, so only codecs of numbers and words are
allowed. They are checked in an array's own metadata; consolidated metadata are not read.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from modalprism.capture.named_arrays import NamedArrays
from modalprism.errors import InputError
from modalprism.foreign import parse_json, require_chunks, require_plain_folder
from modalprism.remote import shown

_VERSIONS: Final[dict[str, Literal[2, 3]]] = {"zarr.json": 3, ".zarray": 2}
_WORDS: Final = frozenset({"vlen-utf8", "vlen-bytes"})
_NUMBERS: Final = frozenset(
    {
        *("adler32", "crc32", "crc32c", "fletcher32", "jenkins_lookup3"),
        *("blosc", "bz2", "gzip", "lz4", "lzma", "zlib", "zstd"),
        *("astype", "bitround", "delta", "fixedscaleoffset", "packbits", "quantize", "shuffle"),
        *("bytes", "transpose", "sharding_indexed"),
    }
)


@contextmanager
def open_zarr(path: Path) -> Iterator[NamedArrays]:
    """Open a zarr folder; an array's name is its path in it."""
    try:
        import zarr
    except ImportError as error:
        raise InputError(
            "zarr stores need zarr; run pip install 'modalprism[formats]', or save .npz"
        ) from error
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
    words = parse_json(file.read_bytes(), shown(file))
    if not isinstance(words, dict):
        raise InputError(f"{shown(file)} is not a JSON object")
    return words


def _check_codecs(folder: Path, version: int) -> None:
    """Refuse an array that holds Python objects, or whose codec is not known to be safe."""
    words = _metadata(folder / {3: "zarr.json", 2: ".zarray"}[version])
    if version == 2:
        codecs = [*(words.get("filters") or ()), words.get("compressor")]
        names = {str(codec["id"]) for codec in codecs if codec is not None}
        if "O" in str(words.get("dtype")) and not names & _WORDS:
            raise InputError(f"{shown(folder)} holds Python objects; save numbers or words")
    else:
        names = set(_codec_names(words["codecs"]))
    if unknown := sorted(names - _NUMBERS - _WORDS):
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

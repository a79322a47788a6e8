"""Embeddings on disk: named arrays of a model on a dataset.

=====================  ==================================================================
``image/0``            pooled embedding of the modality `image` before fusion, (n, d);
                       ``image`` alone means the same
``image/3``            pooled state of the image's span at layer 3, (n, d)
``fused/3``            fused state at layer 3, (n, d)
``label``              right answers, (n,)
``answer``             the model's probabilities over its candidate answers, (n, C)
``id``                 names of the examples, (n,)
``group/<column>``     rows that share a value never straddle folds, (n,)
``redrawn/answer``     the model's probabilities on redrawn pairs, (N, C)
``redrawn/<modality>`` which input of the modality a redrawn run was given, (N,)
=====================  ==================================================================
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from modalprism.capture.formats import HEADER, names_of, opened
from modalprism.capture.named_arrays import MappedArray, plain_array
from modalprism.capture.shards import FINISHED, METADATA_FILE, REDRAWN, StoreReader, paths_of
from modalprism.datasets.dataset import whole_digest
from modalprism.errors import InputError
from modalprism.files import write_whole
from modalprism.foreign import WRITE_AGAIN, guarded, parse_json, require_file, require_plain_folder
from modalprism.remote import Names, brought, is_address, shown
from modalprism.strict_json import dumps
from modalprism.suggest import listed, suggestion

_LARGEST_WORDS: Final = 64 * 2**20
_OF_ZARR: Final = ("zarr.json", ".zgroup", ".zmetadata")


def local_path(place: str | Path) -> Path:
    """Return the local path of a store or a file; fetch what opening it needs.

    Of a store at an address that is its description and the indices of its shards; arrays come when
    they are first read. A zarr folder, and a single file, come whole.

    Raises InputError if the address cannot be read, or copied (`modalprism.remote.brought`), or a
    description of the store is too large to be one.
    """
    here = brought(place, _needed)
    for name in (METADATA_FILE, FINISHED, f"{REDRAWN}/{METADATA_FILE}", f"{REDRAWN}/{FINISHED}"):
        # Read whole: of an archive, a few kilobytes may become as many gigabytes.
        if (here / name).is_file() and (size := (here / name).stat().st_size) > _LARGEST_WORDS:
            raise InputError(
                f"{shown(here / name)} has {size:,} bytes, which no store writes (it may have "
                f"{_LARGEST_WORDS:,}); capture again"
            )
    return here


def _needed(names: Names) -> tuple[Names, Names]:
    """Return the files that opening a folder reads, and those that are fetched later."""
    now, later = [], []
    for level in (Path(), Path(REDRAWN)) if METADATA_FILE in names else ():
        now += [
            name for one in (METADATA_FILE, FINISHED) if (name := (level / one).as_posix()) in names
        ]
        for number in count():
            arrays, index = (path.as_posix() for path in paths_of(level, number))
            if index not in names:
                break
            now.append(index)
            later.append(arrays)
    if not now and any(name in names for name in _OF_ZARR):
        now = list(names)
    return now, later


_RESERVED: Final = frozenset({"fused", "group", "redrawn", "label", "answer", "id"})
_ROWS_COMPARED: Final = 256
_SPAN: Final = re.compile(r"(?P<modality>[^/]+)(?:/(?P<layer>[0-9]{1,9}))?")
_LAYER: Final = re.compile("[0-9]{1,9}")


@dataclass(frozen=True)
class RedrawnRuns:
    """A model's answers on redrawn pairs: probabilities (N, C), and what every run was given."""

    probability: NDArray[Any]
    inputs: tuple[NDArray[Any], NDArray[Any]]


@dataclass(frozen=True)
class EmbeddingStore:
    """Named arrays of one file, read on request.

    Attributes
    ----------
    path : Path
        Of an address, where its copy stands.
    names : tuple of str
        Arrays in the file.
    metadata : dict of str to str
        Written with them; empty for ``.npz``.
    address : str
        Where it stands, if that is elsewhere.
    """

    path: Path
    names: tuple[str, ...]
    metadata: dict[str, str]
    address: str = ""

    @classmethod
    def open(cls, path: str | Path) -> EmbeddingStore:
        """Open a store or a file of named arrays, or an address (``s3://bucket/run/store``).

        Of an address, a shard's arrays are fetched into the cache folder when they are first asked
        for. Raises InputError if the file is missing, of another kind, truncated, or holds pickled
        objects, or an address cannot be reached.
        """
        address = str(path) if is_address(path) else ""
        path = local_path(path)
        with opened(path) as file:
            return cls(path, names_of(file, path), dict(file.metadata), address)

    def on_this_machine(self) -> EmbeddingStore:
        """Return the store opened on this machine; a remote store has a copy on each.

        Raises InputError if it cannot be reached from there.
        """
        return EmbeddingStore.open(self.address) if self.address else self

    def array(self, name: str) -> NDArray[Any]:
        """Read one array.

        Raises InputError if there is none of that name, or it cannot be read.
        """
        [(_, values)] = self.arrays([name])
        return values

    def arrays(self, names: Iterable[str]) -> Iterator[tuple[str, NDArray[Any]]]:
        """Read several arrays, opening the file once, and yield their names and values.

        Values are numbers in native byte order, or words. Floating types that NumPy lacks
        (bfloat16, float8) are widened to float32. Raises InputError if there is none of that name,
        or it cannot be read.
        """
        known = set(self.names)
        with opened(self.path) as file:
            for name in names:
                if name not in known:
                    raise InputError(
                        f"{shown(self.path)} has no array {name!r}; it has "
                        f"{listed(sorted(self.names))}{suggestion(name, self.names)}"
                    )
                what = f"the array {name!r} of {shown(self.path)}"
                with guarded(what, WRITE_AGAIN):
                    values = plain_array(file.read(name, what), what)
                yield name, values

    def digest(self) -> str:
        """Return the SHA-256 of what the store holds, in hexadecimal digits."""
        if (self.path / METADATA_FILE).is_file():
            return StoreReader.open(self.path).digest()
        if self.path.is_dir():
            digest = hashlib.sha256()
            for path in require_plain_folder(self.path, shown(self.path)):
                digest.update(str(path.relative_to(self.path)).encode())
                digest.update(path.read_bytes())
            return digest.hexdigest()
        return whole_digest(require_file(self.path))

    @cached_property
    def _spans(self) -> dict[str, dict[int, str]]:
        spans: dict[str, dict[int, str]] = {}
        for name in self.names:
            match = _SPAN.fullmatch(name)
            if match and match["modality"] not in _RESERVED:
                spans.setdefault(match["modality"], {})[int(match["layer"] or 0)] = name
        return spans

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the modalities in the file."""
        return tuple(self._spans)

    def layers(self, modalities: tuple[str, str]) -> list[int]:
        """Layers at which both modalities have a state; 0 is before fusion."""
        first, second = (self._layers_of(modality) for modality in modalities)
        return sorted(first.keys() & second.keys())

    def _layers_of(self, modality: str) -> dict[int, str]:
        if modality not in self._spans:
            raise InputError(
                f"{shown(self.path)} has no modality {modality!r}; "
                f"it has {listed(sorted(self.modalities))}{suggestion(modality, self._spans)}",
                parameter="modality",
            )
        return self._spans[modality]

    def span(self, modality: str, layer: int) -> NDArray[Any]:
        """Read the pooled states of a modality's span at a layer, shape (n, d)."""
        return self.array(self._name_of(modality, layer))

    def mapped_span(self, modality: str, layer: int) -> NDArray[Any] | MappedArray:
        """Return the same states without reading them; slices are read from disk."""
        name = self._name_of(modality, layer)
        if (self.path / METADATA_FILE).is_file():
            return MappedArray(list(StoreReader.open(self.path).pieces(name)))
        return self.array(name)

    def same_states(self, modalities: tuple[str, str], layer: int) -> bool:
        """Return whether two modalities have equal states in all rows of a layer."""
        first, second = (self.mapped_span(modality, layer) for modality in modalities)
        if first.shape != second.shape:
            return False
        starts = range(0, len(first), _ROWS_COMPARED)
        blocks = (slice(start, start + _ROWS_COMPARED) for start in starts)
        return len(first) > 0 and all(np.array_equal(first[one], second[one]) for one in blocks)

    def _name_of(self, modality: str, layer: int) -> str:
        layers = self._layers_of(modality)
        if layer not in layers:
            raise InputError(
                f"{modality!r} has no layer {layer} in {shown(self.path)}; it has "
                f"{', '.join(map(str, sorted(layers)))}",
                parameter="layer",
            )
        return layers[layer]

    @property
    def fused_layers(self) -> list[int]:
        """Layers with a fused state."""
        layers = [name.removeprefix("fused/") for name in self.names if name.startswith("fused/")]
        for layer in layers:
            if not _LAYER.fullmatch(layer):
                raise InputError(
                    f"the array 'fused/{layer}' of {shown(self.path)} names no layer; call it "
                    "fused/1, …"
                )
        return sorted(map(int, layers))

    def layer_name(self, layer: int) -> str:
        """Return a layer's name."""
        place = f"layer_names in the metadata of {shown(self.path)}"
        names = parse_json(self.metadata.get("layer_names", "{}"), place)
        if not isinstance(names, dict):
            raise InputError(f"{place} is not a JSON object from layer to name")
        default = "before fusion" if layer == 0 else f"layer {layer}"
        return str(names.get(str(layer), default))

    def groups(self) -> dict[str, NDArray[Any]]:
        """Read the group columns."""
        columns = [name for name in self.names if name.startswith("group/")]
        return {name.removeprefix("group/"): values for name, values in self.arrays(columns)}

    def redrawn(self, modalities: tuple[str, str]) -> RedrawnRuns:
        """Read the runs on redrawn pairs."""
        first, second = (self.array(f"redrawn/{modality}") for modality in modalities)
        return RedrawnRuns(self.array("redrawn/answer"), (first, second))


def write_store(path: Path, arrays: Mapping[str, NDArray[Any]], metadata: dict[str, str]) -> None:
    """Write a ``.safetensors`` store; it appears whole or not at all."""
    contiguous = {name: np.ascontiguousarray(value) for name, value in arrays.items()}
    # The header's keys have no order of their own: all words under one, so that the same capture
    # gives the same bytes.
    header = {HEADER: dumps(metadata, sort_keys=True)}
    write_whole(path, save(contiguous, header))

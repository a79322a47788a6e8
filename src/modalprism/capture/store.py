"""Embeddings on disk: one file of named arrays for a model on a dataset.

=====================  ==================================================================
array                  what it is
=====================  ==================================================================
``image/0``            pooled embedding of the modality `image` before fusion, (n, d);
                       ``image`` alone means the same
``image/3``            pooled state of the image's span at layer 3, (n, d)
``fused/3``            fused state at layer 3, (n, d)
``label``              right answers, (n,)
``answer``             the model's probabilities over its candidate answers, (n, C)
``group/<column>``     rows that share a value never straddle folds, (n,)
``redrawn/answer``     the model's probabilities on redrawn pairs, (N, C)
``redrawn/<modality>`` which input of the modality a redrawn run was given, (N,)
=====================  ==================================================================

``.safetensors`` files are written by capture; ``.npz`` files by anyone. Layers may have names, in
the safetensors header under ``layer_names`` as a JSON object from layer number to name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from modalprism.datasets.arrays import DAMAGE, open_archive
from modalprism.errors import InputError
from modalprism.files import write_whole

_HEADER: Final = "modalprism"
_RESERVED: Final = frozenset({"fused", "group", "redrawn", "label", "answer"})
_SPAN: Final = re.compile(r"(?P<modality>[^/]+)(?:/(?P<layer>\d+))?")


@dataclass(frozen=True)
class RedrawnRuns:
    """A model's answers on redrawn pairs: probabilities (N, C), and what every run was given."""

    probability: NDArray[Any]
    inputs: tuple[NDArray[Any], NDArray[Any]]


@dataclass(frozen=True)
class EmbeddingStore:
    """Named arrays of one file, read when asked for.

    Attributes
    ----------
    path : Path
    names : tuple of str
        Arrays in the file.
    metadata : dict of str to str
        What the writer said of them; empty for ``.npz``.
    """

    path: Path
    names: tuple[str, ...]
    metadata: dict[str, str]

    @classmethod
    def open(cls, path: str | Path) -> EmbeddingStore:
        """Open a ``.safetensors`` or ``.npz`` file.

        Raises
        ------
        InputError
            If the file is missing, of another kind, truncated, or holds pickled objects.
        """
        path = Path(path)
        if not path.is_file():
            raise InputError(f"the embeddings file {path} does not exist; check the path")
        try:
            if path.suffix == ".safetensors":
                with safe_open(path, framework="np") as file:
                    return cls(path, tuple(file.keys()), _words(file.metadata() or {}))
            if path.suffix == ".npz":
                with open_archive(path) as archive:
                    return cls(path, tuple(archive.files), {})
        except (SafetensorError, *DAMAGE) as error:
            raise InputError(f"{path} is damaged or truncated ({error}); write it again") from error
        raise InputError(
            f"{path} is neither .npz nor .safetensors; save named arrays in one of them"
        )

    def array(self, name: str) -> NDArray[Any]:
        """Read one array.

        Raises
        ------
        InputError
            If there is none of that name, or it cannot be read.
        """
        if name not in self.names:
            raise InputError(
                f"{self.path} has no array {name!r}; it has {', '.join(sorted(self.names))}"
            )
        try:
            if self.path.suffix == ".safetensors":
                with safe_open(self.path, framework="np") as file:
                    tensor: NDArray[Any] = file.get_tensor(name)
                    return tensor
            with open_archive(self.path) as archive:
                array: NDArray[Any] = archive[name]
                return array
        except (SafetensorError, *DAMAGE) as error:
            raise InputError(
                f"the array {name!r} of {self.path} cannot be read: {error}"
            ) from error

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
                f"{self.path} has no modality {modality!r}; "
                f"it has {', '.join(self._spans) or 'none'}"
            )
        return self._spans[modality]

    def span(self, modality: str, layer: int) -> NDArray[Any]:
        """Read the pooled states of a modality's span at a layer, shape (n, d)."""
        layers = self._layers_of(modality)
        if layer not in layers:
            known = ", ".join(map(str, sorted(layers)))
            raise InputError(f"{modality!r} has no layer {layer} in {self.path}; it has {known}")
        return self.array(layers[layer])

    @property
    def fused_layers(self) -> list[int]:
        """Layers with a fused state."""
        layers = [name.removeprefix("fused/") for name in self.names if name.startswith("fused/")]
        for layer in layers:
            if not layer.isdecimal():
                raise InputError(
                    f"the array 'fused/{layer}' of {self.path} names no layer; call it fused/1, …"
                )
        return sorted(map(int, layers))

    def layer_name(self, layer: int) -> str:
        """Return a layer's name."""
        names = json.loads(self.metadata.get("layer_names", "{}"))
        default = "before fusion" if layer == 0 else f"layer {layer}"
        return str(names.get(str(layer), default))

    def groups(self) -> dict[str, NDArray[Any]]:
        """Read the group columns."""
        return {
            name.removeprefix("group/"): self.array(name)
            for name in self.names
            if name.startswith("group/")
        }

    def redrawn(self, modalities: tuple[str, str]) -> RedrawnRuns:
        """Read the runs on redrawn pairs."""
        first, second = (self.array(f"redrawn/{modality}") for modality in modalities)
        return RedrawnRuns(self.array("redrawn/answer"), (first, second))


def _words(header: dict[str, str]) -> dict[str, str]:
    words: dict[str, str] = json.loads(header[_HEADER]) if _HEADER in header else header
    return words


def write_store(path: Path, arrays: Mapping[str, NDArray[Any]], metadata: dict[str, str]) -> None:
    """Write a ``.safetensors`` store; it appears whole or not at all."""
    contiguous = {name: np.ascontiguousarray(value) for name, value in arrays.items()}
    # The header's keys have no order of their own: all words under one, so that the same capture
    # gives the same bytes.
    header = {_HEADER: json.dumps(metadata, sort_keys=True)}
    write_whole(path, save(contiguous, header))

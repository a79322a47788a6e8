"""A model that is not loaded yet, and what a store says of it once it is."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from torch import nn

from modalprism.capture.adapter import Adapter
from modalprism.capture.families.registry import adapter_class
from modalprism.capture.loading import load_adapter
from modalprism.errors import InputError
from modalprism.strict_json import dumps

_VERSIONED: Final = ("modalprism", "torch", "transformers")


@dataclass(frozen=True)
class ModelSpec:
    """What makes an adapter, here or on another machine.

    Attributes
    ----------
    model : str, Path, Module or Adapter
        As `modalprism.capture` takes it.
    processor : object
        Of a model in memory; None otherwise.
    candidates : tuple of str
    adapter : type of Adapter, optional
        Of a family that is not in the registry.
    revision : str, optional
    trust_remote_code : bool
    attention : bool
        Whether the model has to hand out its attention weights.
    name, dataset, fingerprint : str
        What the store says of the model, by default its own name, and of the examples.
    seed : int
    """

    model: str | Path | nn.Module | Adapter
    processor: Any = None
    candidates: tuple[str, ...] = ()
    adapter: type[Adapter] | None = None
    revision: str | None = None
    trust_remote_code: bool = False
    attention: bool = False
    name: str = ""
    dataset: str = ""
    fingerprint: str = ""
    seed: int = 0

    def load(self) -> Adapter:
        """Load the model, or wrap it.

        Raises
        ------
        InputError
            If it cannot be loaded, or has no adapter.
        """
        if isinstance(self.model, str | Path):
            return load_adapter(
                self.model,
                revision=self.revision,
                candidates=self.candidates,
                adapter=self.adapter,
                trust_remote_code=self.trust_remote_code,
                attn_implementation="eager" if self.attention else None,
            )
        if isinstance(self.model, Adapter):
            return self.model
        config = getattr(self.model, "config", None)
        if config is None or not hasattr(config, "model_type"):
            raise InputError(
                f"{type(self.model).__name__} is no model of transformers; describe it with "
                "modalprism.capture.generic.ModuleAdapter, and hand that in"
            )
        chosen = self.adapter or adapter_class(config.model_type, (type(self.model).__name__,))
        return chosen(self.model, self.processor, self.candidates)

    def metadata(self, adapter: Adapter) -> dict[str, Any]:
        """Return what a store says of the model, once it is loaded, and of the examples."""
        return {
            "model": self.name or self._own_name(),
            "revision": self.revision or "",
            "weights": weights_digest(adapter.model),
            "dataset": self.dataset,
            "fingerprint": self.fingerprint,
            "seed": self.seed,
            "processor": _settings_of(adapter.processor),
            "versions": {package: _version(package) for package in _VERSIONED},
        }

    def _own_name(self) -> str:
        if isinstance(self.model, str | Path):
            return str(self.model)
        if isinstance(self.model, Adapter):
            return type(self.model.model).__name__
        named = getattr(getattr(self.model, "config", None), "_name_or_path", "")
        return str(named or type(self.model).__name__)


def weights_digest(model: nn.Module) -> str:
    """Return a digest of a model's weights: names, shapes, and the sums of their values.

    Cheap enough for billions of weights, and enough to tell one checkpoint from another.
    """
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        digest.update(f"{name}{tuple(value.shape)}{float(value.double().sum()):.9g}".encode())
    return digest.hexdigest()[:16]


def _settings_of(processor: Any) -> dict[str, Any]:
    """Return a processor's class and settings, as far as they can be written down."""
    settings: Mapping[str, Any] = processor.to_dict() if hasattr(processor, "to_dict") else {}
    kept = {key: _written(value) for key, value in settings.items()}
    named = {} if processor is None else {"class": type(processor).__name__}
    return named | {key: value for key, value in kept.items() if value is not None}


def _written(value: Any) -> Any:
    """Return what JSON makes of a setting; None where it has no metadata for it."""
    try:
        return json.loads(dumps(value))
    except (TypeError, ValueError):
        return None


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "none"

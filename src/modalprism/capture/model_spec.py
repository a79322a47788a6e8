"""Specification of a model that is loaded later, here or on another machine."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from torch import nn

from modalprism.capture.adapter import Adapter
from modalprism.capture.config import CaptureConfig
from modalprism.capture.families.registry import adapter_class
from modalprism.capture.loading import adapter_named, load_adapter
from modalprism.errors import InputError
from modalprism.strict_json import dumps

_VERSIONED: Final = ("modalprism", "torch", "transformers")


@dataclass(frozen=True)
class ModelSpec:
    """Everything needed to make an adapter, here or on another machine, and a store's metadata.

    `model` is as `modalprism.capture` takes it, and `processor` that of a model in memory. The name
    is by default the model's own.
    """

    model: str | Path | nn.Module | Adapter
    processor: Any = None
    config: CaptureConfig = field(default_factory=CaptureConfig)
    name: str = ""
    dataset: str = ""
    fingerprint: str = ""
    seed: int = 0

    def load(self, *, attention: bool = False) -> Adapter:
        """Load the model, or wrap it; `attention` says whether it has to return its weights.

        Raises InputError if it cannot be loaded, or has no adapter.
        """
        config, chosen = self.config, self.config.adapter
        if isinstance(chosen, str):
            chosen = adapter_named(chosen)
        if isinstance(self.model, str | Path):
            return load_adapter(
                self.model,
                revision=config.revision,
                candidates=config.candidates,
                adapter=chosen,
                trust_remote_code=config.trust_remote_code,
                attn_implementation="eager" if attention else None,
            )
        if isinstance(self.model, Adapter):
            return self.model
        described = getattr(self.model, "config", None)
        if described is None or not hasattr(described, "model_type"):
            raise InputError(
                f"{type(self.model).__name__} is no model of transformers; describe it with "
                "modalprism.capture.generic.ModuleAdapter, and hand that in"
            )
        if chosen is None:
            chosen = adapter_class(described.model_type, (type(self.model).__name__,))
        adapter: Adapter = chosen(self.model, self.processor, config.candidates)
        return adapter

    def metadata(self, adapter: Adapter) -> dict[str, Any]:
        """Return the metadata of a store about its model and its examples."""
        versions = dict.fromkeys(_VERSIONED, "none")
        for package in _VERSIONED:
            with suppress(importlib.metadata.PackageNotFoundError):
                versions[package] = importlib.metadata.version(package)
        return {
            "model": self.name or self._own_name(),
            "revision": self.config.revision or "",
            "weights": weights_digest(adapter.model),
            "dataset": self.dataset,
            "fingerprint": self.fingerprint,
            "seed": self.seed,
            "processor": _settings_of(adapter.processor),
            "versions": versions,
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
    """Return a processor's class and the settings that JSON can hold."""
    settings: Mapping[str, Any] = processor.to_dict() if hasattr(processor, "to_dict") else {}
    kept = {} if processor is None else {"class": type(processor).__name__}
    for key, value in settings.items():
        with suppress(TypeError, ValueError):
            if (written := json.loads(dumps(value))) is not None:
                kept[key] = written
    return kept

"""Load a model by its folder or hub id, and wrap it in the adapter of its family.

Weights are read from safetensors only, and code of a repository runs only if that is allowed.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from torch import nn

from modalprism.capture.adapter import Adapter
from modalprism.capture.config import CaptureConfig
from modalprism.capture.families.registry import adapter_class
from modalprism.capture.model_checks import check_model
from modalprism.errors import InputError, optional
from modalprism.foreign import reason_of
from modalprism.strict_json import dumps

_VERSIONED: Final = ("modalprism", "torch", "transformers")


def _transformers() -> Any:
    return optional("transformers", "models are loaded by transformers", "capture")


def quiet_library() -> None:
    """Switch off the progress bars of transformers."""
    _transformers().utils.logging.disable_progress_bar()


def load_adapter(
    model: str | Path,
    *,
    revision: str | None = None,
    candidates: Sequence[str] = (),
    adapter: type[Adapter] | None = None,
    trust_remote_code: bool = False,
    attn_implementation: str | None = None,
) -> Adapter:
    """Load a model and its processor, and wrap them in the adapter of their family.

    Raises InputError if there is no such model, it has no safetensors, its family has no adapter,
    or transformers is missing.

    Parameters
    ----------
    model : str or Path
        A folder, or an id of the model hub.
    revision : str, optional
        Of the hub's repository.
    candidates : sequence of str
        The answers among which the model chooses.
    adapter : type of Adapter, optional
        Of a family that is not in the registry.
    trust_remote_code : bool
        Whether code that comes with the model may run.
    attn_implementation : str, optional
        ``eager`` hands out attention weights; by default the fastest is taken, which has none.
    """
    check_model(model, revision)
    library = _transformers()
    options = {"revision": revision, "trust_remote_code": trust_remote_code}
    try:
        config = library.AutoConfig.from_pretrained(model, **options)
        chosen = adapter or adapter_class(config.model_type, config.architectures)
        network = getattr(library, chosen.auto_class).from_pretrained(
            model,
            use_safetensors=True,
            dtype="auto",
            **({"attn_implementation": attn_implementation} if attn_implementation else {}),
            **options,
        )
        processor = chosen.load_processor(library, model, options)
    except (OSError, ValueError) as error:
        words = " ".join(str(error).split())
        raise InputError(f"the model {str(model)!r} cannot be loaded: {words}") from error
    return chosen(network.eval(), processor, candidates)


def adapter_named(words: str) -> type[Adapter]:
    """Import an adapter by ``module:Class``.

    Modules that are installed come before those of the working folder, which can thus not stand in
    for them. Importing a module runs its code: a caller that reads the name from a file asks the
    user first (`modalprism.studies.code`).
    """
    module, _, name = words.partition(":")
    here = str(Path.cwd())
    sys.path.append(here)
    importlib.invalidate_caches()  # of a module written a moment ago
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, SyntaxError, TypeError, ValueError) as error:
        raise InputError(
            f"the adapter {words!r} cannot be imported ({reason_of(error)}); write it as "
            "module:Class",
            parameter="adapter",
        ) from error
    finally:
        if here in sys.path:  # the last one
            del sys.path[len(sys.path) - 1 - sys.path[::-1].index(here)]
    if not (isinstance(found, type) and issubclass(found, Adapter)):
        raise InputError(f"{words!r} is no class that derives from Adapter", parameter="adapter")
    return found


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
    settings: Mapping[str, Any] = processor.to_dict() if hasattr(processor, "to_dict") else {}
    kept = {} if processor is None else {"class": type(processor).__name__}
    for key, value in settings.items():
        with suppress(TypeError, ValueError):
            if (written := json.loads(dumps(value))) is not None:
                kept[key] = written
    return kept

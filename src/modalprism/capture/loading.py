"""Load a model by its folder or hub id, and wrap it in the adapter of its family.

Weights are read from safetensors only, and no code of a repository runs unless it is asked for.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modalprism.capture.adapter import Adapter
from modalprism.capture.families.registry import adapter_class
from modalprism.capture.model_checks import check_model
from modalprism.errors import InputError
from modalprism.foreign import reason_of


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise InputError(
            f"models are loaded by transformers ({error}); run pip install 'modalprism[capture]'"
        ) from error
    return transformers


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

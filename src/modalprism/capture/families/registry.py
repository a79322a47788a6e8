"""Which adapter reads which model: data, so that nothing is imported before it is wanted."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from modalprism.capture.adapter import Adapter
from modalprism.errors import InputError

_HOME: Final = "modalprism.capture.families"
REGISTRY: Final[dict[str, str]] = {
    # config.model_type: module and class
    "clip": "towers.ClipAdapter",
    "llava": "decoders.LlavaAdapter",
    "llava_next": "decoders.LlavaNextAdapter",
    "llava_onevision": "decoders.LlavaOnevisionAdapter",
    "idefics3": "idefics.Idefics3Adapter",
    "smolvlm": "idefics.SmolVlmAdapter",
    "qwen2_vl": "qwen.Qwen2VlAdapter",
    "qwen2_5_vl": "qwen.Qwen25VlAdapter",
    "qwen3_vl": "qwen.Qwen3VlAdapter",
    "whisper": "whisper.WhisperAdapter",
}
"""``config.model_type`` → module in this folder and class."""


def adapter_class(model_type: str) -> type[Adapter]:
    """Return the adapter of a model type.

    Raises
    ------
    InputError
        If there is none.

    Examples
    --------
    >>> adapter_class("clip").__name__
    'ClipAdapter'
    """
    if model_type not in REGISTRY:
        raise InputError(
            f"there is no adapter for models of type {model_type!r}; there are "
            f"{', '.join(sorted(REGISTRY))}; docs/adapters.md shows how to write one"
        )
    module, name = REGISTRY[model_type].rsplit(".", 1)
    found: type[Adapter] = getattr(import_module(f"{_HOME}.{module}"), name)
    return found

"""Adapters by ``config.model_type``, or by architecture where heads of one type differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from modalprism.capture.adapter import Adapter
from modalprism.errors import InputError
from modalprism.registry import Registry

_CLASSES: Final = {
    "clip": "towers.ClipAdapter",
    "siglip": "towers.SiglipAdapter",
    "siglip2": "towers.Siglip2Adapter",
    "clap": "towers.ClapAdapter",
    "BlipForImageTextRetrieval": "blip.BlipAdapter",
    "BlipForQuestionAnswering": "blip.BlipQuestionAdapter",
    "Blip2ForConditionalGeneration": "blip.Blip2Adapter",
    "vilt": "single_stream.ViltAdapter",
    "visual_bert": "single_stream.VisualBertAdapter",
    "flava": "single_stream.FlavaAdapter",
    "lxmert": "two_streams.LxmertAdapter",
    "bridgetower": "two_streams.BridgeTowerAdapter",
    "llava": "decoders.LlavaAdapter",
    "llava_next": "decoders.LlavaNextAdapter",
    "llava_onevision": "decoders.LlavaOnevisionAdapter",
    "idefics3": "decoders.Idefics3Adapter",
    "smolvlm": "decoders.SmolVlmAdapter",
    "qwen2_vl": "decoders.Qwen2VlAdapter",
    "qwen2_5_vl": "decoders.Qwen25VlAdapter",
    "qwen3_vl": "decoders.Qwen3VlAdapter",
    "paligemma": "decoders.PaliGemmaAdapter",
    "gemma3": "decoders.Gemma3Adapter",
    "internvl": "decoders.InternVlAdapter",
    "whisper": "whisper.WhisperAdapter",
}
FAMILIES: Final[Registry[type[Adapter]]] = Registry(
    "family",
    "modalprism.families",
    {name: f"{__package__}.{place.replace('.', ':')}" for name, place in _CLASSES.items()},
)
"""Model types and architectures; other packages add theirs by the entry point of the same name."""


def adapter_class(model_type: str, architectures: Sequence[str] | None = ()) -> type[Adapter]:
    """Return the adapter for an architecture, or else for the model type, of a model's config."""
    names, families = tuple(architectures or ()), FAMILIES.names()
    if found := next((name for name in (*names, model_type) if name in families), None):
        return FAMILIES[found]
    named = f" ({', '.join(names)})" if names else ""
    raise InputError(
        f"there is no adapter for models of type {model_type!r}{named}; there are "
        f"{', '.join(sorted(families))}; docs/adapters.md shows how to write one"
    )

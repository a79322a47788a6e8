"""Which adapter reads which model: data, so that nothing is imported before it is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Final

from modalprism.capture.adapter import Adapter
from modalprism.errors import InputError

_HOME: Final = "modalprism.capture.families"
REGISTRY: Final[dict[str, str]] = {
    # config.model_type, or the architecture where one type has several: module and class
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
    "idefics3": "idefics.Idefics3Adapter",
    "smolvlm": "idefics.SmolVlmAdapter",
    "qwen2_vl": "qwen.Qwen2VlAdapter",
    "qwen2_5_vl": "qwen.Qwen25VlAdapter",
    "qwen3_vl": "qwen.Qwen3VlAdapter",
    "paligemma": "paligemma.PaliGemmaAdapter",
    "gemma3": "gemma3.Gemma3Adapter",
    "internvl": "internvl.InternVlAdapter",
    "whisper": "whisper.WhisperAdapter",
}
"""``config.model_type`` → module in this folder and class.

Where models of one type differ in what they answer, their architectures stand here instead: each
reads the weights of its own head, and none is given a head that was never trained.
"""


def adapter_class(model_type: str, architectures: Sequence[str] | None = ()) -> type[Adapter]:
    """Return the adapter of a model.

    Parameters
    ----------
    model_type : str
        As its config says.
    architectures : sequence of str, optional
        The classes that its config names, or that it is of; they go before its type.

    Raises
    ------
    InputError
        If there is none.

    Examples
    --------
    >>> adapter_class("clip").__name__
    'ClipAdapter'
    >>> adapter_class("blip", ["BlipForQuestionAnswering"]).__name__
    'BlipQuestionAdapter'
    """
    names = tuple(architectures or ())
    for name in (*names, model_type):
        if name in REGISTRY:
            module, found = REGISTRY[name].rsplit(".", 1)
            adapter: type[Adapter] = getattr(import_module(f"{_HOME}.{module}"), found)
            return adapter
    named = f" ({', '.join(names)})" if names else ""
    raise InputError(
        f"there is no adapter for models of type {model_type!r}{named}; there are "
        f"{', '.join(sorted(REGISTRY))}; docs/adapters.md shows how to write one"
    )

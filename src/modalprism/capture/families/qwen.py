"""Pictures of any size as tokens of a decoder: Qwen2-VL, Qwen2.5-VL and Qwen3-VL.

A picture is kept in its own shape, and has as many image tokens as it has squares of merged
patches (``image_grid_thw``); all of them stand together between two marks. They stand before the
words, so that their span never sees the example's text (of the chat template it sees what stands
before the picture, which is the same for every example) and stays of one modality through all
layers. The text's span is fused from layer 1 on.

The state of layer k is what leaves it; that of the last layer is taken after the final norm, as
``output_hidden_states`` of the library has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from modalprism.capture.families.decoders import LlavaAdapter, pictures_only


class Qwen2VlAdapter(LlavaAdapter):
    """Qwen2-VL: a picture in its own shape, then a question.

    Attributes
    ----------
    processor_class : str
        Name of the family's processor in ``transformers``.
    """

    template: ClassVar[str] = (
        "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>{text}<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    processor_class: ClassVar[str] = "Qwen2VLProcessor"

    @classmethod
    def load_processor(cls, library: Any, model: Any, options: Mapping[str, Any]) -> Any:
        """Load the processor without its part for videos."""
        processor = getattr(library, cls.processor_class)
        return pictures_only(processor).from_pretrained(model, **options)


class Qwen25VlAdapter(Qwen2VlAdapter):
    """Qwen2.5-VL: as Qwen2-VL, with windows of attention within the vision tower."""

    processor_class: ClassVar[str] = "Qwen2_5_VLProcessor"


class Qwen3VlAdapter(Qwen2VlAdapter):
    """Qwen3-VL: as Qwen2-VL, and deeper features of the picture are added in early layers.

    These features, of inner layers of the vision tower, are added behind the first layers of the
    decoder, at image positions only. The state of such a layer is what leaves it, before they are
    added, as the library's hidden states have it; they are in the state of the next layer.
    """

    fusion: ClassVar[str] = (
        "in the text's span and at the last position, from layer 1; the picture stands first and "
        "never sees the text; deeper features of the picture enter behind early layers, but only "
        "at image positions, so that the picture's span is still of its own modality there"
    )
    processor_class: ClassVar[str] = "Qwen3VLProcessor"

"""Tiles of a picture, then the whole picture, as tokens of a decoder: InternVL.

The tiles, whose number follows the picture's shape, and then the whole picture, shrunk (a picture
of one tile has none beside), stand together between two marks. They stand before the words, so that
their span never sees the example's text and stays of one modality through all layers; the text's
span is fused from layer 1 on.

The state of layer k is what leaves it; that of the last layer is taken after the final norm, as
``output_hidden_states`` of the library has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from modalprism.capture.families.decoders import LlavaAdapter, pictures_only


class InternVlAdapter(LlavaAdapter):
    """InternVL, as transformers has it: tiles, the whole picture, then a question.

    Layers are pre-fusion and fused where LLaVA's are: the picture's span is of one modality through
    all layers, the text's is fused from layer 1 on.
    """

    template: ClassVar[str] = (
        "<|im_start|>user\n<IMG_CONTEXT>\n{text}<|im_end|>\n<|im_start|>assistant\n"
    )

    @classmethod
    def load_processor(cls, library: Any, model: Any, options: Mapping[str, Any]) -> Any:
        """Load the processor without its part for videos."""
        return pictures_only(library.InternVLProcessor).from_pretrained(model, **options)

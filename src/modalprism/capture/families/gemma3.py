"""A picture whose tokens see each other, before words that are causal: Gemma 3.

Image tokens see all image tokens of their picture, those behind them, too; everything else sees
what stands before it. The picture stands before the words, so that its span never sees the
example's text and stays of one modality through all layers; the text's span is fused from layer 1
on. Most layers see only a window of what stands before them.

The state of layer k is what leaves it; that of the last layer is taken after the final norm, as
``output_hidden_states`` of the library has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from modalprism.capture.families.decoders import LlavaAdapter


class Gemma3Adapter(LlavaAdapter):
    """Gemma 3: a picture, then a question; the answer is the first token of a candidate.

    Only layer 0 of the text's span is of one modality; the picture's is through all layers. A
    picture is seen whole, as the library's processor has it (no pan and scan). The line breaks that
    the processor puts around it belong to no modality.
    """

    fusion: ClassVar[str] = (
        "in the text's span and at the last position, from layer 1; the picture stands first, its "
        "tokens see each other in both directions, and it never sees the text"
    )
    template: ClassVar[str] = (
        "<bos><start_of_turn>user\n<start_of_image>{text}<end_of_turn>\n<start_of_turn>model\n"
    )

    def spans(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Image tokens, and words; the mark and the line break on each side are neither."""
        spans = super().spans(inputs)
        near = spans["image"]
        for _ in range(2):
            near = near | near.roll(1, 1) | near.roll(-1, 1)
        return spans | {"text": spans["text"] & ~near}

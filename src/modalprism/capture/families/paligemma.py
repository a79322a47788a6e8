"""A picture and a question that see each other, before a decoder's answer: PaliGemma and 2.

The picture's image tokens stand first, then the words and a line break, at which the answer is
read. All of them are the prefix of the language model, in which attention runs both ways: every
image token sees the words. So only layer 0, what enters the first layer, is of one modality; from
layer 1 on both spans are fused. (An answer, which is not given here, would be causal.)

The state of layer k is what leaves it; that of the last layer is taken after the final norm, as
``output_hidden_states`` of the library has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from modalprism.capture.families.decoders import LlavaAdapter
from modalprism.datasets.example import Example


class PaliGemmaAdapter(LlavaAdapter):
    """PaliGemma: a picture and a question in one prefix; the answer is a candidate's first token.

    Only layer 0 is of one modality, the layers behind it are fused in both spans. The line break
    that ends every prompt is a word of the text's span.
    """

    fusion: ClassVar[str] = (
        "in both spans and at the last position, from layer 1: attention runs both ways within the "
        "prefix, so that the picture sees the text; only layer 0 is of one modality"
    )
    template: ClassVar[str] = "<image>{text}"

    def prepare(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Put every picture and text into the prefix; the processor ends it."""
        prepared = self.processor(
            text=[self.prompt(example.inputs["text"]) for example in examples],
            images=[[example.inputs["image"]] for example in examples],
            padding=True,
        )
        # Made tensors here: the processor takes them for labels, too, which are none without an
        # answer, in a way that numpy warns of.
        return {
            name: torch.as_tensor(np.asarray(value))
            for name, value in prepared.items()
            if name != "labels"
        }

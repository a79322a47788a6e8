"""The demo's fusion networks, read like any other family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from modalprism.capture.adapter import Adapter, Site
from modalprism.capture.emoji_family import ANSWER_SLICES
from modalprism.capture.emoji_inputs import EmojiInputs
from modalprism.capture.fusion_network import FusionNetwork
from modalprism.capture.knockout import fusion_hidden
from modalprism.datasets.emoji_questions import Question
from modalprism.datasets.example import Example


class FusionAdapter(Adapter):
    """A fusion network on one question; examples give the numbers of a picture and of a name.

    What leaves the projections is layer 0. Every layer gives both spans, which are fused from layer
    1 on, but in the late fusion, where only the head joins them. The head has a hidden state.

    Parameters
    ----------
    network : FusionNetwork
    inputs : EmojiInputs
        Encoded pictures and sentences.
    question : Question
    """

    auto_class: ClassVar[str] = "FusionNetwork"
    fusion: ClassVar[str] = "from layer 1 on; in the late fusion in the head"

    def __init__(self, network: FusionNetwork, inputs: EmojiInputs, question: Question) -> None:
        super().__init__(network, None)
        self.network, self.inputs, self.question = network, inputs, question

    def prepare(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Look up the features of pictures and sentences."""
        picture, name = (
            np.array([example.inputs[modality] for example in examples])
            for modality in self.modalities
        )
        image, text, text_mask = self.inputs.batch(self.question, picture, name)
        return {"image": image, "text": text, "text_mask": text_mask}

    def sites(self) -> tuple[Site, ...]:
        """Read both members of what the projections and the layers give, and the hidden head."""
        depth = self.network.config.depth
        modules = ("projections", *(f"layers.{layer}" for layer in range(depth)))
        spans = (
            Site(layer, module, (modality,), part=part)
            for layer, module in enumerate(modules)
            for part, modality in enumerate(self.modalities)
        )
        return (*spans, Site(depth + 1, "join", ("fused",)))

    def spans(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """All of a picture, and a sentence without its padding."""
        return {"text": inputs["text_mask"]}

    def attention_sites(self) -> tuple[Site, ...]:
        """Name the attention of the layers in which both spans stand: those of the concatenation.

        In the other fusions a module attends to one span alone, which is built in, and says
        nothing of what was learnt.
        """
        if self.network.config.fusion != "concat":
            return ()
        layers = self.layers_under("layers")
        return tuple(
            Site(layer, module, self.modalities, attention=f"{module}.attention.weights")
            for layer, module in enumerate(layers, start=1)
        )

    def attention_spans(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The picture first, then the sentence without its padding."""
        words = inputs["text_mask"]
        pieces = torch.ones(inputs["image"].shape[:2], dtype=torch.bool, device=words.device)
        return {
            "image": torch.cat([pieces, torch.zeros_like(words)], 1),
            "text": torch.cat([torch.zeros_like(pieces), words], 1),
        }

    def hidden(self, inputs: Mapping[str, Tensor], modality: str) -> AbstractContextManager[None]:
        """Hide a modality from the other one; see `modalprism.capture.knockout.span_hidden`."""
        return fusion_hidden(self.network, inputs["image"].shape[1], modality)

    def answer(self, output: Any, inputs: Mapping[str, Tensor]) -> Tensor:  # noqa: ARG002
        """Return the probabilities of the question's own answers."""
        return torch.softmax(output[:, ANSWER_SLICES[self.question.answer]], 1)

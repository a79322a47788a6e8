"""Adapter of the demo's fusion networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from modalprism.capture.adapter import Adapter, Site
from modalprism.datasets.dataset import Example
from modalprism.demo.encoders import EncodedEmojis
from modalprism.demo.fusion_network import ANSWER_SLICES, FusionNetwork
from modalprism.demo.questions import Question
from modalprism.errors import InputError


class FusionAdapter(Adapter):
    """A fusion network on one question; examples give the numbers of a picture and of a name.

    What leaves the projections is layer 0. Every layer gives both spans, which are fused from layer
    1 on, but in the late fusion, where only the head joins them. The head has a hidden state.
    """

    auto_class: ClassVar[str] = "FusionNetwork"
    fusion: ClassVar[str] = "from layer 1 on; in the late fusion in the head"

    def __init__(
        self,
        network: FusionNetwork,
        inputs: EncodedEmojis,
        question: Question,
        candidates: Sequence[str] = (),
    ) -> None:
        super().__init__(network, None, candidates)
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
        """Return sites at both outputs of projections and layers, and at the hidden head."""
        depth = self.network.config.depth
        modules = ("projections", *(f"layers.{layer}" for layer in range(depth)))
        spans = (
            Site(layer, module, (modality,), part=part)
            for layer, module in enumerate(modules)
            for part, modality in enumerate(self.modalities)
        )
        return (*spans, Site(depth + 1, "join", ("fused",)))

    def layer_names(self) -> dict[int, str]:
        """Name the depth behind the layers, where the head joins the two streams."""
        return {self.network.config.depth + 1: "head"}

    def spans(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """All of a picture, and a sentence without its padding."""
        return {"text": inputs["text_mask"]}

    def attention_sites(self) -> tuple[Site, ...]:
        """Return sites of attention over both spans, which only the concatenation has.

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
        """Hide a modality from the other one (`modalprism.capture.interventions.span_hidden`)."""
        return fusion_hidden(self.network, inputs["image"].shape[1], modality)

    def answer(self, output: Any, inputs: Mapping[str, Tensor]) -> Tensor:  # noqa: ARG002
        """Return the probabilities of the question's own answers."""
        return torch.softmax(output[:, ANSWER_SLICES[self.question.answer]], 1)


@contextmanager
def fusion_hidden(network: FusionNetwork, pieces: int, modality: str) -> Iterator[None]:
    """Hide a modality from the other one in a fusion network; pictures have `pieces` positions.

    Raises InputError if the network's streams never look at each other.
    """
    reader = "text_from_image" if modality == "image" else "image_from_text"
    cuts: dict[str, tuple[str, Callable[..., Tensor]]] = {
        "concat": ("attention", partial(_own_context, pieces=pieces, hidden=modality)),
        # Return the queries without the output of attention.
        "cross_attention": (reader, lambda _module, given, _output: given[0]),
        # The gate has no effect on an input of zeros.
        "gated": (reader, lambda _module, _given, output: torch.zeros_like(output)),
    }
    if network.config.fusion not in cuts:
        raise InputError("its two streams never look at each other, so that nothing can be cut")
    module, hook = cuts[network.config.fusion]
    with ExitStack() as hooks:
        for layer in network.layers:
            hooks.callback(layer.get_submodule(module).register_forward_hook(hook).remove)
        yield


def _own_context(
    attention: nn.Module, given: tuple[Any, ...], output: Tensor, pieces: int, hidden: str
) -> Tensor:
    """Recompute the attention of one span, restricted to its own positions."""
    state, _, mask = given
    picture, words = slice(None, pieces), slice(pieces, None)
    # Not the module itself: its hooks would come here again.
    if hidden == "image":
        alone = attention.forward(state[:, words], state[:, words], mask[:, words])
        return torch.cat([output[:, picture], alone], 1)
    alone = attention.forward(state[:, picture], state[:, picture], mask[:, picture])
    return torch.cat([alone, output[:, words]], 1)

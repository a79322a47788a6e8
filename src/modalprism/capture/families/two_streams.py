"""LXMERT and BridgeTower: two streams that attend to each other in every layer.

Layers of the towers below the first cross-modal layer are not layers here. The text's span includes
the marks around the text and no padding. Neither family has a final norm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from modalprism.capture.adapter import BEFORE_FUSION, Adapter, Site, stream
from modalprism.capture.families.single_stream import (
    PAIR,
    no_candidates,
    padded_regions,
    trained_head,
)
from modalprism.capture.families.tokens import texts_of, tokens, words_and_pixels
from modalprism.datasets.dataset import Example

_BOX = 4


class LxmertAdapter(Adapter):
    """LXMERT that answers questions: regions of a picture and where they are, and words.

    The model has no tower for pictures: an example's image is an array of float32, shape
    (regions, d + 4): of each region the d features that a detector gave (the model's
    ``visual_feat_dim``), then the corners of its box, x and y of the first and of the second, from
    0 to 1 of the picture's sides. The answers are the model's own, by their number; a checkpoint
    does not name them.
    """

    auto_class: ClassVar[str] = "LxmertForQuestionAnswering"
    processor_class: ClassVar[str] = "AutoTokenizer"  # regions need no preparation
    fusion: ClassVar[str] = (
        "in both streams from layer 1, the first of the cross-modality layers; layer 0 is what the "
        "language and the object-relationship encoder bring to it"
    )
    layers: ClassVar[str] = "lxmert.encoder.x_layers"

    def __init__(self, model: nn.Module, processor: Any, candidates: Sequence[str] = ()) -> None:
        no_candidates(candidates)
        trained_head(model)
        super().__init__(model, processor)

    def prepare(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Return words, and regions with their boxes and mask."""
        model: Any = self.model
        width = model.config.visual_feat_dim
        regions, mask = padded_regions(examples, width + _BOX)
        regions = regions.to(model.dtype)
        return {
            **tokens(self.processor, texts_of(examples), model.config.max_position_embeddings),
            "visual_feats": regions[..., :width],
            "visual_pos": regions[..., width:],
            "visual_attention_mask": mask,
        }

    def sites(self) -> tuple[Site, ...]:
        """The input of the first cross-modality layer and the outputs of each, of both streams."""
        image, text = self.modalities
        modules = self.layers_under(self.layers)
        return (
            # A layer is given words, their mask, regions, and theirs; it gives words and regions.
            Site(BEFORE_FUSION, modules[0], (text,), reads="input", part=0),
            Site(BEFORE_FUSION, modules[0], (image,), reads="input", part=2),
            *(
                Site(layer, module, (modality,), part=part)
                for part, modality in enumerate((text, image))
                for layer, module in enumerate(modules, start=1)
            ),
        )

    def spans(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Regions and words, both without padding, each in its own stream."""
        return {
            "image": inputs["visual_attention_mask"].bool(),
            "text": inputs["attention_mask"].bool(),
        }

    def answer(self, output: Any, inputs: Mapping[str, Tensor]) -> Tensor | None:  # noqa: ARG002
        """Return the probabilities of the model's answers."""
        return torch.softmax(output.question_answering_score.float(), 1)


class BridgeTowerAdapter(Adapter):
    """BridgeTower that says whether a picture and a text match.

    Every cross-modal layer after the first is also given, over a bridge, what the next layer of its
    own modality's tower has made; these stay of one modality, and what leaves the cross-modal layer
    is fused. The picture's span is the whole of its stream, with its class token.
    """

    auto_class: ClassVar[str] = "BridgeTowerForImageAndTextRetrieval"
    fusion: ClassVar[str] = (
        "in both streams from layer 1, the first of the cross-modal layers; layer 0 is what the "
        "towers of one modality each bring to it; bridges bring more of them to the later layers"
    )

    def __init__(self, model: nn.Module, processor: Any, candidates: Sequence[str] = ()) -> None:
        no_candidates(candidates)
        trained_head(model)
        super().__init__(model, processor, PAIR)

    def prepare(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Return words and pixels."""
        config: Any = self.model.config
        # RoBERTa counts positions from behind the padding's own.
        longest = config.text_config.max_position_embeddings - config.text_config.pad_token_id - 1
        return words_and_pixels(self, examples, longest)

    def sites(self) -> tuple[Site, ...]:
        """The input of the first cross-modal layer and the outputs of each, of both streams."""
        image, text = (
            stream(self.layers_under(f"bridgetower.cross_modal_{modality}_layers"), (modality,))
            for modality in self.modalities
        )
        return (*image, *text)

    def spans(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The whole picture, and the text without its padding."""
        return {"text": inputs["attention_mask"].bool()}

    def answer(self, output: Any, inputs: Mapping[str, Tensor]) -> Tensor | None:  # noqa: ARG002
        """Return the probabilities of no match and match."""
        return torch.softmax(output.logits.float(), 1)

"""ViLT, VisualBERT and FLAVA: one stream of words and pieces of a picture.

State k leaves layer k, before the final norm that ViLT and FLAVA apply. The text's span includes
the marks around the text, which an empty text has, too; the picture's includes its class token.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np
import torch
from torch import Tensor, nn

from modalprism.capture.adapter import Adapter, Site, stream
from modalprism.capture.families.tokens import texts_of, tokens, words_and_pixels
from modalprism.datasets.dataset import Example
from modalprism.errors import InputError

PAIR: Final = ("no match", "match")
"""Answers of models that were trained to decide whether a picture matches a text."""


class SingleStreamAdapter(Adapter):
    """Words, then pieces of a picture, in one stream; the answer is one of the model's classes.

    With candidates the answer is among those classes alone, which must be of the model's own.
    `stream` is the path of the stream's layers.
    """

    fusion: ClassVar[str] = "in both spans from layer 1; layer 0 is what enters the stream"
    stream: ClassVar[str]

    def __init__(self, model: nn.Module, processor: Any, candidates: Sequence[str] = ()) -> None:
        trained_head(model)
        self._classes = classes_named(model, candidates)
        config: Any = model.config
        names = [config.id2label[number] for number in self._classes]
        super().__init__(model, processor, names)

    def sites(self) -> tuple[Site, ...]:
        """The stream's input, and the outputs of its layers."""
        return stream(self.layers_under(self.stream), self.modalities)

    @abstractmethod
    def pieces(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return which pieces of the picture are not padding, bool, shape (b, pieces)."""

    def spans(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The text first, then the picture."""
        words, pieces = inputs["attention_mask"].bool(), self.pieces(inputs)
        return {
            "image": torch.cat([torch.zeros_like(words), pieces], 1),
            "text": torch.cat([words, torch.zeros_like(pieces)], 1),
        }

    def answer(self, output: Any, inputs: Mapping[str, Tensor]) -> Tensor | None:  # noqa: ARG002
        """Return the probabilities of the model's classes."""
        return torch.softmax(output.logits[:, self._classes].float(), 1)


class ViltAdapter(SingleStreamAdapter):
    """ViLT that answers questions: words, then patches of a picture in its own shape.

    The library puts the patches of a picture in an order drawn anew for every pass (each keeps its
    own place in the picture, so that the order says nothing); here the draw is always the same.
    """

    auto_class: ClassVar[str] = "AutoModelForVisualQuestionAnswering"
    stream: ClassVar[str] = "vilt.encoder.layer"

    def __init__(self, model: nn.Module, processor: Any, candidates: Sequence[str] = ()) -> None:
        super().__init__(model, processor, candidates)
        # All patches of a picture, however many: of more than a maximum only some would be drawn.
        model.config.max_image_length = -1  # type: ignore[union-attr]

    def prepare(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Return words, pixels, and which pixels are padding."""
        config: Any = self.model.config
        return words_and_pixels(self, examples, config.max_position_embeddings, mask=True)

    def pieces(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The class token and a picture's patches; padding of smaller pictures stands behind."""
        config: Any = self.model.config
        mask, side = inputs["pixel_mask"], config.patch_size
        grid = (mask.shape[1] // side, mask.shape[2] // side)
        # As the library shrinks it, to the last pixel.
        patches = nn.functional.interpolate(mask[:, None].float(), size=grid).long()
        count = 1 + patches.sum((1, 2, 3))
        return torch.arange(int(count.max()), device=mask.device) < count[:, None]

    def forward(self, inputs: Mapping[str, Tensor]) -> Any:
        """Run the model, with the same order of patches in every pass."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return self.model(**inputs)


class VisualBertAdapter(SingleStreamAdapter):
    """VisualBERT that answers questions: words, then regions of a picture.

    The model has no tower for pictures: an example's image is an array of float32, shape
    (regions, d), of the features that a detector gave, d the model's ``visual_embedding_dim``.
    Checkpoints come without a tokenizer, which is BERT's: save it beside the model.
    """

    auto_class: ClassVar[str] = "VisualBertForQuestionAnswering"
    processor_class: ClassVar[str] = "AutoTokenizer"  # regions need no preparation
    stream: ClassVar[str] = "visual_bert.encoder.layer"

    def prepare(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Return words, and regions with their mask."""
        model: Any = self.model
        regions, mask = padded_regions(examples, model.config.visual_embedding_dim)
        return {
            **tokens(self.processor, texts_of(examples), model.config.max_position_embeddings),
            "visual_embeds": regions.to(model.dtype),
            "visual_attention_mask": mask,
        }

    def pieces(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The regions of a picture, without padding."""
        return inputs["visual_attention_mask"].bool()


class FlavaAdapter(SingleStreamAdapter):
    """FLAVA: a tower for the picture, one for the text, and a stream where they meet.

    Layer 0 is what the towers made, projected, as it enters the stream: a class token of the
    stream's own, which is of neither modality, then the picture, then the text. The answer is
    whether the pair matches, the columns no match and match, where the checkpoint has the head for
    it (``FlavaForPreTraining``); else there is none.
    """

    auto_class: ClassVar[str] = "FlavaForPreTraining"
    fusion: ClassVar[str] = (
        "in both spans from layer 1 of the multimodal encoder; layer 0 is what the towers of one "
        "modality each have made, as it enters"
    )
    stream: ClassVar[str] = "flava.multimodal_model.encoder.layer"

    def __init__(self, model: nn.Module, processor: Any, candidates: Sequence[str] = ()) -> None:
        no_candidates(candidates)
        self._judges = type(model).__name__ in _saved_as(model)
        Adapter.__init__(self, model, processor, PAIR if self._judges else ())

    def prepare(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Return words and pixels."""
        config: Any = self.model.config
        return words_and_pixels(self, examples, config.text_config.max_position_embeddings)

    def pieces(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The picture's class token and its patches; all pictures have one size."""
        config: Any = self.model.config
        pixels, side = inputs["pixel_values"], config.image_config.patch_size
        count = 1 + (pixels.shape[2] // side) * (pixels.shape[3] // side)
        return torch.ones(len(pixels), count, dtype=torch.bool, device=pixels.device)

    def spans(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The picture behind the stream's class token, then the text."""
        words, pieces = inputs["attention_mask"].bool(), self.pieces(inputs)
        config: Any = self.model.config
        mark = torch.zeros_like(words[:, : int(config.multimodal_config.use_cls_token)])
        return {
            "image": torch.cat([mark, pieces, torch.zeros_like(words)], 1),
            "text": torch.cat([mark, torch.zeros_like(pieces), words], 1),
        }

    def forward(self, inputs: Mapping[str, Tensor]) -> Any:
        """Run towers and stream once; the pretraining model would run the towers twice."""
        return self.model.flava(**inputs)  # type: ignore[operator]

    def answer(self, output: Any, inputs: Mapping[str, Tensor]) -> Tensor | None:  # noqa: ARG002
        """Return the probabilities of no match and match."""
        if not self._judges:
            return None
        logits = self.model.itm_head(output.multimodal_embeddings)  # type: ignore[operator]
        return torch.softmax(logits.float(), 1)


def padded_regions(examples: Sequence[Example], width: int) -> tuple[Tensor, Tensor]:
    """Return regions of pictures, float32, (b, regions, width), and int64 where they are.

    Raises InputError if an example's image is no array of regions of this width.
    """
    given = [np.asarray(example.inputs["image"], dtype=np.float32) for example in examples]
    for example, regions in zip(examples, given, strict=True):
        if regions.ndim != 2 or not len(regions) or regions.shape[1] != width:
            raise InputError(
                f"the image of the example {example.id!r} has shape {regions.shape}; this model "
                f"sees regions alone: give an array of shape (regions, {width}), from a detector"
            )
    longest = max(map(len, given))
    values = torch.zeros(len(given), longest, width)
    mask = torch.zeros(len(given), longest, dtype=torch.int64)
    for row, regions in enumerate(given):
        values[row, : len(regions)] = torch.from_numpy(regions)
        mask[row, : len(regions)] = 1
    return values, mask


def trained_head(model: Any) -> None:
    """Check that a model's weights were saved with the head that gives its answers."""
    if type(model).__name__ not in (saved := _saved_as(model)):
        raise InputError(
            f"the weights are those of {saved[0]}, without the answers of {type(model).__name__}; "
            "load a checkpoint that was trained to answer"
        )


def _saved_as(model: Any) -> Sequence[str]:
    return model.config.architectures or [type(model).__name__]


def classes_named(model: Any, candidates: Sequence[str]) -> list[int]:
    """Return which columns of a classifier the candidates are; all of them without candidates.

    Raises InputError if a candidate is none of the model's classes.
    """
    numbers = {name: int(number) for number, name in model.config.id2label.items()}
    if unknown := [candidate for candidate in candidates if candidate not in numbers]:
        few = ", ".join(map(repr, list(numbers)[:5]))
        raise InputError(
            f"the model has no class {unknown[0]!r} to answer with; it has {few}, … "
            "(config.id2label); without candidates it chooses among all"
        )
    return [numbers[name] for name in candidates] or sorted(model.config.id2label)


def no_candidates(candidates: Sequence[str]) -> None:
    """Refuse candidates for a model with fixed answers."""
    if candidates:
        raise InputError(
            f"the answers of this model are its own, and {candidates[0]!r} cannot be one; give no "
            "candidates"
        )

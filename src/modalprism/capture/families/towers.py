"""CLIP, SigLIP, SigLIP 2 and CLAP: two towers that meet only in a similarity.

Layer 0 are the projected embeddings that it compares; layer k is the k-th layer of each tower, down
to the depth of the shallower one, before a tower's final norm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from modalprism.capture.adapter import BEFORE_FUSION, Adapter, Site
from modalprism.capture.families.tokens import check_recordings, tokens
from modalprism.datasets.dataset import Example


class ClipAdapter(Adapter):
    """CLIP: a picture, a text, and how alike they are.

    With candidates (``"a photo of a cat"``, …) the answer is which of them the picture is most
    like. Without any there is none: how alike a pair is has no scale of its own in CLIP.

    `text_layers` is the path of the text tower's layers. `embeddings` are the modules that give
    what the similarity compares, and `scale` is the parameter, a logarithm, that multiplies it.
    """

    auto_class: ClassVar[str] = "AutoModel"
    fusion: ClassVar[str] = "only in the similarity; layer 0 is what it compares"
    fused = "none"
    text_layers: ClassVar[str] = "text_model.encoder.layers"
    embeddings: ClassVar[tuple[str, str]] = ("visual_projection", "text_projection")
    scale: ClassVar[str] = "logit_scale"

    def __init__(self, model: nn.Module, processor: Any, candidates: Sequence[str] = ()) -> None:
        super().__init__(model, processor, candidates)
        # Here, before anything listens: the text tower's states are the examples' alone later.
        self._compared = self._embedded(self.candidates) if self.candidates else None

    @torch.no_grad()
    def _embedded(self, texts: Sequence[str]) -> Tensor:
        model: Any = self.model.eval()
        given = {name: value.to(model.device) for name, value in self.texts(texts).items()}
        features = model.get_text_features(**self.seen(given))
        if not isinstance(features, Tensor):  # some versions of transformers wrap them
            features = features.pooler_output
        return nn.functional.normalize(features, dim=-1)

    def prepare(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Return what the first tower is given, and ids and mask of texts."""
        first = self.first([example.inputs[self.modalities[0]] for example in examples])
        return {**first, **self.texts([example.inputs["text"] for example in examples])}

    def first(self, values: Sequence[Any]) -> dict[str, Tensor]:
        """Return what the first tower is given: pixel values."""
        return dict(self.processor.image_processor(list(values), return_tensors="pt"))

    def texts(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """Return ids and mask of texts, cut to what the model has positions for."""
        return tokens(self.processor.tokenizer, texts, self.positions())

    def positions(self) -> int:
        """Return how many tokens of a text the model has positions for."""
        config: Any = self.model.config
        return int(config.text_config.max_position_embeddings)

    def candidate_tokens(self) -> list[list[int]]:
        """Return all tokens of each candidate, as the model is given them."""
        if not self.candidates:
            return []
        given = self.texts(self.candidates)
        pairs = zip(given["input_ids"], given["attention_mask"].bool(), strict=True)
        return [ids[mask].tolist() for ids, mask in pairs]

    def seen(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the inputs of the forward pass; the others only mark positions."""
        return dict(inputs)

    def forward(self, inputs: Mapping[str, Tensor]) -> Any:
        """Run both towers, and compare."""
        return self.model(**self.seen(inputs))

    def first_layers(self) -> tuple[str, ...]:
        """Return the dotted paths of the first tower's layers."""
        return self.layers_under("vision_model.encoder.layers")

    def sites(self) -> tuple[Site, ...]:
        """The projections that the similarity compares, and the layers of both towers."""
        layers = (self.first_layers(), self.layers_under(self.text_layers))
        towers = tuple(zip(self.modalities, self.embeddings, layers, strict=True))
        depth = min(map(len, layers))
        return (
            *(Site(BEFORE_FUSION, module, (modality,)) for modality, module, _ in towers),
            *(
                Site(layer, module, (modality,))
                for modality, _, modules in towers
                for layer, module in enumerate(modules[:depth], start=1)
            ),
        )

    def spans(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The whole of the first tower, and the text without its padding."""
        return {"text": inputs["attention_mask"].bool()}

    def answer(self, output: Any, inputs: Mapping[str, Tensor]) -> Tensor | None:
        """Compare what the first tower was given with every candidate."""
        if not self.candidates or self._compared is None:
            return None
        embedded = output[f"{self.modalities[0]}_embeds"]
        scale = getattr(self.model, self.scale).exp()
        similarity = embedded @ self._compared.to(inputs["input_ids"].device).T
        return torch.softmax((scale * similarity).float(), 1)


class SiglipAdapter(ClipAdapter):
    """SigLIP: a picture, a text, and how probable it is that they belong together.

    Without candidates the answer is that probability, the sigmoid that SigLIP was trained with: the
    columns are no match and match. With candidates it is which of them the picture is most like, as
    CLIP's. Every position of the text tower sees the padding of the text, too, unless the
    checkpoint's tokenizer gives a mask; it is of no modality either way. What the similarity
    compares is pooled already: by attention in the picture's tower, at the last position in the
    text's.
    """

    embeddings: ClassVar[tuple[str, str]] = ("vision_model.head", "text_model.head")

    def texts(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """Return ids of texts, padded to the length of the training, and their mask."""
        longest = self.positions()
        return tokens(self.processor.tokenizer, texts, longest, padding="max_length")

    def seen(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Leave out the texts' mask where the checkpoint's tokenizer gives none by itself."""
        masked = "attention_mask" in self.processor.tokenizer.model_input_names
        return {k: v for k, v in inputs.items() if masked or k != "attention_mask"}

    def answer(self, output: Any, inputs: Mapping[str, Tensor]) -> Tensor | None:
        """Return the probability that the pair matches, or compare with every candidate."""
        if self.candidates:
            return super().answer(output, inputs)
        match = output.logits_per_image.diagonal().float()
        return torch.sigmoid(torch.stack([-match, match], 1))


class Siglip2Adapter(SiglipAdapter):
    """SigLIP 2 that keeps a picture's shape: as many patches as it has, and padding behind them.

    (SigLIP 2 of one size for all pictures is of the type ``siglip``, to the library and here.)
    """

    def spans(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The patches of the picture and the words of the text, both without padding."""
        return {"image": inputs["pixel_attention_mask"].bool(), **super().spans(inputs)}


class ClapAdapter(ClipAdapter):
    """CLAP: a recording, a text, and how alike they are.

    Layer k of the audio tower is its k-th block; the blocks stand in stages of two or more, of
    which each but the last ends by merging neighbouring patches. A block's state is what leaves it,
    before they are merged. A recording that is shorter than the model's ten seconds fills them by
    repeating itself, as the model was trained, so that all patches are the audio's. A longer one is
    refused: of it the library's own preparation would draw pieces at random.
    """

    modalities: ClassVar[tuple[str, str]] = ("audio", "text")
    text_layers: ClassVar[str] = "text_model.encoder.layer"
    embeddings: ClassVar[tuple[str, str]] = ("audio_projection", "text_projection")
    scale: ClassVar[str] = "logit_scale_a"

    def first(self, values: Sequence[Any]) -> dict[str, Tensor]:
        """Return spectrograms of recordings, none of them longer than the model takes."""
        extractor = self.processor.feature_extractor
        rate = extractor.sampling_rate
        check_recordings(values, rate, extractor.nb_max_samples, extractor.max_length_s, "CLAP")
        features = extractor(list(values), sampling_rate=rate, return_tensors="pt")
        model: Any = self.model
        return {
            "input_features": features["input_features"].to(model.dtype),
            # Where none is longer, the library says so of one of them, drawn at random.
            "is_longer": torch.zeros_like(features["is_longer"]),
        }

    def positions(self) -> int:
        """Return how many tokens of a text the model has positions for."""
        config: Any = self.model.config
        # RoBERTa counts positions from behind the padding's own.
        return super().positions() - int(config.text_config.pad_token_id) - 1

    def first_layers(self) -> tuple[str, ...]:
        """Return the dotted paths of the audio tower's blocks, through all stages."""
        stages = self.layers_under("audio_model.audio_encoder.layers")
        return tuple(block for stage in stages for block in self.layers_under(f"{stage}.blocks"))

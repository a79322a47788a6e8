"""Two towers that meet only in a similarity: CLIP and its relatives.

Nothing is fused before the similarity. Layer 0 are the projected embeddings that it compares; layer
k is the k-th layer of each tower, still of one modality alone, as deep as the shallower tower.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from modalprism.capture.adapter import Adapter, Site
from modalprism.datasets.example import Example


class ClipAdapter(Adapter):
    """CLIP: a picture, a text, and how alike they are.

    With candidates (``"a photo of a cat"``, …) the answer is which of them the picture is most
    like. Without any there is none: how alike a pair is has no scale of its own in CLIP.
    """

    auto_class: ClassVar[str] = "AutoModel"
    fusion: ClassVar[str] = "only in the similarity; layer 0 is what it compares"
    fused = "none"
    first_layers: ClassVar[str] = "vision_model.encoder.layers"
    text_layers: ClassVar[str] = "text_model.encoder.layers"

    def prepare(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Return pixel values, and ids and mask of texts."""
        pictures = self.processor.image_processor(
            [example.inputs["image"] for example in examples], return_tensors="pt"
        )
        texts = self._texts([example.inputs["text"] for example in examples])
        return {"pixel_values": pictures["pixel_values"], **texts}

    def _texts(self, texts: Sequence[str]) -> dict[str, Tensor]:
        return dict(
            self.processor.tokenizer(
                list(texts), padding=True, truncation=True, return_tensors="pt"
            )
        )

    def sites(self) -> tuple[Site, ...]:
        """Both projections, and the layers of both towers."""
        first, second = self.modalities
        towers = (
            (first, self.layers_under(self.first_layers)),
            (second, self.layers_under(self.text_layers)),
        )
        depth = min(len(layers) for _, layers in towers)
        return (
            Site(0, "visual_projection", (first,)),
            Site(0, "text_projection", (second,)),
            *(
                Site(layer, module, (modality,))
                for modality, layers in towers
                for layer, module in enumerate(layers[:depth], start=1)
            ),
        )

    def spans(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """All patches of the picture, and the text without its padding."""
        return {"text": inputs["attention_mask"].bool()}

    def answer(self, output: Any, inputs: Mapping[str, Tensor]) -> Tensor | None:
        """Compare the picture with every candidate."""
        if not self.candidates:
            return None
        texts = {
            name: value.to(inputs["pixel_values"].device)
            for name, value in self._texts(self.candidates).items()
        }
        embedded = _embedding(self.model.get_text_features(**texts))  # type: ignore[operator]
        embedded = embedded / embedded.norm(dim=-1, keepdim=True)
        scale = self.model.logit_scale.exp()  # type: ignore[operator]
        return torch.softmax(scale * output.image_embeds @ embedded.T, 1)


def _embedding(features: Any) -> Tensor:
    """Some versions wrap what a tower gives."""
    return features if isinstance(features, Tensor) else features.pooler_output

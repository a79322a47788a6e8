"""LLaVA and its relatives: pictures as tokens of a causal language model.

Layer 0 enters the first layer: the projected picture and the embedded words. The number of image
tokens varies where a family cuts pictures into tiles or keeps their shape. Marks and line breaks
between tiles, which tell how the picture was cut, are of no modality.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from modalprism.capture.adapter import Adapter, Site, stream
from modalprism.capture.families.tokens import FirstTokenAdapter
from modalprism.datasets.dataset import Example


class LlavaAdapter(FirstTokenAdapter):
    """LLaVA: a picture, then a question; the answer is the first token of a candidate.

    `decoder` is the path of the language model, and `norm` the name of its final norm. `template`
    is the prompt, where the processor brings no chat template; ``{text}`` stands for the example's
    text.
    """

    auto_class: ClassVar[str] = "AutoModelForImageTextToText"
    fusion: ClassVar[str] = (
        "in the text's span and at the last position, from layer 1; the picture stands first and "
        "never sees the text"
    )
    fused = "last"
    decoder: ClassVar[str] = "model.language_model"
    norm: ClassVar[str] = "norm"
    template: ClassVar[str] = "USER: <image>\n{text} ASSISTANT:"

    @classmethod
    def load_processor(cls, library: Any, model: Any, options: Mapping[str, Any]) -> Any:
        """Load the processor; one that the family names is loaded without its part for videos."""
        if cls.processor_class == Adapter.processor_class:
            return super().load_processor(library, model, options)
        processor = pictures_only(getattr(library, cls.processor_class))
        return processor.from_pretrained(model, **options)

    def prepare(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Put every picture and text into the prompt."""
        prompts = [self.prompt(example.inputs["text"]) for example in examples]
        begin = self.processor.tokenizer.bos_token
        # Chat templates may bring the token that begins a text, which tokenizers add by themselves.
        begun = bool(begin) and prompts[0].startswith(begin)
        prepared = self.processor(
            text=prompts,
            images=[[example.inputs["image"]] for example in examples],
            padding=True,
            return_tensors="pt",
            **({"add_special_tokens": False} if begun else {}),
        )
        return dict(prepared)

    def prompt(self, text: str) -> str:
        """Return the prompt of one example."""
        if not getattr(self.processor, "chat_template", None):
            return self.template.format(text=text)
        content = [{"type": "image"}, {"type": "text", "text": text}]
        prompt: str = self.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        return prompt

    def sites(self) -> tuple[Site, ...]:
        """The decoder's input, the outputs of its layers, and its final norm."""
        return stream(
            self.layers_under(f"{self.decoder}.layers"),
            self.modalities,
            final=f"{self.decoder}.{self.norm}",
            attention="self_attn",
        )

    def image_token(self) -> int:
        """Return the id of the token that stands for a piece of the picture."""
        return int(self.model.config.image_token_id)  # type: ignore[union-attr, arg-type]

    def marks(self) -> list[int]:
        """Return the ids of tokens that only mark, such as who speaks and where a text ends."""
        tokenizer = self.processor.tokenizer
        # The list of special tokens is incomplete: a processor may replace it by its own, and some
        # tokenizers only say so of each added token.
        added = [i for i, token in tokenizer.added_tokens_decoder.items() if token.special]
        return sorted({*tokenizer.all_special_ids, *added})

    def spans(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Image tokens wherever they stand, and words; tokens that only mark are neither."""
        ids = inputs["input_ids"]
        image = ids == self.image_token()
        marks = torch.tensor(self.marks(), device=ids.device)
        words = inputs["attention_mask"].bool() & ~torch.isin(ids, marks) & ~image
        return {"image": image, "text": words}


class LlavaNextAdapter(LlavaAdapter):
    """LLaVA-NeXT: the whole picture, then the tiles of a grid that its shape chooses, row by row.

    Every row of patches ends in a learned vector that stands for a line break; it is at an image
    token, too, and so is pooled with the picture.
    """


class LlavaOnevisionAdapter(LlavaNextAdapter):
    """LLaVA-OneVision: the tiles of LLaVA-NeXT, with rows shrunk where there are too many."""

    processor_class: ClassVar[str] = "LlavaOnevisionProcessor"
    template: ClassVar[str] = "<|im_start|>user <image>\n{text}<|im_end|><|im_start|>assistant\n"


class Qwen2VlAdapter(LlavaAdapter):
    """Qwen2-VL: a picture in its own shape, then a question.

    A picture has as many image tokens as squares of merged patches (``image_grid_thw``), between
    two marks. Of the chat template it sees what stands before it, the same for every example.
    """

    template: ClassVar[str] = (
        "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>{text}<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    processor_class: ClassVar[str] = "Qwen2VLProcessor"


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


class InternVlAdapter(LlavaAdapter):
    """InternVL, as transformers has it: tiles, the whole picture, then a question.

    The tiles follow the picture's shape; a picture of one tile has no whole picture beside.
    """

    processor_class: ClassVar[str] = "InternVLProcessor"
    template: ClassVar[str] = (
        "<|im_start|>user\n<IMG_CONTEXT>\n{text}<|im_end|>\n<|im_start|>assistant\n"
    )


class Idefics3Adapter(LlavaAdapter):
    """Idefics3: crops of a picture, the whole picture, then a question.

    Crops stand row by row, each behind a mark of its row and column; the whole picture, shrunk,
    stands last. `border` is the token before each crop and behind the last.
    """

    decoder: ClassVar[str] = "model.text_model"
    template: ClassVar[str] = "User:<image>{text}<end_of_utterance>\nAssistant:"
    border: ClassVar[str] = "<fake_token_around_image>"
    before_candidates: ClassVar[str] = " "  # the prompt ends in "Assistant:"

    def spans(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Image tokens of all crops, and words; nothing between the first border and the last."""
        spans = super().spans(inputs)
        border = inputs["input_ids"] == self.processor.tokenizer.convert_tokens_to_ids(self.border)
        begun = border.cumsum(1) > 0
        to_come = border.flip(1).cumsum(1).flip(1) > 0
        return spans | {"text": spans["text"] & ~(begun & to_come)}


class SmolVlmAdapter(Idefics3Adapter):
    """SmolVLM: Idefics3 in small, and for videos, too, which are not read here.

    SmolVLM's own processor needs torchvision and num2words for videos; that of Idefics3 writes the
    same marks.
    """

    processor_class: ClassVar[str] = "Idefics3Processor"
    template: ClassVar[str] = "<|im_start|>User:<image>{text}<end_of_utterance>\nAssistant:"


class Gemma3Adapter(LlavaAdapter):
    """Gemma 3: a picture, then a question; the answer is the first token of a candidate.

    Image tokens see all image tokens of their picture, those behind them, too; everything else sees
    what stands before it, most layers only a window of it. A picture is seen whole, as the
    library's processor has it (no pan and scan). The line breaks around it are of no modality.
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


class PaliGemmaAdapter(LlavaAdapter):
    """PaliGemma: a picture and a question in one prefix; the answer is a candidate's first token.

    Attention runs both ways in the prefix (image tokens, words, and a line break, at which the
    answer is read), so that only layer 0 is of one modality: from layer 1 on both spans are fused.
    The line break is a word of the text's span.
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


def pictures_only(processor: type[Any]) -> type[Any]:
    """Return a class of processors without its part for videos, which needs torchvision."""
    # The library loads the parts that the class names here, and lets others be None.
    parts = ["image_processor", "tokenizer"]
    return type(processor.__name__, (processor,), {"get_attributes": classmethod(lambda _: parts)})

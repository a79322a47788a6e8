"""Pictures as tokens of a causal language model: LLaVA and its relatives.

The picture's states enter the decoder in place of its image tokens. Layer 0 is what enters the
first layer: the projected picture, and the embedded words. In a causal decoder a position sees only
what stands before it. Where the picture comes first, its span never sees the text, and stays of
one modality through all layers; the text's span is fused from layer 1 on. The fused state is that
of the last position, from which the answer is read.

The state of layer k is what leaves it; that of the last layer is taken after the final norm, as
``output_hidden_states`` of the library has it.

LLaVA-NeXT and LLaVA-OneVision cut a picture into tiles of a grid that its shape chooses, so that
their image tokens vary in number from picture to picture. All of them stand together, where the
prompt has its one image token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from modalprism.capture.adapter import Adapter, Site
from modalprism.datasets.example import Example
from modalprism.errors import InputError


class LlavaAdapter(Adapter):
    """LLaVA: a picture, then a question; the answer is the first token of a candidate.

    Attributes
    ----------
    decoder : str
        Dotted path of the language model.
    template : str
        The prompt, where the processor brings no chat template; ``{text}`` stands for the example's
        text.
    """

    auto_class: ClassVar[str] = "AutoModelForImageTextToText"
    fusion: ClassVar[str] = (
        "in the text's span and at the last position, from layer 1; the picture stands first and "
        "never sees the text"
    )
    fused = "last"
    decoder: ClassVar[str] = "model.language_model"
    template: ClassVar[str] = "USER: <image>\n{text} ASSISTANT:"

    def __init__(self, model: nn.Module, processor: Any, candidates: Sequence[str] = ()) -> None:
        super().__init__(model, processor, candidates)
        self._first_tokens = first_tokens(processor.tokenizer, self.candidates)

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
        said: str = self.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        return said

    def candidate_tokens(self) -> list[list[int]]:
        """Return the token that begins each candidate."""
        return [[token] for token in self._first_tokens]

    def sites(self) -> tuple[Site, ...]:
        """What enters the decoder, what leaves its layers, and its final norm."""
        layers = self.layers_under(f"{self.decoder}.layers")
        return (
            Site(0, layers[0], self.modalities, reads="input"),
            *(
                Site(layer, module, self.modalities, attention=f"{module}.self_attn")
                for layer, module in enumerate(layers[:-1], start=1)
            ),
            Site(
                len(layers),
                f"{self.decoder}.norm",
                self.modalities,
                attention=f"{layers[-1]}.self_attn",
            ),
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

    def answer(self, output: Any, inputs: Mapping[str, Tensor]) -> Tensor | None:
        """Return the candidates' first tokens' probabilities, relative to each other."""
        if not self.candidates:
            return None
        rows = torch.arange(len(output.logits), device=output.logits.device)
        logits = output.logits[rows, self.last_position(inputs)]
        return torch.softmax(logits[:, self._first_tokens].float(), 1)


class LlavaNextAdapter(LlavaAdapter):
    """LLaVA-NeXT: the whole picture, then its tiles row by row, then a question.

    Layers are pre-fusion and fused where LLaVA's are: the picture's span is of one modality through
    all layers, the text's is fused from layer 1 on, and the last layer is read after the final
    norm. Every row of patches ends in a learned vector that stands for a line break; it is at an
    image token, too, and so is pooled with the picture.
    """


class LlavaOnevisionAdapter(LlavaNextAdapter):
    """LLaVA-OneVision: the tiles of LLaVA-NeXT, with rows shrunk where there are too many."""

    template: ClassVar[str] = "<|im_start|>user <image>\n{text}<|im_end|><|im_start|>assistant\n"

    @classmethod
    def load_processor(cls, library: Any, model: Any, options: Mapping[str, Any]) -> Any:
        """Load the processor without its part for videos."""
        return pictures_only(library.LlavaOnevisionProcessor).from_pretrained(model, **options)


def pictures_only(processor: type[Any]) -> type[Any]:
    """Return a class of processors without its part for videos.

    That part needs torchvision as soon as it is loaded, videos or none. All else of the class, how
    many tokens a picture has above all, stays the library's own.
    """
    # The library loads the parts that the class names here, and lets others be None.
    parts = ["image_processor", "tokenizer"]
    return type(processor.__name__, (processor,), {"get_attributes": classmethod(lambda _: parts)})


def first_tokens(tokenizer: Any, candidates: Sequence[str]) -> list[int]:
    """Return the token that begins each candidate.

    Raises
    ------
    InputError
        If two candidates begin alike, so that one token cannot tell them apart, or the tokenizer
        makes no token of one.
    """
    first: dict[int, str] = {}
    for candidate in candidates:
        ids = tokenizer(candidate, add_special_tokens=False)["input_ids"]
        if not ids:
            raise InputError(f"the tokenizer makes no token of the candidate {candidate!r}")
        token = int(ids[0])
        if token in first and token == getattr(tokenizer, "unk_token_id", None):
            raise InputError(
                f"the tokenizer knows neither {first[token]!r} nor {candidate!r}: both begin with "
                f"its mark of what it does not know, {tokenizer.unk_token}; ask for letters (A, B, "
                "…) instead"
            )
        if token in first:
            raise InputError(
                f"the candidates {first[token]!r} and {candidate!r} begin with the same token; ask "
                "for letters (A, B, …) instead"
            )
        first[token] = candidate
    return list(first)

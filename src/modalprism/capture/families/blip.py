"""BLIP, whose text encoder attends to a vision tower, and BLIP-2, a Q-Former before a decoder.

In BLIP, layer 0 is the vision tower's output after its final norm, which is also the picture's
state at every other layer, and the embedded words; the text's span includes the marks around it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from modalprism.capture.adapter import BEFORE_FUSION, Adapter, Site
from modalprism.capture.families.decoders import LlavaAdapter
from modalprism.capture.families.tokens import FirstTokenAdapter
from modalprism.datasets.dataset import Example
from modalprism.errors import InputError


class BlipAdapter(Adapter):
    """BLIP that matches: a picture, a text, and whether they belong together.

    The answer is no match or match. It is read at the first position of the text, whose state is
    the fused state of every layer.
    """

    auto_class: ClassVar[str] = "BlipForImageTextRetrieval"
    fusion: ClassVar[str] = (
        "in the text's span, from layer 1 of the text encoder; the picture is the vision tower's "
        "output at every layer and never sees the text"
    )
    fused: ClassVar[Literal["spans", "last", "none"]] = "last"

    def prepare(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Return pixel values, and ids and mask of texts."""
        config: Any = self.model.config
        prepared = self.processor(
            images=[example.inputs["image"] for example in examples],
            text=[example.inputs["text"] for example in examples],
            padding=True,
            truncation=True,
            max_length=min(
                config.text_config.max_position_embeddings,
                self.processor.tokenizer.model_max_length,
            ),
            return_tensors="pt",
        )
        return dict(prepared)

    def sites(self) -> tuple[Site, ...]:
        """The vision tower's output at every layer, embedded words, and what leaves layers."""
        image, text = self.modalities
        layers = self.layers_under("text_encoder.encoder.layer")
        words = ("text_encoder.embeddings", *layers)
        return (
            # Not its final norm: the library applies that again, to the class token alone.
            *(
                Site(layer, "vision_model", (image,), part="last_hidden_state")
                for layer in range(BEFORE_FUSION, len(words))
            ),
            *(Site(layer, module, (text,)) for layer, module in enumerate(words)),
        )

    def spans(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The whole picture, and the text without its padding."""
        return {"text": inputs["attention_mask"].bool()}

    def last_position(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the first position, from which the matching head answers."""
        return torch.zeros_like(inputs["input_ids"][:, 0])

    def answer(self, output: Any, inputs: Mapping[str, Tensor]) -> Tensor | None:  # noqa: ARG002
        """Return the probabilities of no match and of match."""
        return torch.softmax(output.itm_score.float(), 1)


class BlipQuestionAdapter(FirstTokenAdapter, BlipAdapter):
    """BLIP that answers: a picture, a question, and the first token of a candidate.

    A decoder of its own answers. In its first step, given nothing but the mark that begins an
    answer, it attends to all positions of the question; so the fused state of a layer are both
    spans' states side by side.
    """

    auto_class: ClassVar[str] = "BlipForQuestionAnswering"
    fused = "spans"

    def forward(self, inputs: Mapping[str, Tensor]) -> Any:
        """Run the parts of the model one by one: as a whole it does not hand out the answer."""
        model: Any = self.model
        words = {name: inputs[name] for name in ("input_ids", "attention_mask")}
        image = model.vision_model(inputs["pixel_values"]).last_hidden_state
        question = model.text_encoder(**words, encoder_hidden_states=image).last_hidden_state
        logits = question.new_empty(len(question), model.config.text_config.vocab_size)
        mask = words["attention_mask"].bool()
        lengths = mask.sum(1)
        # Questions of one length at a time, without padding: the library's decoder does not heed
        # the mask of what it attends to.
        for length in sorted(set(lengths.tolist())):
            rows = lengths == length
            states = question[rows][mask[rows]].unflatten(0, (-1, length))
            begin = torch.full_like(lengths[rows], model.decoder_start_token_id)[:, None]
            decoded = model.text_decoder(begin, encoder_hidden_states=states)
            logits[rows] = decoded.logits[:, -1]
        return logits

    def next_logits(self, output: Any, inputs: Mapping[str, Tensor]) -> Tensor:  # noqa: ARG002
        """Return the logits of the first token, (b, vocabulary): the output of `forward`."""
        logits: Tensor = output
        return logits


class Blip2Adapter(LlavaAdapter):
    """BLIP-2 with OPT: the Q-Former's queries, then a question.

    The picture's span are the queries as they enter the language model.
    """

    fusion: ClassVar[str] = (
        "in the text's span and at the last position, from layer 1 of the language model; the "
        "picture is the Q-Former's queries, which stand first and never see the text"
    )
    decoder: ClassVar[str] = "language_model.model.decoder"
    norm: ClassVar[str] = "final_layer_norm"
    template: ClassVar[str] = "Question: {text} Answer:"
    before_candidates: ClassVar[str] = " "

    def __init__(self, model: nn.Module, processor: Any, candidates: Sequence[str] = ()) -> None:
        config: Any = model.config
        if config.text_config.model_type != "opt":
            raise InputError(
                f"BLIP-2 is read with OPT as its language model; this one has "
                f"{config.text_config.model_type!r}: derive an adapter from Blip2Adapter"
            )
        super().__init__(model, processor, candidates)

    def prepare(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Put every text into the prompt; the processor puts the queries before it."""
        prepared = self.processor(
            text=[self.template.format(text=example.inputs["text"]) for example in examples],
            images=[example.inputs["image"] for example in examples],
            padding=True,
            return_tensors="pt",
        )
        return dict(prepared)

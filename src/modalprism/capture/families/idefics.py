"""Pictures cut into crops, each between marks, as tokens of a decoder: Idefics3 and SmolVLM.

A picture's crops stand row by row, each a mark of its row and column and then its image tokens;
the whole picture, shrunk, stands last. Their number follows the picture's shape. Image tokens are
the picture's span; the marks and line breaks between them, which only say how it was cut, belong
to no modality. The picture stands before the words, so that its span never sees the example's text
and stays of one modality through all layers; the text's span is fused from layer 1 on.

The state of layer k is what leaves it; that of the last layer is taken after the final norm, as
``output_hidden_states`` of the library has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from modalprism.capture.families.decoders import LlavaAdapter, first_tokens


class Idefics3Adapter(LlavaAdapter):
    """Idefics3: crops of a picture, the whole picture, then a question.

    Attributes
    ----------
    border : str
        The token before each crop and behind the last.
    """

    decoder: ClassVar[str] = "model.text_model"
    template: ClassVar[str] = "User:<image>{text}<end_of_utterance>\nAssistant:"
    border: ClassVar[str] = "<fake_token_around_image>"

    def __init__(self, model: nn.Module, processor: Any, candidates: Sequence[str] = ()) -> None:
        super().__init__(model, processor, candidates)
        # As they follow the prompt, which ends in "Assistant:" without a space.
        words = [f" {candidate.strip()}" for candidate in self.candidates]
        self._first_tokens = first_tokens(processor.tokenizer, words)

    def spans(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Image tokens of all crops, and words; nothing between the first border and the last."""
        spans = super().spans(inputs)
        border = inputs["input_ids"] == self.processor.tokenizer.convert_tokens_to_ids(self.border)
        begun = border.cumsum(1) > 0
        to_come = border.flip(1).cumsum(1).flip(1) > 0
        return spans | {"text": spans["text"] & ~(begun & to_come)}


class SmolVlmAdapter(Idefics3Adapter):
    """SmolVLM: Idefics3 in small, and for videos, too, which are not read here."""

    template: ClassVar[str] = "<|im_start|>User:<image>{text}<end_of_utterance>\nAssistant:"

    @classmethod
    def load_processor(cls, library: Any, model: Any, options: Mapping[str, Any]) -> Any:
        """Load the processor of Idefics3, which writes the same marks.

        SmolVLM's own wants torchvision and num2words, both of them for videos alone.
        """
        return library.Idefics3Processor.from_pretrained(model, **options)

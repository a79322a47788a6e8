"""Texts, pictures, recordings and answers, as several families prepare them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from modalprism.capture.adapter import Adapter
from modalprism.datasets.dataset import Example
from modalprism.errors import InputError


def tokens(
    tokenizer: Any, texts: Sequence[str], longest: int, padding: bool | str = True
) -> dict[str, Tensor]:
    """Return ids and mask of texts, truncated to the limits of model and tokenizer.

    The model has positions for `longest` tokens. `padding` is as the tokenizer takes it. Texts that
    were cut are counted by `modalprism.capture.notices.cut_texts`.
    """
    return dict(
        tokenizer(
            list(texts),
            padding=padding,
            truncation=True,
            max_length=min(longest, tokenizer.model_max_length),
            return_attention_mask=True,
            return_tensors="pt",
        )
    )


def texts_of(examples: Sequence[Example]) -> list[str]:
    """Return the examples' texts."""
    return [example.inputs["text"] for example in examples]


def words_and_pixels(
    adapter: Adapter, examples: Sequence[Example], longest: int, *, mask: bool = False
) -> dict[str, Tensor]:
    """Return ids and mask of texts, pixels, and with `mask` which pixels are padding."""
    pictures = [example.inputs["image"] for example in examples]
    prepared = adapter.processor.image_processor(pictures, return_tensors="pt")
    return {
        **tokens(adapter.processor.tokenizer, texts_of(examples), longest),
        "pixel_values": prepared["pixel_values"].to(adapter.model.dtype),
        **({"pixel_mask": prepared["pixel_mask"]} if mask else {}),
    }


def check_recordings(
    recordings: Sequence[Any], rate: int, samples: int, seconds: float, model: str
) -> None:
    """Refuse recordings that are empty or longer than a model takes."""
    for recording in recordings:
        if not 0 < len(recording) <= samples:
            raise InputError(
                f"a recording has {len(recording) / rate:.1f} seconds at {rate} Hz; {model} hears "
                f"more than none and up to {seconds}: cut it"
            )


class FirstTokenAdapter(Adapter):
    """A model that answers with text: the answer is the first token of a candidate.

    `before_candidates` is text between the prompt and an answer, such as a space.
    """

    before_candidates: ClassVar[str] = ""

    def __init__(self, model: nn.Module, processor: Any, candidates: Sequence[str] = ()) -> None:
        super().__init__(model, processor, candidates)
        before = self.before_candidates
        words = [f"{before}{one.strip()}" if before else one for one in self.candidates]
        self._first_tokens = first_tokens(processor.tokenizer, words)

    def candidate_tokens(self) -> list[list[int]]:
        """Return the token that begins each candidate."""
        return [[token] for token in self._first_tokens]

    def next_logits(self, output: Any, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the logits of the token that begins the answer, (b, vocabulary)."""
        rows = torch.arange(len(output.logits), device=output.logits.device)
        logits: Tensor = output.logits[rows, self.last_position(inputs)]
        return logits

    def answer(self, output: Any, inputs: Mapping[str, Tensor]) -> Tensor | None:
        """Return the candidates' first tokens' probabilities, relative to each other."""
        if not self.candidates:
            return None
        return torch.softmax(self.next_logits(output, inputs)[:, self._first_tokens].float(), 1)


def first_tokens(tokenizer: Any, candidates: Sequence[str]) -> list[int]:
    """Return the token that begins each candidate.

    Raises InputError if two candidates begin alike, so that one token cannot tell them apart, or
    the tokenizer makes no token of one.
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

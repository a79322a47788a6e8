"""Texts as tokens, for families whose models have positions for so many tokens and no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from modalprism.datasets.example import Example


def tokens(
    tokenizer: Any, texts: Sequence[str], longest: int, padding: bool | str = True
) -> dict[str, Tensor]:
    """Return ids and mask of texts, cut to what the model and its tokenizer allow.

    `modalprism.capture.notices.cut_texts` counts those that were cut.

    Parameters
    ----------
    tokenizer : object
    texts : sequence of str
    longest : int
        How many tokens the model has positions for.
    padding : bool or str
        As the tokenizer takes it; True pads to the longest of `texts`.
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

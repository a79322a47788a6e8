"""Encoded pictures and sentences of emojis, the inputs of the fusion networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modalprism.demo.emoji import Emoji
from modalprism.demo.encoders import encode_pictures, encode_texts
from modalprism.demo.questions import Question
from modalprism.progress import Track, silent


@dataclass(frozen=True)
class EncodedEmojis:
    """Features of some emojis; a sentence is a question followed by a name.

    Attributes
    ----------
    row : ndarray of int64, shape (number of all emojis,)
        Row of an emoji's features; −1 where it was not encoded.
    image : Tensor of float16, shape (n, 16, 1280)
    text : dict of question name to Tensor of float16, shape (n + 1, longest, 384)
        The last row is the question without a name.
    text_mask : dict of question name to Tensor of bool, shape (n + 1, longest)
    """

    row: NDArray[np.int64]
    image: Tensor
    text: dict[str, Tensor]
    text_mask: dict[str, Tensor]

    def batch(
        self, question: Question, picture: NDArray[np.int64], name: NDArray[np.int64]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return image tokens, text tokens and text mask, in float32, for pairs of emojis."""
        pictures = torch.from_numpy(self.row[picture])
        names = torch.from_numpy(self.row[name])
        return (
            self.image[pictures].float(),
            self.text[question.name][names].float(),
            self.text_mask[question.name][names],
        )


def encode_emojis(
    emojis: Sequence[Emoji],
    members: NDArray[np.int64],
    questions: Sequence[Question],
    *,
    track: Track = silent,
) -> EncodedEmojis:
    """Encode the pictures of `members` and, for every question, the sentences with their names."""
    row = np.full(len(emojis), -1)
    row[members] = np.arange(len(members))
    image = encode_pictures([emojis[i].picture for i in members], track=track)
    text, text_mask = {}, {}
    for question in questions:
        sentences = [f"{question.text} {emojis[i].name}" for i in members]
        encoded = encode_texts([*sentences, question.text], track=track)
        text[question.name], text_mask[question.name] = encoded.states, encoded.mask
    return EncodedEmojis(row, image, text, text_mask)

"""Interventions on inputs: exchange, blank, noise or meaningless words in place of one modality.

Random draws depend on the seed and the example's place only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from modalprism.datasets.example import Example
from modalprism.errors import InputError

LOREM: Final = (
    *("lorem", "ipsum", "dolor", "sit", "amet", "consectetur", "adipiscing", "elit", "sed", "do"),
    *("eiusmod", "tempor", "incididunt", "ut", "labore", "et", "dolore", "magna", "aliqua"),
)


def _with(example: Example, modality: str, value: Any) -> Example:
    return replace(example, inputs={**example.inputs, modality: value})


def _value(example: Example, modality: str) -> Any:
    if modality not in example.inputs:
        raise InputError(
            f"the example {example.id!r} has no modality {modality!r}; it has "
            f"{', '.join(example.inputs)}"
        )
    return example.inputs[modality]


def exchanged(examples: Sequence[Example], modality: str, *, seed: int = 0) -> list[Example]:
    """Give every example the modality of another one, each used once.

    Raises InputError if there are fewer than two examples, or one lacks the modality.

    Examples
    --------
    >>> pair = [Example("1", {"text": "a"}), Example("2", {"text": "b"})]
    >>> [example.inputs["text"] for example in exchanged(pair, "text")]
    ['b', 'a']
    """
    return [
        _with(example, modality, _value(examples[other], modality))
        for example, other in zip(examples, others(len(examples), seed).tolist(), strict=True)
    ]


def others(n: int, seed: int) -> NDArray[np.int64]:
    """Assign each of n examples another one, every one once, shape (n,).

    Raises InputError if there are fewer than two.

    Examples
    --------
    >>> others(2, seed=0).tolist()
    [1, 0]
    """
    if n < 2:
        raise InputError("one example has no other to take a modality from; give two or more")
    # One cycle through all of them: none keeps its own.
    order = np.random.default_rng(seed).permutation(n)
    given = np.empty(n, dtype=np.int64)
    given[order] = np.roll(order, 1)
    return given


def blanked(examples: Sequence[Example], modality: str) -> list[Example]:
    """Replace a modality by nothing: a grey picture, silence, an empty text."""

    def blank(value: Any) -> Any:
        if isinstance(value, str):
            return ""
        if isinstance(value, np.ndarray):
            return np.zeros_like(value)
        return _picture_of(np.full(np.asarray(value).shape, 128.0))

    return [_with(example, modality, blank(_value(example, modality))) for example in examples]


def noisy(
    examples: Sequence[Example], modality: str, *, sigma: float | None = None, seed: int = 0
) -> list[Example]:
    """Add noise to pictures or audio, or replace them by noise.

    `sigma` is the standard deviation of the noise that is added: 1 is the whole range of a pixel,
    or the example's own standard deviation of audio. By default, nothing is added: the input is
    replaced by noise with its own mean and variance (of every channel).

    Raises InputError if the modality is text (`lorem_ipsum` is for that), or `sigma` is negative.
    """
    if sigma is not None and sigma < 0:
        raise InputError(f"sigma is {sigma}; noise has a standard deviation of 0 or more")
    replaced = []
    for place, example in enumerate(examples):
        value = _value(example, modality)
        if isinstance(value, str):
            raise InputError("a text has no noise; replace it with lorem_ipsum instead")
        pixels = np.asarray(value, dtype=np.float64)
        sound = isinstance(value, np.ndarray)
        noise = np.random.default_rng([seed, place]).standard_normal(pixels.shape)
        over = None if sound else (0, 1)
        if sigma is None:
            made = pixels.mean(over, keepdims=True) + noise * pixels.std(over, keepdims=True)
        else:
            made = pixels + noise * sigma * (pixels.std() if sound else 255.0)
        made = made.astype(value.dtype) if sound else _picture_of(made)
        replaced.append(_with(example, modality, made))
    return replaced


def _picture_of(pixels: Any) -> Any:
    from PIL import Image

    return Image.fromarray(np.clip(pixels, 0, 255).round().astype(np.uint8))


def lorem_ipsum(examples: Sequence[Example], modality: str) -> list[Example]:
    """Replace texts by as many words without meaning.

    Raises InputError if the modality is no text.
    """

    def meaningless(value: Any) -> str:
        if not isinstance(value, str):
            raise InputError("lorem ipsum stands for a text; blank or noise stand for others")
        return " ".join(LOREM[place % len(LOREM)] for place in range(len(value.split())))

    return [_with(one, modality, meaningless(_value(one, modality))) for one in examples]

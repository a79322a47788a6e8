"""Compare what a model was sent with what the examples say: the prompt, and texts that were cut."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor

from modalprism.capture.adapter import Adapter
from modalprism.datasets.example import Example

LONGEST_PROMPT: Final = 4000
_IDS: Final = (
    ("decoder_input_ids", "decoder_attention_mask"),
    ("input_ids", "attention_mask"),
)
"""Names of token ids in prepared inputs, and of their mask."""
_REPEATED: Final = re.compile(r"(<[^<>\s]+>)(?:\s*\1){3,}")


def cut_texts(
    adapter: Adapter, examples: Sequence[Example], inputs: Mapping[str, Tensor]
) -> tuple[int, int]:
    """Count the examples whose text was cut, and return how many tokens of a text were kept.

    A text was cut if its own tokens are more than those that the model was sent. Nothing is
    counted where the adapter has no tokenizer or the inputs have no token ids.

    Parameters
    ----------
    adapter : Adapter
    examples : sequence of Example
    inputs : mapping of name to Tensor
        As `adapter` prepared them.
    """
    sent = _sent(inputs)
    if sent is None or adapter.tokenizer is None:
        return 0, 0
    lengths = sent[1].sum(1).tolist()
    kept = [
        length
        for example, length in zip(examples, lengths, strict=True)
        if isinstance(text := example.inputs.get("text"), str)
        and adapter.text_length(text) > length
    ]
    return len(kept), max(kept, default=0)


def prompt_of(adapter: Adapter, example: Example, inputs: Mapping[str, Tensor]) -> str:
    """Return the text that a model was sent for an example, with all marks.

    The text is decoded from the token ids of the first row of `inputs`. Where there are none, or no
    tokenizer, it is the example's text. Runs of one mark, such as image tokens, are shortened to
    ``<image>×576``.

    Parameters
    ----------
    adapter : Adapter
    example : Example
        The first of the batch.
    inputs : mapping of name to Tensor
        The batch, as `adapter` prepared it.
    """
    sent = _sent(inputs)
    if sent is not None and adapter.tokenizer is not None:
        ids, mask = sent
        said = str(adapter.tokenizer.decode(ids[0][mask[0]].tolist()))
    else:
        said = next(
            (
                value
                for name in ("text", *adapter.modalities)
                if name in example.inputs and isinstance(value := example.inputs[name], str)
            ),
            "",
        )
    said = _REPEATED.sub(lambda run: f"{run[1]}×{run[0].count(run[1])}", said)
    if len(said) <= LONGEST_PROMPT:
        return said
    return f"{said[:LONGEST_PROMPT]}… ({len(said):,} characters)"


def _sent(inputs: Mapping[str, Any]) -> tuple[Tensor, Tensor] | None:
    """Return token ids and a mask of those that are no padding, (b, t) each."""
    for name, mask_name in _IDS:
        ids = inputs.get(name)
        if isinstance(ids, Tensor) and ids.ndim == 2:
            mask = inputs.get(mask_name)
            if isinstance(mask, Tensor) and mask.shape == ids.shape:
                return ids, mask.bool()
            return ids, torch.ones_like(ids, dtype=torch.bool)
    return None

"""Capture of the fusion networks on the emoji questions, in inference mode."""

from __future__ import annotations

from typing import Any, Final, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modalprism.capture.emoji_family import ANSWER_SLICES
from modalprism.capture.emoji_inputs import EmojiInputs
from modalprism.capture.fusion_adapter import FusionAdapter
from modalprism.capture.fusion_network import FusionNetwork
from modalprism.capture.pooling import mean
from modalprism.capture.reading import read_batch, read_states
from modalprism.datasets.emoji_questions import PairedExamples
from modalprism.datasets.example import Example
from modalprism.progress import Track, silent
from modalprism.strict_json import dumps

BATCH: Final = 128


def layer_names(network: FusionNetwork) -> dict[int, str]:
    """Name the depths at which a fusion network is read; the head joins the two streams."""
    depth = network.config.depth
    return {
        0: "before fusion",
        **{layer: f"layer {layer}" for layer in range(1, depth + 1)},
        depth + 1: "head",
    }


@torch.inference_mode()
def answer_probabilities(
    network: FusionNetwork,
    inputs: EmojiInputs,
    pairs: PairedExamples,
    *,
    track: Track = silent,
    description: str = "running the model",
) -> NDArray[np.float32]:
    """Run the network and return its probabilities over the candidate answers, shape (n, C)."""
    answers = []
    starts = range(0, len(pairs.picture), BATCH)
    for i in track(starts, total=len(starts), description=description):
        chosen = slice(i, i + BATCH)
        batch = inputs.batch(pairs.question, pairs.picture[chosen], pairs.name[chosen])
        logits = network(*batch)[:, ANSWER_SLICES[pairs.question.answer]]
        answers.append(torch.softmax(logits, 1))
    return torch.cat(answers).numpy()


@torch.inference_mode()
def capture_states(
    network: FusionNetwork,
    inputs: EmojiInputs,
    pairs: PairedExamples,
    kin: NDArray[np.int64],
    *,
    track: Track = silent,
    description: str = "capturing",
) -> dict[str, NDArray[Any]]:
    """Run the network and keep span means, fused states and answers, as a store names them.

    The fused state of a layer is both spans' means side by side, all that the head reads of that
    depth; that of the head is its hidden layer. Rows are grouped by `kin`, the number of every
    emoji's kin, of the picture and of the name.
    """
    adapter = FusionAdapter(network, inputs, pairs.question)
    kept: dict[str, list[Tensor]] = {}
    starts = range(0, len(pairs.label), BATCH)
    with read_states(network, adapter.sites(), mean) as reading:
        for i in track(starts, total=len(starts), description=description):
            chosen = zip(pairs.picture[i : i + BATCH], pairs.name[i : i + BATCH], strict=True)
            examples = [
                Example(str(i + row), {"image": picture, "text": name})
                for row, (picture, name) in enumerate(chosen)
            ]
            states, answer = read_batch(adapter, adapter.prepare(examples), reading)
            for key, state in {**states, "answer": answer}.items():
                kept.setdefault(key, []).append(cast(Tensor, state))
    arrays: dict[str, NDArray[Any]] = {
        name: torch.cat(parts).numpy() for name, parts in kept.items()
    }
    return arrays | {
        "label": pairs.label,
        "group/picture": kin[pairs.picture],
        "group/name": kin[pairs.name],
    }


def redrawn_arrays(
    network: FusionNetwork,
    inputs: EmojiInputs,
    pairs: PairedExamples,
    *,
    track: Track = silent,
    description: str = "redrawing pairs",
) -> dict[str, NDArray[Any]]:
    """Run the network on redrawn pairs and name the arrays as a store does."""
    return {
        "redrawn/answer": answer_probabilities(
            network, inputs, pairs, track=track, description=description
        ),
        "redrawn/image": pairs.picture,
        "redrawn/text": pairs.name,
    }


def store_metadata(network: FusionNetwork, **words: str) -> dict[str, str]:
    """Describe a store in its own header."""
    return {"layer_names": dumps(layer_names(network)), **words}

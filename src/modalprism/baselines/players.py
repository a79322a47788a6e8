"""Players of a Shapley game on states before fusion, and the states that replace absent players.

A player is a group of neighbouring positions of one modality's span, or the whole modality. The
states of an absent player are its modality's mean state, over all positions and examples, so that
towers, encoders and decoders can all be masked. Unlike a [MASK] token or a black patch (MM-SHAP's
own), this is no input that a model may know; it may lie off the training distribution. Where a
family brings more of a modality in behind layer 0 (BridgeTower, Qwen3-VL; see
`modalprism.capture.replacing`), that part is never masked.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modalprism.baselines.states import Fill, Moments, filled
from modalprism.capture.adapter import Adapter


def players_of(moments: Mapping[str, Moments], most: int) -> NDArray[np.int64]:
    """Return the players of each modality in every example, (n,), at most `most`.

    Both modalities have as many: at most the positions of the shorter span.
    """
    first, second = (torch.cat(of.lengths).numpy() for of in moments.values())
    fewer: NDArray[np.int64] = np.minimum(np.minimum(first, second), most)
    return fewer


def masked(
    adapter: Adapter,
    inputs: Mapping[str, Tensor],
    moments: Mapping[str, Moments],
    plays: Mapping[str, Tensor],
) -> AbstractContextManager[None]:
    """Let only some players play while a batch runs.

    `plays` says by modality which players play, bool, (b, players). The positions of a span are
    parted evenly among them, in order. A modality that is not named plays whole.
    """

    def masking(modality: str, playing: Tensor) -> Fill:
        def fill(positions: Tensor, span: Tensor) -> Tensor:
            played = playing.to(positions.device).gather(1, player_of(span, playing.shape[1]))
            mean = moments[modality].mean.to(positions.device, positions.dtype)
            return torch.where(played[..., None], positions, mean)

        return fill

    fills = {modality: masking(modality, playing) for modality, playing in plays.items()}
    return filled(adapter, inputs, fills)


def player_of(span: Tensor, players: int) -> Tensor:
    """Return the player of every position of spans (b, t), parted evenly and in order.

    Positions outside the span get any player.

    Examples
    --------
    >>> player_of(torch.tensor([[False, True, True, True, True, False]]), 2)[0, 1:5].tolist()
    [0, 0, 1, 1]
    """
    rank = (span.cumsum(1) - 1).clamp(min=0)
    length = span.sum(1, keepdim=True).clamp(min=1)
    return (rank * players // length).clamp(max=players - 1)


def tiled(inputs: Mapping[str, Tensor], count: int) -> dict[str, Tensor]:
    """Repeat the prepared inputs of one example, as if a batch of its copies had been prepared.

    Families put examples, or all pieces of all examples, one behind the other in the first
    dimension; both are repeated alike.

    Examples
    --------
    >>> tiled({"ids": torch.tensor([[1, 2]])}, 2)["ids"].tolist()
    [[1, 2], [1, 2]]
    """
    return {name: value.repeat(count, *[1] * (value.ndim - 1)) for name, value in inputs.items()}

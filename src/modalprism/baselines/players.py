"""Players of a Shapley game on states before fusion, and what stands for those that do not play.

A player is a group of neighbouring positions of one modality's span; with one player a modality, it
is the whole modality. The states of a player that does not play are replaced by the mean state of
its modality, over all positions of its span and all examples. So every family can be masked alike,
towers, encoders and decoders, and whatever a sequence holds beside its spans stays as it is. It is
another absence than that of a [MASK] token or a black patch (MM-SHAP's own), which are inputs that
a model may know and read; the mean is of no example, and may lie off what the network was trained
on. Where a family brings more of a modality in behind layer 0 (BridgeTower, Qwen3-VL; see
`modalprism.capture.replacing`), that part is never masked.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modalprism.baselines.moments import moments_of
from modalprism.baselines.running import Batch, Runner
from modalprism.baselines.states import Fill, filled
from modalprism.capture.adapter import Adapter


@dataclass(frozen=True)
class MeanStates:
    """What masks players, and how many positions may be grouped to some.

    Attributes
    ----------
    mean : mapping of modality to Tensor, shape (d,)
    length : mapping of modality to ndarray of int64, shape (n,)
        Positions of every example's span.
    """

    mean: Mapping[str, Tensor]
    length: Mapping[str, NDArray[np.int64]]

    def players(self, most: int) -> NDArray[np.int64]:
        """Say how many players each modality has in every example: as many as the other.

        Parameters
        ----------
        most : int

        Returns
        -------
        ndarray of int64, shape (n,)
            No more than the shorter span has positions; 0 where one is empty.
        """
        first, second = self.length.values()
        fewer: NDArray[np.int64] = np.minimum(np.minimum(first, second), most)
        return fewer


def read_means(runner: Runner, description: str) -> tuple[NDArray[np.float64], MeanStates]:
    """Run all examples once: their answers, and the mean state of each modality.

    Parameters
    ----------
    runner : Runner
    description : str
        For the progress.

    Returns
    -------
    answers : ndarray, shape (n, C)
        The probabilities of the answers.
    means : MeanStates
    """
    adapter = runner.subject.adapter
    moments = moments_of(adapter.modalities)
    lengths: dict[str, list[Tensor]] = {modality: [] for modality in adapter.modalities}

    def reading(modality: str) -> Fill:
        def fill(positions: Tensor, span: Tensor) -> Tensor:
            lengths[modality].append(span.sum(1).cpu())
            return moments[modality].note(positions, span)

        return fill

    def around(batch: Batch) -> AbstractContextManager[None]:
        fills = {modality: reading(modality) for modality in adapter.modalities}
        return filled(adapter, batch.inputs, fills)

    answers = runner.answers(description, around=around)
    length = {modality: torch.cat(found).numpy() for modality, found in lengths.items()}
    mean = {modality: of.mean for modality, of in moments.items() if of.count}
    return answers, MeanStates(mean, length)


def masked(
    adapter: Adapter,
    inputs: Mapping[str, Tensor],
    means: MeanStates,
    plays: Mapping[str, Tensor],
) -> AbstractContextManager[None]:
    """Let only some players play while a batch runs.

    Parameters
    ----------
    adapter : Adapter
    inputs : mapping of name to Tensor
        Of the batch.
    means : MeanStates
    plays : mapping of modality to Tensor of bool, shape (b, players)
        Which players play; the positions of a span are parted evenly among them, in order. A
        modality that is not named plays whole.
    """

    def masking(modality: str, playing: Tensor) -> Fill:
        def fill(positions: Tensor, span: Tensor) -> Tensor:
            played = playing.to(positions.device).gather(1, player_of(span, playing.shape[1]))
            mean = means.mean[modality].to(positions.device, positions.dtype)
            return torch.where(played[..., None], positions, mean)

        return fill

    fills = {modality: masking(modality, playing) for modality, playing in plays.items()}
    return filled(adapter, inputs, fills)


def player_of(span: Tensor, players: int) -> Tensor:
    """Part the positions of spans among players, evenly and in order.

    Parameters
    ----------
    span : Tensor of bool, shape (b, t)
    players : int

    Returns
    -------
    Tensor of int64, shape (b, t)
        Whose each position is; outside the span it is some player's, which nobody asks.

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

    Families put examples one behind the other in the first dimension, or, where they have pieces of
    unequal number, all pieces of all examples: both are repeated alike.

    Examples
    --------
    >>> tiled({"ids": torch.tensor([[1, 2]])}, 2)["ids"].tolist()
    [[1, 2], [1, 2]]
    """
    return {name: value.repeat(count, *[1] * (value.ndim - 1)) for name, value in inputs.items()}

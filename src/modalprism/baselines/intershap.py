"""InterSHAP: how much of a model's behaviour is the interaction of its modalities.

The modalities themselves are the players. With two of them there are four coalitions S, and v(S) is
the probability of the answer that the model gives to the whole example, with the modalities outside
S masked. The Shapley interaction index is δ = v(12) − v(1) − v(2) + v(∅); half of it stands in each
mixed cell of the matrix of indices. What is left of a modality's Shapley value in its own cell is
its main effect v(m) − v(∅). The score is |δ| / (|δ| + Σ|main|), in per cent, per example; that of a
dataset is the mean over examples, as in the authors' code.

Here a masked modality's states before fusion are its mean state (`modalprism.baselines.players`).
The authors' code replaces the input by those of random other examples, averages the predictions,
and takes the mean prediction for v(∅). The mean state needs four passes an example, not thousands.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from modalprism.baselines.interface import Cost, Subject
from modalprism.baselines.players import masked, read_means
from modalprism.baselines.running import AverageBaseline, Batch, Measured, Runner

Array = NDArray[np.float64]
_COALITIONS = 4


@dataclass(frozen=True)
class InterShap(AverageBaseline):
    """The part of a model's behaviour that is the interaction of its modalities, in per cent.

    The rest belongs to the modalities by their main effects, which are scores too: all three sum
    to 100. The target is the model's own answer; no label is used.

    Notes
    -----
    Four passes an example. Of random labels the authors report 57.8 (Wenderoth et al. 2025): what
    interacts in a model need not be information.
    """

    name: ClassVar[str] = "intershap"
    title: ClassVar[str] = "InterSHAP"
    headlines: ClassVar[tuple[str, ...]] = ("interaction", "main effect")
    source: ClassVar[str] = "Wenderoth et al., AAAI 2025, arXiv:2412.15828"

    def cost(self, subject: Subject) -> Cost:
        """Four passes an example."""
        return Cost(_COALITIONS * len(subject.examples))

    def measured(self, runner: Runner, seed: int) -> Iterator[Measured]:  # noqa: ARG002
        """Measure the interaction, and the main effect of each modality."""
        adapter = runner.subject.adapter
        first, second = adapter.modalities
        answers, means = read_means(runner, "whole examples")
        rows, chosen = np.arange(len(answers)), answers.argmax(1)

        def value(*absent: str) -> Array:
            def around(batch: Batch) -> AbstractContextManager[None]:
                nobody = torch.zeros(len(batch.places), 1, dtype=torch.bool)
                return masked(adapter, batch.inputs, means, dict.fromkeys(absent, nobody))

            words = f"without {' and '.join(absent)}"
            found: Array = runner.answers(words, around=around)[rows, chosen]
            return found

        whole = answers[rows, chosen]
        alone = (value(second), value(first))
        parts = behaviour(value(first, second), *alone, whole)
        names = (("interaction", None), ("main effect", first), ("main effect", second))
        for (quantity, modality), part in zip(names, parts, strict=True):
            yield Measured(quantity, modality, part, "%")


def behaviour(
    nobody: Array, first: Array, second: Array, both: Array
) -> tuple[Array, Array, Array]:
    """Divide behaviour into interaction and main effects, by absolute value, in per cent.

    Takes the values of the four coalitions, (n,) each; nan where nothing moves.

    Examples
    --------
    >>> half, one = np.array([0.5]), np.array([1.0])
    >>> [part.tolist() for part in behaviour(half, half, half, one)]  # exclusive or
    [[100.0], [0.0], [0.0]]
    """
    effects = np.abs([both - first - second + nobody, first - nobody, second - nobody])
    whole = effects.sum(0)
    shares = np.full_like(effects, np.nan)
    np.divide(100 * effects, whole, out=shares, where=whole > 0)
    interaction, of_first, of_second = shares
    return interaction, of_first, of_second

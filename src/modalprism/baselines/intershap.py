"""InterSHAP: how much of a model's behaviour is the interaction of its modalities.

v(S) is the probability of the answer to the whole example, with the modalities outside S masked.
The interaction index is δ = v(12) − v(1) − v(2) + v(∅), a main effect v(m) − v(∅). The score is
|δ| / (|δ| + Σ|main|), in per cent; that of a dataset is the mean over examples, as in the authors'
code. A masked modality's states are its mean state (`modalprism.baselines.states`), which needs
four passes an example. The authors' code averages the predictions over inputs of thousands of
random other examples, and takes the mean prediction for v(∅).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from modalprism.baselines.interface import Cost, Subject
from modalprism.baselines.intervals import Array, ratio
from modalprism.baselines.running import AverageBaseline, Batch, Measured, Runner
from modalprism.baselines.states import masked, read_moments


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
        return Cost(4 * len(subject.examples))

    def measured(self, runner: Runner, seed: int) -> Iterator[Measured]:  # noqa: ARG002
        """Measure the interaction, and the main effect of each modality."""
        adapter = runner.subject.adapter
        first, second = adapter.modalities
        answers, moments = read_moments(runner, "whole examples")
        rows, chosen = np.arange(len(answers)), answers.argmax(1)

        def value(*absent: str) -> Array:
            def around(batch: Batch) -> AbstractContextManager[None]:
                nobody = torch.zeros(len(batch.places), 1, dtype=torch.bool)
                return masked(adapter, batch.inputs, moments, dict.fromkeys(absent, nobody))

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
    interaction, of_first, of_second = ratio(100 * effects, whole)
    return interaction, of_first, of_second

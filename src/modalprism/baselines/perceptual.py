"""Perceptual Score: what accuracy a model loses when one modality is permuted among examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from modalprism.baselines.interface import Baseline, Cost, Result, Subject
from modalprism.baselines.intervals import Array, average, ratio, sample_weights, scored
from modalprism.baselines.running import Runner, with_inputs_of
from modalprism.baselines.targets import target_of
from modalprism.errors import InputError
from modalprism.progress import Track, silent


@dataclass(frozen=True)
class PerceptualScore(Baseline):
    """Accuracy minus the accuracy when one modality is drawn from a random example.

    The score is an expectation over permutations, of which some are drawn, the same ones for both
    modalities; an example may keep its own input, as in the authors' code. It is normalised in two
    ways: by 1 − the accuracy of always giving the most frequent answer (task), and by the model's
    accuracy (model). Where the examples have no label, the model's own answers are taken for right,
    and accuracy is agreement.

    Parameters
    ----------
    permutations : int
    """

    permutations: int = 5

    name: ClassVar[str] = "perceptual"
    title: ClassVar[str] = "Perceptual Score"
    headlines: ClassVar[tuple[str, ...]] = ("perceptual score",)
    source: ClassVar[str] = (
        "Gat, Schwartz, Schwing, Perceptual Score: What Data Modalities Does Your Model Perceive?, "
        "NeurIPS 2021, arXiv:2110.14375"
    )

    def cost(self, subject: Subject) -> Cost:
        """One pass, and one more for every modality and permutation."""
        return Cost(len(subject.examples) * (1 + 2 * self.permutations))

    def score(
        self, subject: Subject, *, seed: int = 0, replicates: int = 1000, track: Track = silent
    ) -> Result:
        """Score the modalities; see `Baseline.score`.

        Raises
        ------
        InputError
            If there is no permutation, or one class alone is right: accuracy then says nothing of
            what a model perceives.
        """
        if self.permutations < 1:
            raise InputError(f"there are {self.permutations} permutations; give one or more")
        runner = Runner(subject, track)
        n, modalities = len(subject.examples), subject.adapter.modalities
        answer = runner.answers(f"running {subject.model}")
        target = target_of(runner.labels, subject.adapter.candidates, answer)
        if len(np.unique(target.column)) < 2:
            raise InputError(
                f"of all {n} examples the same answer is right, so that accuracy says nothing of "
                "what the model perceives; give examples of two classes or more"
            )
        word, right = target.accuracy, target.correct(answer)
        generator = np.random.default_rng(seed)
        orders = [generator.permutation(n) for _ in range(self.permutations)]
        permuted: dict[str, Array] = {}
        for modality in modalities:
            found = [
                target.correct(
                    runner.answers(
                        f"permuting {modality} ({number} of {self.permutations})",
                        change=with_inputs_of(subject.examples, modality, order),
                    )
                )
                for number, order in enumerate(orders, start=1)
            ]
            permuted[modality] = np.mean(found, axis=0)
        weights = sample_weights(runner.groups, replicates, seed)
        accuracy = average(weights, right)
        given = np.unique(target.column)  # the answer that is right most often, always given
        majority = np.stack([average(weights, target.column == one) for one in given]).max(0)
        scores = [scored(word, None, accuracy), scored(f"majority {word}", None, majority)]
        for words, norm in (
            ("", np.ones_like(accuracy)),
            (", task-normalized", 1 - majority),
            (", model-normalized", accuracy),
        ):
            for modality in modalities:
                lost = accuracy - average(weights, permuted[modality])
                scores.append(scored(f"perceptual score{words}", modality, ratio(lost, norm)))
        rows = {word: right} | {f"{word} (permuted, {m})": of for m, of in permuted.items()}
        return runner.result(self, scores, rows, seed)

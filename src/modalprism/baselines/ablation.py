"""Modality ablation: how much worse a model answers without one modality."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from modalprism.baselines.interface import Baseline, Cost, Result, Score, Subject
from modalprism.baselines.intervals import Array, average, parts, sample_weights, scored
from modalprism.baselines.running import Batch, Change, Runner, with_inputs_of
from modalprism.baselines.states import (
    Fill,
    Moments,
    filled,
    read_moments,
    with_mean,
    with_noise,
    with_zeros,
)
from modalprism.baselines.targets import target_of
from modalprism.capture.interventions import blanked, others
from modalprism.errors import InputError
from modalprism.progress import Track, silent

REPLACEMENTS: Final = ("zero", "mean", "noise", "another", "blank")


@dataclass(frozen=True)
class ModalityAblation(Baseline):
    """Replace one modality by an uninformative input, and measure what the answers lose.

    Right is the label where the examples have one ("accuracy"), else what the model answers on
    whole inputs ("agreement"). For every replacement and modality there are the drop of accuracy,
    the drop of the right answer's log-likelihood in bits, and the modality's share of both
    modalities' drops, which is undetermined (nan) where the interval of their sum holds 0. Drops
    may be negative, and shares then outside of 0 to 1.

    Replacements "zero", "mean" and "noise" stand in the place of the states before fusion
    (`modalprism.capture.interventions`): zeros; every channel's mean over all positions of all
    examples; Gaussian noise with that mean and variance. A model that divides by a state's
    length has no answer to zeros; its scores are nan. "another" is the input of another example,
    "blank" a grey picture, silence, or an empty text.

    Parameters
    ----------
    replacements : tuple of str, optional
        By default all; "blank" only where inputs are pictures, recordings or texts.
    """

    replacements: tuple[str, ...] | None = None

    name: ClassVar[str] = "ablation"
    title: ClassVar[str] = "Modality ablation"
    headlines: ClassVar[tuple[str, ...]] = ("accuracy drop (another)", "agreement drop (another)")
    shares: ClassVar[tuple[str, ...]] = (
        "share of accuracy drop (another)",
        "share of agreement drop (another)",
    )
    source: ClassVar[str] = (
        "common practice; see Frank, Bugliarello, Elliott, EMNLP 2021, arXiv:2109.04448"
    )

    def cost(self, subject: Subject) -> Cost:
        """One pass, and one more for every modality and replacement."""
        return Cost(len(subject.examples) * (1 + 2 * len(self._chosen(subject))))

    def score(
        self, subject: Subject, *, seed: int = 0, replicates: int = 1000, track: Track = silent
    ) -> Result:
        """Score the modalities; see `Baseline.score`."""
        runner = Runner(subject, track)
        chosen = self._chosen(subject)
        modalities = subject.adapter.modalities
        answer, moments = read_moments(runner, f"ablating {subject.model}")
        target = target_of(runner.labels, subject.adapter.candidates, answer)

        def read(answer: NDArray[Any]) -> dict[str, Array]:
            logs = target.log_likelihood(answer)
            return {target.accuracy: target.correct(answer), "log-likelihood": logs}

        found = {"": read(answer)}
        for replacement in chosen:
            for modality in modalities:
                deprived = _deprived(runner, replacement, modality, moments[modality], seed)
                found[f" ({replacement}, {modality})"] = read(deprived)
        weights = sample_weights(runner.groups, replicates, seed)
        scores = [scored(target.accuracy, None, average(weights, found[""][target.accuracy]))]
        for replacement in chosen:
            scores += _scores(weights, found, target.accuracy, replacement, modalities)
        rows = {name + of: values for of, by in found.items() for name, values in by.items()}
        return runner.result(self, scores, rows, seed)

    def _chosen(self, subject: Subject) -> tuple[str, ...]:
        inputs = subject.examples[0].inputs if subject.examples else {}
        # A picture is known by what the library for them can do, which is not imported for that.
        media = all(
            isinstance(value, str | np.ndarray) or hasattr(value, "getbands")
            for value in inputs.values()
        )
        if self.replacements is None:
            return REPLACEMENTS if media else REPLACEMENTS[:-1]
        if unknown := [name for name in self.replacements if name not in REPLACEMENTS]:
            raise InputError(
                f"there is no replacement {unknown[0]!r}; choose from {', '.join(REPLACEMENTS)}"
            )
        if "blank" in self.replacements and not media:
            raise InputError(
                "these inputs are no pictures, recordings or texts, and nothing is blank for them; "
                "leave out the replacement 'blank'"
            )
        return tuple(dict.fromkeys(self.replacements))


def _deprived(
    runner: Runner, replacement: str, modality: str, moments: Moments, seed: int
) -> Array:
    """Return the answers, (n, C), without a modality."""
    examples, adapter = runner.subject.examples, runner.subject.adapter
    changes: dict[str, Change] = {
        "another": with_inputs_of(examples, modality, others(len(examples), seed)),
        "blank": lambda _place, example: blanked([example], modality)[0],
    }

    def around(batch: Batch) -> AbstractContextManager[None]:
        fills: dict[str, Fill] = {
            "zero": with_zeros,
            "mean": with_mean(moments),
            "noise": with_noise(moments, batch.places, seed),
        }
        replaced = {modality: fills[replacement]} if replacement in fills else {}
        return filled(adapter, batch.inputs, replaced)

    words = f"ablating {modality} ({replacement})"
    return runner.answers(words, change=changes.get(replacement), around=around)


def _scores(
    weights: Array,
    found: Mapping[str, Mapping[str, Array]],
    accuracy: str,
    replacement: str,
    modalities: tuple[str, str],
) -> list[Score]:
    scores = []
    for quantity, unit in ((accuracy, "1"), ("log-likelihood", "bit")):
        drops = []
        for modality in modalities:
            drop = found[""][quantity] - found[f" ({replacement}, {modality})"][quantity]
            # No average where an example has no answer.
            whole = 0.0 if np.isfinite(drop).all() else np.nan
            drops.append(average(weights, drop) + whole)
        for modality, drop in zip(modalities, drops, strict=True):
            scores.append(scored(f"{quantity} drop ({replacement})", modality, drop, unit))
        for modality, part in zip(modalities, parts(*drops), strict=True):
            scores.append(scored(f"share of {quantity} drop ({replacement})", modality, part))
    return scores

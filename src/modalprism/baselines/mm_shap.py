"""MM-SHAP: Shapley values of pieces of both modalities, summed by modality.

φ are the Shapley values of an example's players for the probability of its answer, and a modality's
share is Σ|φ| over its players by Σ|φ| over all. Players are groups of neighbouring positions before
fusion (`modalprism.baselines.states`), as many in one modality as in the other, since Σ|φ| grows
with their number. (The authors choose a picture's patches so that it has about as many as the text
has tokens.) The `shap` library's permutation explainer walks random orders of the players and back,
so that Σφ = v(all) − v(none), and each φ is exact where players interact at most in pairs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from modalprism.baselines.interface import Cost, Result, Subject
from modalprism.baselines.intervals import Array, ratio
from modalprism.baselines.running import AverageBaseline, Batch, Measured, Runner, drawn_rows
from modalprism.baselines.states import Moments, masked, players_of, read_moments, tiled
from modalprism.errors import InputError
from modalprism.progress import Track, silent

Value = Callable[[NDArray[np.bool_]], Array]
"""From coalitions, (b, players), to their values, (b,)."""


@dataclass(frozen=True)
class MmShap(AverageBaseline):
    """Each modality's share of Σ|φ|, and Σ|φ| itself, averaged over a sample of the examples.

    The target is the model's own answer; no label is used. An example of which one span is empty
    has no share (nan), and does not count.

    Parameters
    ----------
    players : int
        A modality, at most; no more than the shorter span of an example has positions.
    permutations : int
        Random orders an example, each walked there and back. No coalition is run twice: with p
        players a modality they take at most 2 + `permutations`·(4p − 2) passes an example, 122 by
        default, and one that reads.
    examples : int
        How many are drawn from the subject's, at most.
    """

    players: int = 8
    permutations: int = 4
    examples: int = 100

    name: ClassVar[str] = "mm_shap"
    title: ClassVar[str] = "MM-SHAP"
    headlines: ClassVar[tuple[str, ...]] = ("share",)
    shares: ClassVar[tuple[str, ...]] = ("share",)
    source: ClassVar[str] = "Parcalabescu and Frank, ACL 2023, doi:10.18653/v1/2023.acl-long.223"

    def __post_init__(self) -> None:
        for name in ("players", "permutations", "examples"):
            if (value := getattr(self, name)) < 1:
                raise InputError(f"there are {value} {name}; give one or more")

    def cost(self, subject: Subject) -> Cost:
        """At most one pass that reads, and the coalitions, of every example."""
        # The whole and the empty coalition stand at the ends of every order.
        coalitions = 2 + self.permutations * 2 * (2 * self.players - 1)
        return Cost(min(self.examples, len(subject.examples)) * (1 + coalitions))

    def score(
        self, subject: Subject, *, seed: int = 0, replicates: int = 1000, track: Track = silent
    ) -> Result:
        """Score the modalities on a sample of the examples; see `Baseline.score`."""
        _shap()  # a missing library is reported before anything runs
        chosen = drawn_rows(len(subject.examples), self.examples, seed)
        sample = replace(subject, examples=[subject.examples[row] for row in chosen])
        return super().score(sample, seed=seed, replicates=replicates, track=track)

    def measured(self, runner: Runner, seed: int) -> Iterator[Measured]:
        """Play the game of every example."""
        subject = runner.subject
        modalities = subject.adapter.modalities
        answers, moments = read_moments(runner, f"explaining {subject.model}: whole examples")
        found = np.full((len(answers), len(modalities)), np.nan)
        players_at = players_of(moments, self.players).tolist()
        words = f"explaining {subject.model}: coalitions"
        with torch.inference_mode():
            for place, players in runner.track(
                enumerate(players_at), total=len(players_at), description=words
            ):
                if not players:
                    continue
                value = _game(runner, moments, place, int(answers[place].argmax()))
                drawn = np.random.default_rng([seed, place]).integers(2**31)
                values = shapley_values(
                    value, 2 * players, self.permutations, int(drawn), subject.batch_size
                )
                found[place] = np.abs(values).reshape(2, players).sum(1)
        share = ratio(found, found.sum(1, keepdims=True))
        for quantity, values in (("share", share), ("attribution", found)):
            for modality, of in zip(modalities, values.T, strict=True):
                yield Measured(quantity, modality, of)


def _game(runner: Runner, moments: Mapping[str, Moments], place: int, answer: int) -> Value:
    """Return the game of one example's players for an answer; no coalition is run twice."""
    subject = runner.subject
    prepared = subject.adapter.prepare([subject.examples[place]])
    example = {name: tensor.to(runner.device) for name, tensor in prepared.items()}
    known: dict[bytes, float] = {}

    def run(coalitions: NDArray[np.bool_]) -> list[float]:
        inputs = tiled(example, len(coalitions))
        halves = np.split(coalitions, 2, axis=1)
        plays = dict(zip(subject.adapter.modalities, map(torch.from_numpy, halves), strict=True))
        with masked(subject.adapter, inputs, moments, plays):
            answers = runner.probabilities(Batch(range(len(coalitions)), inputs))
        chosen: list[float] = answers[:, answer].double().tolist()
        return chosen

    def value(coalitions: NDArray[np.bool_]) -> Array:
        names = [coalition.tobytes() for coalition in coalitions]
        fresh = {name: row for row, name in enumerate(names) if name not in known}
        if fresh:
            known.update(zip(fresh, run(coalitions[list(fresh.values())]), strict=True))
        return np.array([known[name] for name in names])

    return value


def shapley_values(
    value: Value, players: int, permutations: int, seed: int, batch_size: int
) -> Array:
    """Estimate the Shapley values of a game, (players,), by walking random orders there and back.

    `value` takes coalitions, bool, (b, players), at most `batch_size` at a time, and returns (b,).
    The values sum to v(all) − v(none), and are exact where players interact at most in pairs.

    Examples
    --------
    >>> value = lambda coalition: coalition @ np.array([1.0, 2.0])  # additive
    >>> shapley_values(value, 2, permutations=1, seed=0, batch_size=8).tolist()
    [1.0, 2.0]
    """
    explainers = _shap()
    # The library draws orders from NumPy's one global generator: it is given back as it was.
    before = np.random.get_state()  # noqa: NPY002
    try:
        explainer = explainers.PermutationExplainer(
            value, lambda coalition, _whole: coalition[None], seed=seed
        )
        explanation = explainer(
            np.ones((1, players)),
            max_evals=permutations * (2 * players + 1),
            batch_size=batch_size,
            silent=True,
        )
    finally:
        np.random.set_state(before)  # noqa: NPY002
    values: Array = np.asarray(explanation.values, dtype=np.float64)[0]
    return values


def _shap() -> Any:
    try:
        with warnings.catch_warnings():
            # The colours of its plots are made in a way that matplotlib will drop one day.
            warnings.filterwarnings(
                "ignore", r"The set_\w+ function will be deprecated", PendingDeprecationWarning
            )
            from shap import explainers
    except ImportError as error:
        raise InputError(
            f"Shapley values come from shap ({error}); run pip install 'modalprism[baselines]'"
        ) from error
    return explainers

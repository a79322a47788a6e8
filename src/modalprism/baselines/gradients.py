"""Input × gradient and integrated gradients, at the states before fusion."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

import numpy as np
import torch
from torch import Tensor

from modalprism.baselines.interface import Cost, Subject
from modalprism.baselines.intervals import Array, ratio
from modalprism.baselines.running import AverageBaseline, Batch, Measured, Runner, frozen
from modalprism.baselines.states import (
    StateKey,
    before_fusion,
    positions_of,
    read_moments,
    span_of,
    state_key,
)
from modalprism.capture.adapter import Site
from modalprism.capture.interventions import replaced_states
from modalprism.errors import InputError

COMPLETENESS: Final = "completeness error"
Means = Mapping[str, Tensor]


class AnswerOfStates:
    """The log₂-probability of an answer as a function of the states before fusion.

    `states` are those that the model makes of the batch, by their keys, `chosen` the model's own
    answers, (b,), and `value` their log₂-probabilities, (b,).
    """

    def __init__(self, runner: Runner, batch: Batch) -> None:
        self.runner, self.batch = runner, batch
        self.adapter = runner.subject.adapter
        self.sites = before_fusion(self.adapter)
        self.states: dict[StateKey, Tensor] = {}

        def note(site: Site, _modality: str, state: Tensor) -> Tensor:
            self.states[state_key(site)] = state.detach().clone()
            return state

        with torch.no_grad(), replaced_states(self.adapter.model, self.sites, note):
            answer = runner.probabilities(batch)
        self.chosen = answer.argmax(1)
        self.value = self._logarithm(answer)

    def __call__(self, *states: Tensor) -> Tensor:
        """Return log₂-probabilities of the chosen answers, (b,); the order is that of `states`."""
        given = dict(zip(self.states, states, strict=True))

        def put(site: Site, _modality: str, _state: Tensor) -> Tensor:
            return given[state_key(site)]

        with replaced_states(self.adapter.model, self.sites, put):
            logs = self._logarithm(self.runner.probabilities(self.batch))
        # The gradient of a state on which no answer depends is 0, not an error.
        logs = logs + sum(state[:0].sum() for state in states)
        if logs.requires_grad:
            logs.register_hook(self._count_backward)  # type: ignore[no-untyped-call]
        return logs

    def _logarithm(self, answer: Tensor) -> Tensor:
        chosen = answer.gather(1, self.chosen[:, None])[:, 0]
        return chosen.clamp_min(torch.finfo(chosen.dtype).tiny).log2()

    def _count_backward(self, _gradient: Tensor) -> None:
        self.runner.backward += len(self.batch.places)

    def without_spans(self, means: Means) -> tuple[Tensor, ...]:
        """Return the states with both spans replaced by `means`, (d,), or by zeros."""
        made = {place: state.clone() for place, state in self.states.items()}
        for modality, (place, span) in self.spans().items():
            positions = positions_of(made[place])  # a view of the state
            positions[span] = means[modality].to(positions) if modality in means else 0.0
        return tuple(made.values())

    def spans(self) -> Mapping[str, tuple[StateKey, Tensor]]:
        """Return the place of every modality, and which positions there belong to it, (b, t)."""
        spans = self.adapter.spans(self.batch.inputs)
        return {
            modality: (state_key(site), span_of(spans, modality, self.states[state_key(site)]))
            for site in self.sites
            for modality in site.modalities
        }


def sums_of(function: AnswerOfStates, attributions: tuple[Tensor, ...]) -> dict[str, Array]:
    """Sum the absolute attributions of every span, and divide each sum by the total.

    Returns ``attribution (image)`` in bits, shape (b,), and ``share (image)``, nan where nothing is
    attributed, and the same of the other modality.
    """
    found = dict(zip(function.states, attributions, strict=True))
    sums = {}
    for modality, (place, span) in function.spans().items():
        of_positions = positions_of(found[place]).detach().double().abs().sum(2)
        sums[modality] = torch.where(span, of_positions, 0.0).sum(1).cpu().numpy()
    whole = np.sum(list(sums.values()), 0)
    named = {f"attribution ({modality})": of for modality, of in sums.items()}
    return named | {f"share ({modality})": ratio(of, whole) for modality, of in sums.items()}


def _captum() -> Any:
    try:
        from captum import attr
    except ImportError as error:
        raise InputError(
            f"gradients are taken by captum ({error}); run pip install 'modalprism[baselines]'"
        ) from error
    return attr


class _Gradients(AverageBaseline):
    """Gradients at the states before fusion: what both kinds share."""

    def means(self, runner: Runner) -> Means:  # noqa: ARG002
        """Return the means that `read` needs, before the first batch is read."""
        return {}

    @abstractmethod
    def read(self, function: AnswerOfStates, means: Means) -> dict[str, Array]:
        """Return what is kept of every example of a batch, shape (b,) each."""

    def measured(self, runner: Runner, seed: int) -> Iterator[Measured]:  # noqa: ARG002
        """Take gradients batch by batch; nothing is drawn."""
        _captum()  # before anything runs
        subject = runner.subject
        means = self.means(runner)
        found: list[dict[str, Array]] = []
        with frozen(subject.adapter.model):
            for batch in runner.batches(f"gradients of {subject.model}"):
                found.append(self.read(AnswerOfStates(runner, batch), means))
        rows = {name: np.concatenate([part[name] for part in found]) for name in found[0]}
        for quantity, unit in (("attribution", "bit"), ("share", "1")):
            for modality in subject.adapter.modalities:
                yield Measured(quantity, modality, rows[f"{quantity} ({modality})"], unit)
        if COMPLETENESS in rows:
            yield Measured(COMPLETENESS, None, rows[COMPLETENESS], "bit")


@dataclass(frozen=True)
class InputTimesGradient(_Gradients):
    """Input × gradient of the model's own answer's log-probability, at the states before fusion.

    Absolute values are summed over channels and a span's positions; a modality's share is the mean
    of its shares in single examples. Where the answer is so sure that no gradient is left, an
    example has no share, and does not count.
    """

    name: ClassVar[str] = "input_x_gradient"
    title: ClassVar[str] = "Input × gradient"
    headlines: ClassVar[tuple[str, ...]] = ("share",)
    shares: ClassVar[tuple[str, ...]] = ("share",)
    source: ClassVar[str] = (
        "Shrikumar, Greenside, Shcherbina, Kundaje, 2016, arXiv:1605.01713; captum"
    )

    def cost(self, subject: Subject) -> Cost:
        """One pass that reads the states, and one forward and backward."""
        n = len(subject.examples)
        return Cost(2 * n, backward=n)

    def read(self, function: AnswerOfStates, means: Means) -> dict[str, Array]:  # noqa: ARG002
        """Multiply states and gradients."""
        states = tuple(state.requires_grad_() for state in function.states.values())
        return sums_of(function, _captum().InputXGradient(function).attribute(states))


@dataclass(frozen=True)
class IntegratedGradients(_Gradients):
    """Gradients of the model's own answer's log-probability along a line to its states.

    Both modalities' spans, before fusion, begin as nothing and grow together; other positions stay
    as they are. Absolute values are summed as in `InputTimesGradient`. The attributions themselves
    must sum to what the log-probability gains along the line; how far they are from it, the error
    of the steps, is the score ``completeness error``. It is why the line begins with means, though
    zeros are common: where a norm stands behind the states, a line from zeros gains nearly all next
    to its beginning, which steps hardly see. A model that divides by a state's length has no answer
    to zeros at all, and the error is nan.

    Parameters
    ----------
    steps : int
        Points of the Gauss–Legendre rule.
    begin : {"mean", "zero"}
        Every channel's mean over all positions of all examples, or zeros.
    """

    steps: int = 32
    begin: Literal["mean", "zero"] = "mean"

    name: ClassVar[str] = "integrated_gradients"
    title: ClassVar[str] = "Integrated gradients"
    headlines: ClassVar[tuple[str, ...]] = ("share",)
    shares: ClassVar[tuple[str, ...]] = ("share",)
    source: ClassVar[str] = (
        "Sundararajan, Taly, Yan, Axiomatic Attribution for Deep Networks, ICML 2017, "
        "arXiv:1703.01365; captum"
    )

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise InputError(f"there are {self.steps} steps; give one or more")
        if self.begin not in {"zero", "mean"}:
            raise InputError(f"the line begins with {self.begin!r}; choose mean or zero")

    def cost(self, subject: Subject) -> Cost:
        """A pass that reads the states, one where the line begins, the steps, and one for means."""
        n = len(subject.examples)
        return Cost((2 + (self.begin == "mean") + self.steps) * n, backward=self.steps * n)

    def means(self, runner: Runner) -> Means:
        """Return every channel's mean over all positions, if the line begins there."""
        if self.begin == "zero":
            return {}
        _, moments = read_moments(runner, f"mean states of {runner.subject.model}")
        return {modality: of.mean for modality, of in moments.items()}

    def read(self, function: AnswerOfStates, means: Means) -> dict[str, Array]:
        """Integrate the gradients; a step is a pass of the whole batch."""
        begin = function.without_spans(means)
        found = (
            _captum()
            .IntegratedGradients(function)
            .attribute(
                tuple(function.states.values()),
                baselines=begin,
                n_steps=self.steps,
                internal_batch_size=len(function.batch.places),
            )
        )
        with torch.no_grad():
            gained = function.value - function(*begin)
        attributed = torch.stack([of.detach().double().flatten(1).sum(1) for of in found]).sum(0)
        error = (attributed - gained).abs().cpu().numpy()
        return {**sums_of(function, found), COMPLETENESS: error}

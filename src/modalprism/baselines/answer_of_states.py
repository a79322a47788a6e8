"""The answer as a function of the states before fusion, for gradients."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from modalprism.baselines.intervals import Array
from modalprism.baselines.running import Batch, Runner
from modalprism.baselines.states import Place, before_fusion, place_of, positions_of, span_of
from modalprism.capture.adapter import Site
from modalprism.capture.replacing import replaced_states

Means = Mapping[str, Tensor]


class AnswerOfStates:
    """The log₂-probability of an answer as a function of the states before fusion.

    Attributes
    ----------
    states : dict of place to Tensor
        The states before fusion, as the model makes them of the batch.
    chosen : Tensor of int64, shape (b,)
        The model's own answers.
    value : Tensor, shape (b,)
        Their log₂-probabilities.
    """

    def __init__(self, runner: Runner, batch: Batch) -> None:
        self.runner, self.batch = runner, batch
        self.adapter = runner.subject.adapter
        self.sites = before_fusion(self.adapter)
        self.states: dict[Place, Tensor] = {}

        def note(site: Site, _modality: str, state: Tensor) -> Tensor:
            self.states[place_of(site)] = state.detach().clone()
            return state

        with torch.no_grad(), replaced_states(self.adapter.model, self.sites, note):
            answer = runner.probabilities(batch)
        self.chosen = answer.argmax(1)
        self.value = self._logarithm(answer)

    def __call__(self, *states: Tensor) -> Tensor:
        """Return log₂-probabilities of the chosen answers, (b,); the order is that of `states`."""
        given = dict(zip(self.states, states, strict=True))

        def put(site: Site, _modality: str, _state: Tensor) -> Tensor:
            return given[place_of(site)]

        with replaced_states(self.adapter.model, self.sites, put):
            logs = self._logarithm(self.runner.probabilities(self.batch))
        # No answer may hang on a state: the gradient to it is then 0, and not an error.
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

    def spans(self) -> Mapping[str, tuple[Place, Tensor]]:
        """Return the place of every modality, and which positions there belong to it, (b, t)."""
        spans = self.adapter.spans(self.batch.inputs)
        return {
            modality: (place_of(site), span_of(spans, modality, self.states[place_of(site)]))
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
    shares = {
        modality: np.divide(of, whole, out=np.full(len(whole), math.nan), where=whole > 0)
        for modality, of in sums.items()
    }
    return {
        f"{quantity} ({modality})": of
        for quantity, values in (("attribution", sums), ("share", shares))
        for modality, of in values.items()
    }

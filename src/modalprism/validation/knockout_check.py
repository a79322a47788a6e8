"""Attention cut between the spans: what is unique to a modality stays in its own span."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from modalprism.estimation.analysis import Analysis
from modalprism.results.estimate import Estimate, percentile_interval
from modalprism.validation.case import AnalysisRequest, StoreUnderTest
from modalprism.validation.check import Check, atoms_of, is_found
from modalprism.validation.finding import NotRunError, Rest, Seen
from modalprism.validation.likeness import NEARLY_ALL, same_states

_OPEN, _CUT = "last layer", "last layer, cut"


class KnockOut(Check):
    """A span hidden from all other positions: the other's state is independent of it.

    Two things are tested. Given another input of the hidden modality, the other span's state does
    not move at all. And in the stream view of the last layer, what is unique to the hidden modality
    does not fall below its value without the cut.
    """

    def __init__(self, modality: str, other: str) -> None:
        self.modality, self.other = modality, other
        self.name = f"attention cut, {modality} → {other}"
        self.expected = f"{other} knows nothing of {modality}; U {modality} stays in its span"

    def passes(self, case: StoreUnderTest) -> int:
        """Every row with the cut; some of them again, and with another's input."""
        return len(case.sample(0).rows) + 2 * len(case.few)

    def _last_layer(self, case: StoreUnderTest) -> int:
        layers = case.store.layers(case.modalities)
        if layers[-1] == 0:
            raise NotRunError("the store has no layer in which both modalities stand")
        return layers[-1]

    def requests(self, case: StoreUnderTest, draw: int) -> dict[str, AnalysisRequest]:
        """Read both spans at the last layer, as stored and with the cut."""
        model = case.model()
        layer, rows = self._last_layer(case), case.sample(0).rows
        read = model.hidden(self.modality, np.arange(len(rows)), layer)
        names = {modality: f"{modality}/{layer}" for modality in case.modalities}
        if missing := [modality for modality in names if names[modality] not in read.states]:
            raise NotRunError(f"the adapter names no state of {missing[0]} at layer {layer}")
        cut = {modality: read.states[name] for modality, name in names.items()}
        stored = {modality: case.store.span(modality, layer)[rows] for modality in names}
        # The same rows in every draw: those that were run. Folds and probes are others.
        asked = {"target": case.sample(0).label, "groups": case.sample(0).groups}
        return {
            _OPEN: case.request(draw, embeddings=stored, **asked),
            _CUT: case.request(draw, embeddings=cut, **asked),
        }

    def evaluate(self, case: StoreUnderTest, draw: int, answers: Mapping[str, Analysis]) -> Seen:
        """Exchange the hidden inputs, and compare what is unique."""
        layer = self._last_layer(case)
        model = case.model()
        name = f"{self.other}/{layer}"
        own = model.hidden(self.modality, case.few, layer).states[name]
        other = model.hidden(self.modality, case.few, layer, draw=draw).states[name]
        moved = ~same_states(other, own)
        open_, cut = answers[_OPEN], answers[_CUT]
        fall = _difference(open_, cut, self.modality)
        surprises = set()
        if moved.mean() > 1 - NEARLY_ALL:
            surprises.add(f"{self.other} moves")
        unique = [atoms_of(one)[f"U {self.modality}"] for one in (open_, cut)]
        if fall.high < 0 and is_found(unique[0]):
            surprises.add(f"U {self.modality} falls")
        redundancy = [atoms_of(one)["R"].value for one in (open_, cut)]
        words = (
            f"with other {self.modality}, {self.other} moves in {int(moved.sum())} of "
            f"{len(moved)} rows; U {self.modality} {unique[0].value:z.3f} → "
            f"{unique[1].value:z.3f}, R {redundancy[0]:z.3f} → {redundancy[1]:z.3f} {cut.unit} "
            "with the cut"
        )
        return Seen(frozenset(surprises), words, Rest(f"rise of U {self.modality}", fall))


def _difference(before: Analysis, after: Analysis, modality: str) -> Estimate:
    """Return how much U rises, from resamples of the same rows."""
    index = before.modalities.index(modality)
    value = after.unique[index].value - before.unique[index].value
    if before.evidence is None or after.evidence is None:
        low = after.unique[index].low - before.unique[index].high
        high = after.unique[index].high - before.unique[index].low
        return Estimate(value, low, high, unit=after.unit)

    def moved(drawn: NDArray[np.float32]) -> NDArray[np.float64]:
        rest: NDArray[np.float64] = (drawn[3] - drawn[1 - index]).astype(np.float64)
        return rest

    one, other = before.evidence, after.evidence
    # What probes of other rows would change was drawn for each alone, with one seed.
    order = np.random.default_rng(0).permutation(one.learnt.shape[1])
    spread = moved(other.resampled - one.resampled)
    spread = value + spread + moved(other.learnt)[order] - moved(one.learnt)
    low, high = percentile_interval(spread)
    beyond = before.gap + after.gap + max(one.resolution, other.resolution)
    return Estimate(value, min(low, value) - beyond, max(high, value) + beyond, unit=after.unit)

"""Attention cut between the spans: what is unique to a modality stays in its own span."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modalprism.estimation.analysis import Analysis
from modalprism.results.estimate import Estimate, percentile_interval
from modalprism.validation.case import AnalysisRequest, StoreUnderTest
from modalprism.validation.check import Answers, Check, estimates_of, is_found
from modalprism.validation.finding import NotRunError, Rest, Seen
from modalprism.validation.likeness import NEARLY_ALL, same_states


def knock_out(modality: str, other: str) -> Check:
    """Return a check: a span hidden from all other positions leaves the other's state unmoved.

    Two things are tested. Given another input of the hidden modality, the other span's state does
    not move at all. And in the stream view of the last layer, what is unique to the hidden modality
    does not fall below its value without the cut.
    """

    def requests(case: StoreUnderTest, draw: int) -> list[AnalysisRequest]:
        model = case.model()
        layer, rows = _last_layer(case), case.sample(0).rows
        read = model.hidden(modality, np.arange(len(rows)), layer)
        names = {one: f"{one}/{layer}" for one in case.modalities}
        if missing := [one for one in names if names[one] not in read.states]:
            raise NotRunError(f"the adapter names no state of {missing[0]} at layer {layer}")
        cut = {one: read.states[name] for one, name in names.items()}
        stored = {one: case.store.span(one, layer)[rows] for one in names}
        # The same rows in every draw: those that were run. Folds and probes are others.
        same = {"target": case.sample(0).label, "groups": case.sample(0).groups}
        return [case.request(draw, embeddings=found, **same) for found in (stored, cut)]

    def evaluate(case: StoreUnderTest, draw: int, answers: Answers) -> Seen:
        model, layer = case.model(), _last_layer(case)
        own, changed = (
            model.hidden(modality, case.few, layer, draw=drawn).states[f"{other}/{layer}"]
            for drawn in (None, draw)
        )
        moved = ~same_states(changed, own)
        whole, cut = answers
        fall = _difference(whole, cut, modality)
        atoms = [estimates_of(one) for one in (whole, cut)]
        unique = [of[f"U {modality}"] for of in atoms]
        surprises = set()
        if moved.mean() > 1 - NEARLY_ALL:
            surprises.add(f"{other} moves")
        if fall.high < 0 and is_found(unique[0]):
            surprises.add(f"U {modality} falls")
        words = (
            f"with other {modality}, {other} moves in {int(moved.sum())} of {len(moved)} rows; "
            f"U {modality} {unique[0].value:z.3f} → {unique[1].value:z.3f}, "
            f"R {atoms[0]['R'].value:z.3f} → {atoms[1]['R'].value:z.3f} {cut.unit} with the cut"
        )
        return Seen(frozenset(surprises), words, Rest(f"rise of U {modality}", fall))

    return Check(
        f"attention cut, {modality} → {other}",
        f"{other} knows nothing of {modality}; U {modality} stays in its span",
        evaluate,
        requests,
        # Every row with the cut; some of them again, and with another's input.
        passes=lambda case: len(case.sample(0).rows) + 2 * len(case.few),
        analyses=2,
    )


def _last_layer(case: StoreUnderTest) -> int:
    layers = case.store.layers(case.modalities)
    if layers[-1] == 0:
        raise NotRunError("the store has no layer in which both modalities stand")
    return layers[-1]


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

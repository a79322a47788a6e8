"""Relations between a store and its model: rows and names belong together, and answers depend.

The dependence of the answer on a modality is measured on the model itself, without probes. An
example is run with its own input and with another one's: J = E H((p + p')/2) − E (H(p) + H(p'))/2,
in bits, the Jensen–Shannon divergence of the two answers, is the information of the answer about
which of the two inputs was given. When inputs are drawn independently, it is at most the
information of the answer about the modality given the other one.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from modalprism.capture.adapter import BEFORE_FUSION
from modalprism.estimation.analysis import Analysis
from modalprism.estimation.bootstrap import pigeonhole_weights
from modalprism.pid.information import unit_of
from modalprism.results.estimate import Estimate, interval_around, percentile_interval
from modalprism.validation.case import AnalysisRequest, StoreUnderTest
from modalprism.validation.check import Answers, Check, estimates_of, is_found
from modalprism.validation.finding import NotRunError, Rest, Seen
from modalprism.validation.likeness import (
    NEARLY_ALL,
    Bools,
    part_of_rows,
    same_answers,
    same_states,
)
from modalprism.validation.rerun import Read

Array = NDArray[np.float64]

LOUDNESS: Final = (0.0, 1.0, 4.0, 16.0, math.inf)
"""Noise over what there was: standard deviations by channel."""
HARDLY: Final = 0.05
"""Part of what the probes find unique or synergistic below which an answer hardly moves."""
PLAINLY: Final = 0.1
"""Part of what the model knows of its answer above which an answer plainly moves."""
_ROUNDING: Final = 1e-6


def _stored(case: StoreUnderTest, modality: str) -> Array:
    """Return the store's states of the rows that are run again."""
    stored: Array = case.sample(0).embeddings[modality][case.rerun_places].astype(np.float64)
    return stored


def _read(read: Read, modality: str) -> Array:
    name = f"{modality}/{BEFORE_FUSION}"
    if name not in read.states:
        raise NotRunError(f"the model's adapter names no state of {modality} before fusion")
    return read.states[name]


def rows_belong() -> Check:
    """Return a check: run again, the model gives the same row for the same example.

    This also holds where the names of the two modalities are exchanged; `names_fit` tests those.
    """

    def evaluate(case: StoreUnderTest, _draw: int, _answers: Answers) -> Seen:
        read = case.model().own(case.rerun_places)
        first, second = case.modalities
        found = {one: _read(read, one) for one in case.modalities}
        fits = {
            (one, other): same_states(found[one], _stored(case, other))
            for one in case.modalities
            for other in case.modalities
        }
        named = fits[first, first] & fits[second, second]
        renamed = fits[first, second] & fits[second, first]
        holds: dict[str, Bools] = {first: fits[first, first], second: fits[second, second]}
        if renamed.sum() > named.sum():
            holds = {second: fits[first, second], first: fits[second, first]}
        if read.answer is not None and "answer" in case.store.names:
            rows = case.sample(0).rows[case.rerun_places]
            holds["answer"] = same_answers(read.answer, case.store.array("answer")[rows])
        every = np.logical_and.reduce(list(holds.values()))
        rest = part_of_rows("rows that come back", every)
        counts = ", ".join(f"{what} {int(of.sum())}" for what, of in holds.items())
        words = f"of {len(every)} rows: {counts}"
        surprises = {what for what, of in holds.items() if of.mean() < NEARLY_ALL}
        return Seen(frozenset(surprises), words, rest)

    return Check(
        "rows belong together",
        "run again, every row's embeddings and answer come back",
        evaluate,
        passes=lambda case: len(case.rerun_places),
        draws=1,
        analyses=0,
    )


def names_fit(modalities: tuple[str, str]) -> Check:
    """Return a check: a modality's state moves with its own input, and no other state does."""
    first, second = modalities

    def evaluate(case: StoreUnderTest, _draw: int, _answers: Answers) -> Seen:
        model = case.model()
        own, donors = model.own(case.rerun_places), model.donors(case.rerun_places, 0)
        words, surprises, right = [], set(), []
        for modality, other in ((first, second), (second, first)):
            read = model.exchanged(modality, case.rerun_places, 0)
            moved, still = (
                ~same_states(_read(read, one), _read(own, one)) for one in (modality, other)
            )
            stored = _stored(case, modality)
            differs = ~same_states(stored[donors], stored)
            if not differs.any():
                words.append(f"every {modality} is alike")
                continue
            words.append(
                f"other {modality}: {modality} moves in {int(moved[differs].sum())} of "
                f"{int(differs.sum())} rows, {other} in {int(still.sum())}"
            )
            right.append(moved[differs] & ~still[differs])
            if moved[differs].mean() < NEARLY_ALL / 2:
                surprises.add(f"{modality} stays")
            if still.mean() > 1 - NEARLY_ALL:
                surprises.add(f"{other} moves")
        odd = _exchanged_in_store(case, own)
        if not right:
            raise NotRunError("the inputs are alike in all rows, so that none can be exchanged")
        rest = part_of_rows("rows in which the one named moves alone", np.concatenate(right))
        return Seen(frozenset(surprises | odd), "; ".join([*words, *odd]), rest)

    return Check(
        "names of the modalities",
        f"other {first} inputs move {first} alone; other {second}, {second} alone",
        evaluate,
        # The unchanged run is cached.
        passes=lambda case: 2 * len(case.rerun_places),
        draws=1,
        analyses=0,
    )


def _exchanged_in_store(case: StoreUnderTest, own: Read) -> set[str]:
    """Return whether each of the store's arrays is the other modality's."""
    first, second = case.modalities
    part = {
        (one, other): same_states(_read(own, one), _stored(case, other)).mean()
        for one, other in ((first, second), (second, first), (first, first))
    }
    fits = min(part[first, second], part[second, first]) >= NEARLY_ALL
    if fits and part[first, first] < NEARLY_ALL:
        return {f"the store calls {first} what is {second}"}
    return set()


def divergence(own: Array, other: Array, base: float) -> Array:
    """Return the Jensen–Shannon divergence of the two answers of every row, (n,).

    Examples
    --------
    >>> divergence(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]), 2).tolist()
    [1.0]
    """
    mixed = entr((own + other) / 2).sum(1)
    found: Array = (mixed - (entr(own).sum(1) + entr(other).sum(1)) / 2) / math.log(base)
    return np.maximum(found, 0.0)


def _moves(case: StoreUnderTest, modality: str, sigma: float, draw: int) -> Array:
    """Return J of every row that is run again, under noise of a loudness."""
    model = case.model()
    own = model.noisy(modality, sigma, case.rerun_places, draw, other=False).answer
    other = model.noisy(modality, sigma, case.rerun_places, draw, other=True).answer
    if own is None or other is None:
        raise NotRunError("the model gives no answer; its family may need candidates")
    return divergence(own, other, case.settings.base)


def _mean(case: StoreUnderTest, values: Array) -> Estimate:
    """Average over rows, with an interval from the bootstrap over groups."""
    groups = {name: column[case.rerun_places] for name, column in case.sample(0).groups.items()}
    settings = case.settings
    weights = pigeonhole_weights(groups, len(case.rerun_places), settings.replicates, settings.seed)
    value = float(values.mean())
    ends = interval_around(value, weights @ values / weights.sum(1))
    return Estimate(value, *ends, unit=unit_of(settings.base))


def _ceiling(case: StoreUnderTest) -> float:
    """Return the information that the model's own answer could carry at most."""
    answer = case.model().own(case.rerun_places).answer
    if answer is None:
        raise NotRunError("the model gives no answer; its family may need candidates")
    bits = entr(answer.mean(0)).sum() - entr(answer).sum(1).mean()
    return float(bits) / math.log(case.settings.base)


def _beyond_other(analysis: Analysis, modality: str) -> Estimate:
    """Return U + S of a modality, its information given the other, with the interval."""
    own = analysis.modalities.index(modality)
    value = analysis.unique[own].value + analysis.synergy.value
    if analysis.evidence is None:
        low = analysis.unique[own].low + analysis.synergy.low
        high = analysis.unique[own].high + analysis.synergy.high
        return Estimate(value, low, high, unit=analysis.unit)
    evidence = analysis.evidence
    moved = (evidence.resampled + evidence.learnt).astype(np.float64)
    drawn = value + moved[2] - moved[1 - own]
    ends = interval_around(value, drawn, resolution=evidence.resolution)
    return Estimate(value, *ends, unit=analysis.unit)


def answer_moves(modality: str) -> Check:
    """Return a check: the answer moves with a modality's input if, and only if, atoms are found."""

    def requests(case: StoreUnderTest, draw: int) -> list[AnalysisRequest]:
        case.analysis()
        case.model()
        # After a surprise, other rows are analysed too: the first ones may have misled.
        return [case.request(draw)] if draw else []

    def evaluate(case: StoreUnderTest, draw: int, answers: Answers) -> Seen:
        analysis = answers[0] if draw else case.analysis()
        moves = _mean(case, _moves(case, modality, 0.0, draw))
        beyond = _beyond_other(analysis, modality)
        atoms = estimates_of(analysis)
        alone = estimates_of(analysis, "marginal_information")[f"I {modality}"]
        matters = is_found(atoms[f"U {modality}"]) or is_found(atoms["S"])
        found = matters or is_found(atoms["R"]) or is_found(alone)
        surprises = set()
        if matters and moves.high <= max(HARDLY * beyond.low, _ROUNDING):
            surprises.add("the answer stays")
        if not found and moves.low > PLAINLY * _ceiling(case):
            surprises.add("no information found")
        rest = Rest(f"J {modality}", moves)
        return Seen(frozenset(surprises), f"{rest}; {Rest(f'U {modality} + S', beyond)}", rest)

    expected = f"it does where U {modality} or S is found; where it does, something is"
    return Check(f"the answer moves with the {modality}", expected, evaluate, requests)


def noise(modality: str) -> Check:
    """Return a check: the louder the noise over a modality, the less the answer depends on it.

    The noise is Gaussian, by channel, over the states before fusion, and both together are scaled
    back to the states' own mean and variance. An example with its own input and with another's gets
    the same noise, so that under noise alone only the number of positions differs.
    """

    def evaluate(case: StoreUnderTest, draw: int, _answers: Answers) -> Seen:
        before = _mean(case, _moves(case, modality, 0.0, draw))
        if before.low <= HARDLY * _ceiling(case):
            raise NotRunError(
                f"the answer hardly moves with the {modality} "
                f"({Rest(f'J {modality}', before)}): no decrease to test"
            )
        rows = [_moves(case, modality, sigma, draw) for sigma in LOUDNESS]
        surprises = set()
        for sigma, quieter, louder in zip(LOUDNESS[1:], rows, rows[1:], strict=False):
            if _mean(case, louder - quieter).low > _ROUNDING:
                surprises.add(f"it rises to σ = {sigma:g}".replace("inf", "∞"))
        fall = _mean(case, rows[-1] - rows[0])
        if fall.high >= 0:
            surprises.add("it does not fall")
        course = " → ".join(f"{of.mean():.3f}" for of in rows)
        loudness = ", ".join("∞" if math.isinf(s) else f"{s:g}" for s in LOUDNESS)
        words = f"{course} {fall.unit} at σ = {loudness}"
        rest = Rest(f"J {modality} under noise alone − as it was", fall)
        return Seen(frozenset(surprises), words, rest)

    return Check(
        f"noise over the {modality}",
        f"J {modality} never rises with σ, and falls in the end",
        evaluate,
        # Two a row and loudness; the runs without noise are cached.
        passes=lambda case: 2 * (len(LOUDNESS) - 1) * len(case.rerun_places),
        analyses=0,
    )


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
            model.hidden(modality, case.rerun_places, layer, draw=drawn).states[f"{other}/{layer}"]
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
        passes=lambda case: len(case.sample(0).rows) + 2 * len(case.rerun_places),
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

    def moved(drawn: NDArray[np.float32]) -> Array:
        rest: Array = (drawn[3] - drawn[1 - index]).astype(np.float64)
        return rest

    one, other = before.evidence, after.evidence
    # What probes of other rows would change was drawn for each alone, with one seed.
    order = np.random.default_rng(0).permutation(one.learnt.shape[1])
    spread = moved(other.resampled - one.resampled)
    spread = value + spread + moved(other.learnt)[order] - moved(one.learnt)
    low, high = percentile_interval(spread)
    beyond = before.gap + after.gap + max(one.resolution, other.resolution)
    return Estimate(value, min(low, value) - beyond, max(high, value) + beyond, unit=after.unit)

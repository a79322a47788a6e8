"""Dependence of the answer on a modality, measured on the model itself, without probes.

An example is run with its own input and with another one's. The dependence is the Jensen–Shannon
divergence of the two answers, J = E H((p + p')/2) − E (H(p) + H(p'))/2, in bits: the information of
the answer about which of the two inputs was given. When inputs are drawn independently, it is at
most the information of the answer about the modality given the other one.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from modalprism.estimation.analysis import Analysis
from modalprism.estimation.bootstrap import pigeonhole_weights
from modalprism.pid.information import unit_of
from modalprism.results.estimate import Estimate, interval_around
from modalprism.validation.case import AnalysisRequest, StoreUnderTest
from modalprism.validation.check import Answers, Check, estimates_of, is_found
from modalprism.validation.finding import NotRunError, Rest, Seen

Array = NDArray[np.float64]

LOUDNESS: Final = (0.0, 1.0, 4.0, 16.0, math.inf)
"""Noise over what there was: standard deviations by channel."""
HARDLY: Final = 0.05
"""Part of what the probes find unique or synergistic below which an answer hardly moves."""
PLAINLY: Final = 0.1
"""Part of what the model knows of its answer above which an answer plainly moves."""
_ROUNDING: Final = 1e-6


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
    own = model.noisy(modality, sigma, case.few, draw, other=False).answer
    other = model.noisy(modality, sigma, case.few, draw, other=True).answer
    if own is None or other is None:
        raise NotRunError("the model gives no answer; its family may need candidates")
    return divergence(own, other, case.settings.base)


def _mean(case: StoreUnderTest, values: Array) -> Estimate:
    """Average over rows, with an interval from the bootstrap over groups."""
    groups = {name: column[case.few] for name, column in case.sample(0).groups.items()}
    settings = case.settings
    weights = pigeonhole_weights(groups, len(case.few), settings.replicates, settings.seed)
    value = float(values.mean())
    ends = interval_around(value, weights @ values / weights.sum(1))
    return Estimate(value, *ends, unit=unit_of(settings.base))


def _ceiling(case: StoreUnderTest) -> float:
    """Return the information that the model's own answer could carry at most."""
    answer = case.model().own(case.few).answer
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
        passes=lambda case: 2 * (len(LOUDNESS) - 1) * len(case.few),
        analyses=0,
    )

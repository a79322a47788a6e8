r"""Dependence of the answer on a modality, measured on the model itself, without probes.

An example is run with its own input and with another one's, everything else unchanged. In bits, the
dependence is the Jensen–Shannon divergence of the two answers, averaged over examples,

.. math:: J = E\, H\big(\tfrac{p + p'}{2}\big) - \tfrac{1}{2} E\,\big(H(p) + H(p')\big),

the information of the answer about which of the two inputs was given. It is at most the information
of the answer about the modality given the other one, when inputs are drawn independently, and zero
where the answer never moves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from modalprism.estimation.analysis import Analysis
from modalprism.estimation.bootstrap import pigeonhole_weights
from modalprism.pid.information import unit_of
from modalprism.results.estimate import Estimate, interval_around
from modalprism.validation.case import AnalysisRequest, StoreUnderTest
from modalprism.validation.check import (
    Check,
    atoms_of,
    informations_of,
    is_found,
)
from modalprism.validation.finding import NotRunError, Rest, Seen

Array = NDArray[np.float64]

_AGAIN: Final = "as it is"
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


def _weights(case: StoreUnderTest) -> Array:
    groups = {name: column[case.few] for name, column in case.sample(0).groups.items()}
    return pigeonhole_weights(groups, len(case.few), case.settings.replicates, case.settings.seed)


def _mean(case: StoreUnderTest, values: Array) -> Estimate:
    """Average over rows, with an interval from the bootstrap over groups."""
    weights = _weights(case)
    value = float(values.mean())
    ends = interval_around(value, weights @ values / weights.sum(1))
    return Estimate(value, *ends, unit=unit_of(case.settings.base))


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


class AnswerMoves(Check):
    """The answer moves with a modality's input if, and only if, its atoms are found."""

    def __init__(self, modality: str, other: str) -> None:
        self.modality, self.other = modality, other
        self.name = f"the answer moves with the {modality}"
        self.expected = f"it does where U {modality} or S is found; where it does, something is"

    def requests(self, case: StoreUnderTest, draw: int) -> dict[str, AnalysisRequest]:
        """After a surprise, analyse other rows too: the first ones may have misled."""
        case.analysis()
        case.model()
        return {_AGAIN: case.request(draw)} if draw else {}

    def evaluate(self, case: StoreUnderTest, draw: int, answers: Mapping[str, Analysis]) -> Seen:
        """Compare what the probes find with what the model does."""
        analysis = answers[_AGAIN] if draw else case.analysis()
        moves = _mean(case, _moves(case, self.modality, 0.0, draw))
        beyond = _beyond_other(analysis, self.modality)
        atoms = atoms_of(analysis)
        alone = informations_of(analysis)[f"I {self.modality}"]
        matters = is_found(atoms[f"U {self.modality}"]) or is_found(atoms["S"])
        found = matters or is_found(atoms["R"]) or is_found(alone)
        hardly = moves.high <= max(HARDLY * beyond.low, _ROUNDING)
        plainly = moves.low > PLAINLY * _ceiling(case)
        surprises = set()
        if matters and hardly:
            surprises.add("the answer stays")
        if plainly and not found:
            surprises.add("no information found")
        rest = Rest(f"J {self.modality}", moves)
        words = f"{rest}; {Rest(f'U {self.modality} + S', beyond)}"
        return Seen(frozenset(surprises), words, rest)


class Noise(Check):
    """Noise over a modality's states before fusion: the louder, the less the answer depends on it.

    The noise is Gaussian, by channel, and both together are scaled back to the states' own mean and
    variance. An example with its own input and with another's gets the same noise, so that under
    noise alone only the number of positions differs.
    """

    asks: ClassVar[bool] = False

    def __init__(self, modality: str) -> None:
        self.modality = modality
        self.name = f"noise over the {modality}"
        self.expected = f"J {modality} never rises with σ, and falls in the end"

    def passes(self, case: StoreUnderTest) -> int:
        """Two a row and loudness; the runs without noise are cached."""
        return 2 * (len(LOUDNESS) - 1) * len(case.few)

    def evaluate(self, case: StoreUnderTest, draw: int, answers: Mapping[str, Analysis]) -> Seen:  # noqa: ARG002
        """Compare every loudness with the one before, row by row."""
        before = _mean(case, _moves(case, self.modality, 0.0, draw))
        if before.low <= HARDLY * _ceiling(case):
            raise NotRunError(
                f"the answer hardly moves with the {self.modality} "
                f"({Rest(f'J {self.modality}', before)}): no decrease to test"
            )
        rows = [_moves(case, self.modality, sigma, draw) for sigma in LOUDNESS]
        surprises = set()
        for sigma, quieter, louder in zip(LOUDNESS[1:], rows, rows[1:], strict=False):
            rise = _mean(case, louder - quieter)
            if rise.low > _ROUNDING:
                surprises.add(f"it rises to σ = {sigma:g}".replace("inf", "∞"))
        fall = _mean(case, rows[-1] - rows[0])
        if fall.high >= 0:
            surprises.add("it does not fall")
        course = " → ".join(f"{of.mean():.3f}" for of in rows)
        loudness = ", ".join("∞" if math.isinf(s) else f"{s:g}" for s in LOUDNESS)
        words = f"{course} {fall.unit} at σ = {loudness}"
        rest = Rest(f"J {self.modality} under noise alone − as it was", fall)
        return Seen(frozenset(surprises), words, rest)

"""Checks: requests to the estimator or the model, and a reading of the answers.

A check that draws at random runs again, with another draw, after a surprise. It fails only if the
same surprise comes back in three draws. Noise that surprises once in twenty times does so three
times running in one of eight thousand, so a hundred checks can be held to 95 % intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from modalprism.estimation.analysis import Analysis
from modalprism.results.estimate import SIGNIFICANCE, Estimate
from modalprism.results.quantities import ATOMS, BY_NAME
from modalprism.validation.case import AnalysisRequest, StoreUnderTest
from modalprism.validation.finding import Rest, Seen

MOST_DRAWS: Final = 3
Answers: TypeAlias = Sequence[Analysis]


def _nothing(_case: StoreUnderTest, _draw: int) -> Sequence[AnalysisRequest]:
    return ()


@dataclass(frozen=True)
class Check:
    """A relation that must hold.

    Attributes
    ----------
    name, expected : str
        In the table.
    evaluate : callable
        Reads the answers to the requests of a case's draw, in their order. Like `requests`, it
        raises `NotRunError` or `InputError` if the check does not apply.
    requests : callable
        Returns the requests to the estimator for a draw; runs the model for them where necessary.
    passes : callable
        Returns the model passes of the first draw, beyond those of checks before it.
    draws : int
        How often a surprise must come back; 1 where nothing is drawn.
    analyses : int
        Number of requests of the first draw, about; 0 for a check that needs no estimator.
    """

    name: str
    expected: str
    evaluate: Callable[[StoreUnderTest, int, Answers], Seen]
    requests: Callable[[StoreUnderTest, int], Sequence[AnalysisRequest]] = _nothing
    passes: Callable[[StoreUnderTest], int] = lambda _case: 0
    draws: int = MOST_DRAWS
    analyses: int = 1


def is_found(estimate: Estimate) -> bool:
    """Return whether an information or an atom is significant.

    Where no null was drawn, its interval must lie above zero.
    """
    if estimate.p_value == estimate.p_value:  # not NaN
        return bool(estimate.p_value <= SIGNIFICANCE)
    return bool(estimate.low > 0)


def estimates_of(analysis: Analysis, *names: str) -> dict[str, Estimate]:
    """Return quantities, by their names in the table such as "U image"; the atoms by default."""
    return {
        f"{BY_NAME[name].symbol} {modality or ''}".rstrip(): estimate
        for name, modality, estimate in analysis.quantities()
        if name in (names or ATOMS)
    }


def at_zero(expected: Mapping[str, Estimate]) -> tuple[frozenset[str], Rest]:
    """Return which quantities should be zero and are not, and the quantity furthest from zero."""
    surprises = frozenset(name for name, estimate in expected.items() if is_found(estimate))

    def doubt(name: str) -> tuple[float, float]:
        estimate = expected[name]
        p = estimate.p_value if estimate.p_value == estimate.p_value else 1.0
        return p, -estimate.value

    worst = min(surprises or expected, key=doubt)
    return surprises, Rest(worst, expected[worst])

"""The base class of checks: requests to the estimator or the model, and a reading of the answers.

A check that draws at random runs again, with another draw, when something surprises it. It fails
only if the same surprise comes back in three draws. Noise that surprises once in twenty times does
so three times running in one of eight thousand; what is broken comes back. So a study of a hundred
checks can be held to 95 % intervals.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from modalprism.estimation.analysis import Analysis
from modalprism.results.estimate import SIGNIFICANCE, Estimate
from modalprism.results.quantities import ATOMS, BY_NAME
from modalprism.validation.case import AnalysisRequest, StoreUnderTest
from modalprism.validation.finding import Rest, Seen

MOST_DRAWS: Final = 3


class Check(ABC):
    """A relation that must hold.

    Attributes
    ----------
    name, expected : str
        In the table.
    draws : int
        How often a surprise must come back; 1 where nothing is drawn.
    asks : bool
        Whether it needs the estimator.
    """

    name: str
    expected: str
    draws: ClassVar[int] = MOST_DRAWS
    asks: ClassVar[bool] = True

    def passes(self, case: StoreUnderTest) -> int:  # noqa: ARG002
        """Return the passes of the first draw, beyond those of checks before it."""
        return 0

    def requests(self, case: StoreUnderTest, draw: int) -> dict[str, AnalysisRequest]:  # noqa: ARG002
        """Return the requests to the estimator, by name; run the model for them where necessary.

        Raises
        ------
        NotRunError, InputError
            If the check does not apply.
        """
        return {}

    @abstractmethod
    def evaluate(self, case: StoreUnderTest, draw: int, answers: Mapping[str, Analysis]) -> Seen:
        """Read the answers; raise as `requests` does if the check does not apply."""


def is_found(estimate: Estimate) -> bool:
    """Return whether an information or an atom is significant.

    Where no null was drawn, its interval must lie above zero.
    """
    if estimate.p_value == estimate.p_value:  # not NaN
        return bool(estimate.p_value <= SIGNIFICANCE)
    return bool(estimate.low > 0)


def atoms_of(analysis: Analysis) -> dict[str, Estimate]:
    """Return the atoms, by their names in the table."""
    return _named(analysis, ATOMS)


def informations_of(analysis: Analysis) -> dict[str, Estimate]:
    """Return each modality's information, by its name in the table."""
    return _named(analysis, ("marginal_information",))


def _named(analysis: Analysis, names: Sequence[str]) -> dict[str, Estimate]:
    return {
        f"{BY_NAME[name].symbol} {modality or ''}".rstrip(): estimate
        for name, modality, estimate in analysis.quantities()
        if name in names
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

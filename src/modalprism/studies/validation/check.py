"""What a check is: questions to the estimator or the model, and a reading of what they answer.

A check that draws at random looks again, with another draw, when something surprises it, and fails
only if the same surprise comes back in three draws. What noise shows once in twenty times it shows
three times running in one of eight thousand; what is broken comes back. So a study of a hundred
checks can be held to 95 % intervals, and a check that fails means something.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from modalprism.estimation.analysis import Analysis
from modalprism.results.estimate import SIGNIFICANCE, Estimate
from modalprism.results.quantities import ATOMS, BY_NAME
from modalprism.studies.validation.case import Case, Question
from modalprism.studies.validation.finding import Rest, Seen

MOST_DRAWS: Final = 3


class Check(ABC):
    """One relation that must hold.

    Attributes
    ----------
    name : str
        In the table.
    expected : str
        In words.
    draws : int
        How often a surprise must come back; 1 where nothing is drawn.
    asks : bool
        Whether it asks the estimator anything.
    """

    name: str
    expected: str
    draws: ClassVar[int] = MOST_DRAWS
    asks: ClassVar[bool] = True

    def passes(self, case: Case) -> int:  # noqa: ARG002
        """Say how many passes the first draw takes, beyond what checks before it ran."""
        return 0

    def questions(self, case: Case, draw: int) -> dict[str, Question]:  # noqa: ARG002
        """Say what the estimator has to answer; run the model for it where need be.

        Raises
        ------
        NotRunError, InputError
            If the check does not apply.
        """
        return {}

    @abstractmethod
    def look(self, case: Case, draw: int, answers: Mapping[str, Analysis]) -> Seen:
        """Read the answers.

        Raises
        ------
        NotRunError, InputError
            If the check does not apply after all.
        """


def is_found(estimate: Estimate) -> bool:
    """Tell whether an information or an atom is there: its null is rejected.

    Where no null was drawn, its interval must lie above zero.
    """
    if estimate.p_value == estimate.p_value:  # not NaN
        return bool(estimate.p_value <= SIGNIFICANCE)
    return bool(estimate.low > 0)


def atoms_of(analysis: Analysis) -> dict[str, Estimate]:
    """Return the atoms, named as in the table."""
    return _named(analysis, ATOMS)


def informations_of(analysis: Analysis) -> dict[str, Estimate]:
    """Return what each modality tells, named as in the table."""
    return _named(analysis, ("marginal_information",))


def _named(analysis: Analysis, names: Sequence[str]) -> dict[str, Estimate]:
    return {
        f"{BY_NAME[name].symbol} {modality or ''}".rstrip(): estimate
        for name, modality, estimate in analysis.quantities()
        if name in names
    }


def at_zero(expected: Mapping[str, Estimate]) -> tuple[frozenset[str], Rest]:
    """Find what should be zero and is not, and name the least zero of all."""
    surprises = frozenset(name for name, estimate in expected.items() if is_found(estimate))

    def doubt(name: str) -> tuple[float, float]:
        estimate = expected[name]
        p = estimate.p_value if estimate.p_value == estimate.p_value else 1.0
        return p, -estimate.value

    worst = min(surprises or expected, key=doubt)
    return surprises, Rest(worst, expected[worst])

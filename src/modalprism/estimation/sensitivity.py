"""Sensitivity to the number of codes of a coded representation as target.

No number of codes is correct. The states are therefore coded again with half and double the number,
and the report shows the change of the fractions of the information. The atoms themselves
grow with the number of codes, because finer codes have a larger entropy.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modalprism.errors import InputError
from modalprism.estimation.analysis import Analysis
from modalprism.estimation.codes import code_states, half_and_double
from modalprism.results.estimate import Estimate


def code_sensitivity(
    analysis: Analysis,
    states: ArrayLike,
    ask: Callable[[NDArray[np.int64]], Analysis],
    *,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Analyse states again with half and double the codes.

    Parameters
    ----------
    analysis : Analysis
        Analysis of the states with the default number of codes.
    states : array_like, shape (n, d)
        The coded states.
    ask : callable
        Function that analyses codes as a target; only its values are used, so one replicate is
        enough.
    seed : int
        Seed of the coding.

    Returns
    -------
    dict of str to Estimate
        ``code_sensitivity``, the largest absolute change of R/I, U₁/I, U₂/I or S/I, undetermined
        if these are or if no other coding is possible; ``information_half_codes`` and
        ``information_double_codes``, if that coding is possible.
    """
    others: dict[str, Analysis] = {}
    for name, codes in half_and_double(len(np.asarray(states))).items():
        # Coarse codes may collapse into one, and fine codes may be too small for the folds.
        try:
            others[name] = ask(code_states(states, codes=codes, seed=seed))
        except InputError:
            continue
    moves = [np.abs(_fractions(other) - _fractions(analysis)).max() for other in others.values()]
    determined = analysis.share[0].determined and bool(moves)
    return {
        "code_sensitivity": Estimate(float(np.max(moves)) if determined else math.nan),
        **{
            f"information_{name}_codes": Estimate(other.information.value)
            for name, other in others.items()
        },
    }


def _fractions(analysis: Analysis) -> NDArray[np.float64]:
    """Divide the atoms by the information, without a test whether it is determined."""
    atoms = (analysis.redundancy, *analysis.unique, analysis.synergy)
    information = analysis.information.value
    whole = information if information > 0 else math.nan
    return np.array([atom.value for atom in atoms]) / whole

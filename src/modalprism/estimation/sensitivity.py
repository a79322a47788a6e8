"""Sensitivity to the number of codes, where the target is a coded representation.

No number of codes is the right one. The states are therefore coded again, half and double as
finely, and the report says how far the fractions of the information move. The atoms themselves
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
    """Analyse states again, with half and with double the codes.

    Parameters
    ----------
    analysis : Analysis
        Of the states with as many codes as the rule says.
    states : array_like, shape (n, d)
        What was coded.
    ask : callable
        Analyses codes as a target; only its values are read, so that one replicate will do.
    seed : int
        Of the coding.

    Returns
    -------
    dict of str to Estimate
        ``code_sensitivity``, the largest absolute change of R/I, U₁/I, U₂/I or S/I, undetermined
        where those are or where no other coding can be made; ``information_half_codes`` and
        ``information_double_codes``, where that coding can be made.
    """
    others: dict[str, Analysis] = {}
    for name, codes in half_and_double(len(np.asarray(states))).items():
        # Coarse codes may leave one large one, and fine ones classes too small for the folds.
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
    """Divide the atoms by the information as they are: without replicates all is determined."""
    atoms = (analysis.redundancy, *analysis.unique, analysis.synergy)
    information = analysis.information.value
    whole = information if information > 0 else math.nan
    return np.array([atom.value for atom in atoms]) / whole

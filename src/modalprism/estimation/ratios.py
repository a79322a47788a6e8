"""Ratios of atoms: contributions, imbalance, shares and fractions of the information."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modalprism.results.estimate import Estimate, interval_around

Array = NDArray[np.float64]
Pair = tuple[Estimate, Estimate]


def contributions(
    point: Mapping[str, float],
    drawn: Mapping[str, Array],
    *,
    determined: bool,
    p_value: float,
) -> tuple[Pair, Estimate]:
    """Return each modality's fraction of the unique information, and the imbalance |C₁−C₂|.

    Parameters
    ----------
    point : mapping of str to float
        Atoms, by their names in `modalprism.estimation.atoms.ATOMS`.
    drawn : mapping of str to ndarray, shape (R,)
        Their replicates.
    determined : bool
        Whether the unique information is above zero.
    p_value : float
        For the null that neither modality contributes more.
    """
    if not determined:
        nothing = Estimate(math.nan, p_value=p_value)
        return (nothing, nothing), nothing
    unique = {name: np.maximum(drawn[name], 0.0) for name in ("unique_1", "unique_2")}
    parts = _parts(_contribution(point), _contribution(unique), p_value)
    value, low, high = (2 * side - 1 for side in (parts[0].value, parts[0].low, parts[0].high))
    far = max(abs(low), abs(high))
    near = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
    return parts, Estimate(abs(value), near, far, p_value)


def fractions(
    point: Mapping[str, float],
    drawn: Mapping[str, Array],
    slack: Mapping[str, tuple[float, float]],
    *,
    determined: bool,
) -> dict[str, Any]:
    """Divide the atoms by the information; the keys of the result are fields of `Analysis`.

    Parameters
    ----------
    point, drawn
        As in `contributions`.
    slack : mapping of str to (float, float)
        Largest distance of an atom below and above its value. The information has no slack. Nor
        have shares, in which the slacks of R + S and U_m cancel.
    determined : bool
        Whether the information is above zero.
    """

    def fraction(atom: str) -> Estimate:
        if not determined:
            return Estimate(math.nan)
        below, above = slack[atom]
        value = float(point[atom] / point["information"])
        low, _ = _interval(value, (drawn[atom] - below) / drawn["information"])
        _, high = _interval(value, (drawn[atom] + above) / drawn["information"])
        return Estimate(value, low, high)

    nothing = Estimate(math.nan)
    return {
        "share": _parts(_share(point), _share(drawn)) if determined else (nothing, nothing),
        "redundancy_fraction": fraction("redundancy"),
        "unique_fraction": (fraction("unique_1"), fraction("unique_2")),
        "synergy_fraction": fraction("synergy"),
    }


def _parts(value: Any, replicates: Any, p_value: float = math.nan) -> Pair:
    """Return the first modality's fraction of a whole, and its exact complement for the second."""
    low, high = _interval(value, replicates)
    return (
        Estimate(float(value), low, high, p_value),
        Estimate(float(1 - value), 1 - high, 1 - low, p_value),
    )


def _interval(value: float, replicates: Array) -> tuple[float, float]:
    return interval_around(value, replicates[np.isfinite(replicates)])


# One number per atom, or one array.
def _contribution(atoms: Mapping[str, Any]) -> Any:
    return atoms["unique_1"] / (atoms["unique_1"] + atoms["unique_2"])


def _share(atoms: Mapping[str, Any]) -> Any:
    common = (atoms["redundancy"] + atoms["synergy"]) / 2
    return (atoms["unique_1"] + common) / atoms["information"]

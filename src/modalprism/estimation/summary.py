"""Summary of atoms and their replicates as an `Analysis`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from modalprism.estimation.analysis import Analysis
from modalprism.estimation.atoms import ATOMS
from modalprism.estimation.evidence import Evidence
from modalprism.estimation.ratios import contributions, fractions
from modalprism.pid.information import unit_of
from modalprism.results.estimate import (
    SIGNIFICANCE,
    Estimate,
    interval_around,
    percentile_interval,
)
from modalprism.results.quantities import AMOUNTS, BY_NAME

Array = NDArray[np.float64]

NO_NULLS: Final[Mapping[str, float]] = {}

# The union information may lie below its value by the solver's gap and the merge correction, and
# above it by the rest of the merging loss. Its interval and those of the unique atoms widen
# accordingly; those of redundancy and synergy widen in the opposite direction.
_UNION_PLUS = frozenset({"unique_1", "unique_2", "union_information"})
_UNION_MINUS = frozenset({"redundancy", "synergy"})


def _slack(atom: str, below: float, above: float) -> tuple[float, float]:
    """Return the largest distances of an atom below and above its value."""
    if atom in _UNION_PLUS:
        return below, above
    return (above, below) if atom in _UNION_MINUS else (0.0, 0.0)


def resolution_of(classes: int, n: int) -> float:
    """Return the detection limit of information about the target for n rows, in nats.

    For a binary source of noise the plug-in information about C classes is at most χ²/2n nats in
    95 % of samples (the likelihood ratio of independence, C−1 degrees of freedom). The limit is
    needed because a source with estimate 0 has a bootstrap spread of 0.

    Examples
    --------
    >>> round(resolution_of(2, 1000), 5)
    0.00192
    """
    return float(chi2.ppf(0.95, classes - 1)) / (2 * n)


def summarize(
    value: Array,
    resampled: Array,
    *,
    learnt: Array | None = None,
    rows: Array | None = None,
    modalities: tuple[str, str],
    target: str,
    base: float,
    n: int,
    gap: float,
    classes: int,
    resolution: float,
    ceiling: float = math.inf,
    estimator: str,
    diagnostics: dict[str, Estimate],
    families: dict[str, tuple[str, ...]],
    loss: float = 0.0,
    merge_correction: float = 0.0,
    p_values: Mapping[str, float] = NO_NULLS,
) -> Analysis:
    """Convert atoms in nats to an `Analysis` in the unit of `base`.

    Parameters
    ----------
    value : ndarray, shape (8,)
        In the order of `ATOMS`, in nats.
    resampled : ndarray, shape (8, replicates)
        Change of each atom when groups are resampled.
    learnt : ndarray, shape (8, replicates), optional
        Change of each atom with other and more training rows.
    rows : ndarray, shape (n, 4), optional
        See `row_informations`.
    gap : float
        Bound on the solver's error, in nats.
    loss, merge_correction : float
        Information lost by merging, and the part added back to the union information.
    classes : int
        C, for the noise floor below which a contribution is undetermined.
    resolution : float
        Smallest width of an interval, in nats; see `resolution_of`.
    ceiling : float
        Largest possible information, in nats, above which no interval ends.
    p_values : mapping
        By atom, and ``determined`` (U₁+U₂ = 0) and ``imbalance`` (C = ½), for the computed nulls.

    Notes
    -----
    A contribution is determined when the 95 % interval of U₁+U₂ lies above the estimator's own
    floor, 2 (gap + merge_correction) + (C−1)/n nats: the errors of the solver and of merging, which
    count twice in U₁+U₂, and the size of a class frequency's sampling error. A computed null of
    U₁+U₂ must be rejected as well.
    """
    nat = math.log(base)
    learnt = np.zeros_like(resampled) if learnt is None else learnt
    moved = resampled + learnt
    below = gap + merge_correction
    slack = {name: _slack(name, below, loss - merge_correction) for name in ATOMS}
    point = dict(zip(ATOMS, value, strict=True))
    drawn = dict(zip(ATOMS, value[:, None] + moved, strict=True))
    floor = 2 * below + (classes - 1) / n
    estimates = {}
    for name in ATOMS:
        low, high = interval_around(point[name], drawn[name], resolution=resolution)
        estimates[name] = Estimate(
            float(point[name]) / nat,
            (low - slack[name][0]) / nat,
            min(high + slack[name][1], max(ceiling, float(point[name]))) / nat,
            p_values.get(name, math.nan),
        )

    unique_low, _ = percentile_interval(drawn["unique_1"] + drawn["unique_2"])
    with np.errstate(divide="ignore", invalid="ignore"):
        contribution, imbalance = contributions(
            point,
            drawn,
            determined=unique_low > floor and p_values.get("determined", 0.0) <= SIGNIFICANCE,
            p_value=p_values.get("imbalance", math.nan),
        )
        of_information = fractions(
            point, drawn, slack, determined=estimates["information"].low * nat > floor
        )
    amounts: dict[str, Any] = {
        name: (estimates[f"{name}_1"], estimates[f"{name}_2"])
        if BY_NAME[name].per_modality
        else estimates[name]
        for name in AMOUNTS
    }
    return Analysis(
        modalities=modalities,
        target=target,
        **amounts,
        contribution=contribution,
        imbalance=imbalance,
        **of_information,
        unit=unit_of(base),
        n=n,
        gap=gap / nat,
        estimator=estimator,
        diagnostics=diagnostics,
        families=families,
        evidence=Evidence.of(resampled, learnt, rows, resolution, nat),
    )

"""Atoms and their replicates → an `Analysis`."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from modalprism.estimation.analysis import Analysis, Estimate, percentile_interval
from modalprism.estimation.atoms import ATOMS
from modalprism.pid.information import unit_of

Array = NDArray[np.float64]

# The union information of all rows lies at most `gap` below the value found, and above it by about
# `loss` at most. Its interval and those of the unique atoms widen so, the others' the other way.
_UNION_PLUS = frozenset({"unique_1", "unique_2", "union_information"})
_UNION_MINUS = frozenset({"redundancy", "synergy"})


def _ratio(value: float, replicates: Array) -> Estimate:
    finite = replicates[np.isfinite(replicates)]
    return Estimate(value, *percentile_interval(finite)) if finite.size else Estimate(value)


def summarize(
    value: Array,
    moved: Array,
    *,
    modalities: tuple[str, str],
    target: str,
    base: float,
    n: int,
    gap: float,
    loss: float,
    classes: int,
    estimator: str,
    diagnostics: dict[str, Estimate],
    families: dict[str, tuple[str, ...]],
) -> Analysis:
    """Turn atoms in nats into an `Analysis` in the unit of `base`.

    Parameters
    ----------
    value : ndarray, shape (8,)
        In the order of `ATOMS`, in nats.
    moved : ndarray, shape (8, replicates)
        How far each atom moves in each replicate.
    gap, loss : float
        The solver's and the merging's bounds, in nats.
    classes : int
        C, for the noise floor below which a contribution is undetermined.

    Notes
    -----
    A contribution is determined when the 95 % interval of U₁+U₂ lies above the estimator's own
    floor, gap + loss + (C−1)/n nats: the solver's error, the merging's, and the size of a class
    frequency's sampling error.
    """
    nat = math.log(base)
    estimates = {}
    for name, point, spread in zip(ATOMS, value, moved, strict=True):
        low, high = percentile_interval(point + spread)
        low -= gap * (name in _UNION_PLUS) + loss * (name in _UNION_MINUS)
        high += gap * (name in _UNION_MINUS) + loss * (name in _UNION_PLUS)
        estimates[name] = Estimate(float(point) / nat, low / nat, high / nat)

    at = {name: index for index, name in enumerate(ATOMS)}
    replicates = value[:, None] + moved
    unique = value[[at["unique_1"], at["unique_2"]]]
    unique_replicates = replicates[[at["unique_1"], at["unique_2"]]]
    floor = gap + loss + (classes - 1) / n
    with np.errstate(divide="ignore", invalid="ignore"):
        fractions = unique_replicates / unique_replicates.sum(0)
        half = (replicates[at["redundancy"]] + replicates[at["synergy"]]) / 2
        shares = (unique_replicates + half) / replicates[at["information"]]
    if percentile_interval(unique_replicates.sum(0))[0] > floor:
        fraction = float(unique[0] / unique.sum())
        first = _ratio(fraction, fractions[0])
        # The second is the complement to the last bit.
        contribution = (first, Estimate(1 - fraction, 1 - first.high, 1 - first.low))
    else:
        contribution = (Estimate(math.nan), Estimate(math.nan))
    if estimates["information"].low * nat > floor:
        half_value = (value[at["redundancy"]] + value[at["synergy"]]) / 2
        share_value = float((unique[0] + half_value) / value[at["information"]])
        first = _ratio(share_value, shares[0])
        share = (first, Estimate(1 - share_value, 1 - first.high, 1 - first.low))
    else:
        share = (Estimate(math.nan), Estimate(math.nan))
    return Analysis(
        modalities=modalities,
        target=target,
        redundancy=estimates["redundancy"],
        unique=(estimates["unique_1"], estimates["unique_2"]),
        synergy=estimates["synergy"],
        information=estimates["information"],
        marginal_information=(
            estimates["marginal_information_1"],
            estimates["marginal_information_2"],
        ),
        union_information=estimates["union_information"],
        contribution=contribution,
        share=share,
        unit=unit_of(base),
        n=n,
        gap=gap / nat,
        estimator=estimator,
        diagnostics={"state_loss": Estimate(loss / nat), **diagnostics},
        families=families,
    )

"""Atoms and their replicates → an `Analysis`."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from modalprism.estimation.analysis import Analysis, Estimate, percentile_interval
from modalprism.estimation.atoms import ATOMS
from modalprism.pid.information import unit_of

Array = NDArray[np.float64]

# The union information may lie below the value found by the solver's gap and what was given back
# for merging, and above it by what was not. Its interval and those of the unique atoms widen so;
# the others' the other way.
_UNION_PLUS = frozenset({"unique_1", "unique_2", "union_information"})
_UNION_MINUS = frozenset({"redundancy", "synergy"})


def _parts(value: float, replicates: Array, *, determined: bool) -> tuple[Estimate, Estimate]:
    """Return the first modality's part of a whole, and the second's: its complement, exactly."""
    if not determined:
        return Estimate(math.nan), Estimate(math.nan)
    low, high = percentile_interval(replicates[np.isfinite(replicates)])
    return Estimate(value, low, high), Estimate(1 - value, 1 - high, 1 - low)


def _contribution(atoms: dict[str, Array]) -> Array:
    return atoms["unique_1"] / (atoms["unique_1"] + atoms["unique_2"])


def _share(atoms: dict[str, Array]) -> Array:
    common = (atoms["redundancy"] + atoms["synergy"]) / 2
    return (atoms["unique_1"] + common) / atoms["information"]


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
    regained: float,
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
    gap : float
        Bound on the solver's error, in nats.
    loss, regained : float
        What merging took from the sources, and what of it the union information was given back.
    classes : int
        C, for the noise floor below which a contribution is undetermined.

    Notes
    -----
    A contribution is determined when the 95 % interval of U₁+U₂ lies above the estimator's own
    floor, 2 (gap + regained) + (C−1)/n nats: the solver's error and the merging's, which count
    twice in U₁+U₂, and the size of a class frequency's sampling error.
    """
    nat = math.log(base)
    below, above = gap + regained, loss - regained
    estimates = {}
    for name, amount, spread in zip(ATOMS, value, moved, strict=True):
        low, high = percentile_interval(amount + spread)
        low -= below * (name in _UNION_PLUS) + above * (name in _UNION_MINUS)
        high += below * (name in _UNION_MINUS) + above * (name in _UNION_PLUS)
        estimates[name] = Estimate(float(amount) / nat, low / nat, high / nat)

    floor = 2 * below + (classes - 1) / n
    point = dict(zip(ATOMS, value, strict=True))
    drawn = dict(zip(ATOMS, value[:, None] + moved, strict=True))
    unique_low, _ = percentile_interval(drawn["unique_1"] + drawn["unique_2"])
    with np.errstate(divide="ignore", invalid="ignore"):
        contribution = _parts(
            float(_contribution(point)), _contribution(drawn), determined=unique_low > floor
        )
        share = _parts(
            float(_share(point)),
            _share(drawn),
            determined=estimates["information"].low * nat > floor,
        )
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

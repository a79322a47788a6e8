"""Atoms and their replicates → an `Analysis`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from modalprism.estimation.analysis import Analysis, Estimate, percentile_interval
from modalprism.estimation.atoms import ATOMS
from modalprism.estimation.codebook.codebook import CodebookResult
from modalprism.estimation.validation import Sample
from modalprism.pid.information import unit_of

Array = NDArray[np.float64]

NO_NULLS: Final[Mapping[str, float]] = {}
SIGNIFICANT: Final = 0.05

# The union information may lie below the value found by the solver's gap and what was given back
# for merging, and above it by what was not. Its interval and those of the unique atoms widen so;
# the others' the other way.
_UNION_PLUS = frozenset({"unique_1", "unique_2", "union_information"})
_UNION_MINUS = frozenset({"redundancy", "synergy"})


def _parts(
    value: float, replicates: Array, *, determined: bool, p_value: float = math.nan
) -> tuple[Estimate, Estimate]:
    """Return the first modality's part of a whole, and the second's: its complement, exactly."""
    if not determined:
        return Estimate(math.nan, p_value=p_value), Estimate(math.nan, p_value=p_value)
    low, high = percentile_interval(replicates[np.isfinite(replicates)])
    return (
        Estimate(value, low, high, p_value),
        Estimate(1 - value, 1 - high, 1 - low, p_value),
    )


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
    p_values: Mapping[str, float] = NO_NULLS,
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
    p_values : mapping
        By atom, and ``determined`` (of U₁+U₂ = 0) and ``imbalance`` (of C = ½), where nulls were
        drawn.

    Notes
    -----
    A contribution is determined when the 95 % interval of U₁+U₂ lies above the estimator's own
    floor, 2 (gap + regained) + (C−1)/n nats: the solver's error and the merging's, which count
    twice in U₁+U₂, and the size of a class frequency's sampling error. Where a null of U₁+U₂ was
    drawn, it must be rejected as well.
    """
    nat = math.log(base)
    below, above = gap + regained, loss - regained
    estimates = {}
    for name, amount, spread in zip(ATOMS, value, moved, strict=True):
        low, high = percentile_interval(amount + spread)
        low -= below * (name in _UNION_PLUS) + above * (name in _UNION_MINUS)
        high += below * (name in _UNION_MINUS) + above * (name in _UNION_PLUS)
        estimates[name] = Estimate(
            float(amount) / nat, low / nat, high / nat, p_values.get(name, math.nan)
        )

    floor = 2 * below + (classes - 1) / n
    point = dict(zip(ATOMS, value, strict=True))
    drawn = dict(zip(ATOMS, value[:, None] + moved, strict=True))
    unique_low, _ = percentile_interval(drawn["unique_1"] + drawn["unique_2"])
    with np.errstate(divide="ignore", invalid="ignore"):
        contribution = _parts(
            float(_contribution(point)),
            _contribution(drawn),
            determined=unique_low > floor and p_values.get("determined", 0.0) <= SIGNIFICANT,
            p_value=p_values.get("imbalance", math.nan),
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
        diagnostics=diagnostics,
        families=families,
    )


def summarize_codebook(
    counted: CodebookResult, sample: Sample, *, target: str, base: float
) -> Analysis:
    """Turn what codes tell, in nats, into an `Analysis` in the unit of `base`."""
    return summarize(
        counted.value,
        counted.replicates - counted.value[:, None],
        modalities=sample.modalities,
        target=target,
        base=base,
        n=len(sample.target),
        gap=counted.gap,
        loss=0.0,
        regained=0.0,
        classes=sample.target.shape[1],
        estimator="codebook",
        # What the table would have read without its correction, and where its target is noise.
        diagnostics={
            f"{name}_information": Estimate(float(amounts[2]) / math.log(base))
            for name, amounts in (("plug_in", counted.plug_in), ("noise", counted.level))
        },
        families={
            modality: (f"{codes} codes",)
            for modality, codes in zip(sample.modalities, counted.codes, strict=True)
        },
        p_values=counted.p_values,
    )

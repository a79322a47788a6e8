"""Differences between two analyses, with intervals.

Analyses of the same examples with the same seed resample alike (`Evidence`), so that variation that
both share drops out of the difference's interval. Others are compared as independent ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from modalprism.errors import InputError
from modalprism.estimation.atoms import split_information
from modalprism.results.estimate import Estimate, interval_around
from modalprism.results.quantities import AMOUNTS, ATOMS, QuantityKey, keys
from modalprism.results.table import Case
from modalprism.studies.evidence_store import AnalysisKey, StoredEvidence, read_evidence
from modalprism.studies.profile import Profile

Array = NDArray[np.float64]

COLUMNS: Final = (
    "run_1", "model_1", "dataset_1", "run_2", "model_2", "dataset_2", "view", "pairs", "layer",
    "quantity", "modality", "value_1", "value_2", "difference", "low", "high", "p_value", "q_value",
    "unit", "n_1", "n_2", "paired",
)  # fmt: skip


class Side(NamedTuple):
    """One of two analyses: its run, model and dataset."""

    run: str
    model: str
    dataset: str


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """The profile and the evidence of a run's folder."""

    profile: Profile
    evidence: Mapping[AnalysisKey, StoredEvidence]

    @classmethod
    def read(cls, folder: Path) -> FinishedRun:
        """Read a run's folder.

        Raises
        ------
        InputError
            If it is no finished run, or has no evidence.
        """
        return cls(Profile.read(folder), read_evidence(folder))


def compare(runs: Mapping[str, FinishedRun]) -> pd.DataFrame:
    """Compare all models on the same dataset, and all datasets of the same model.

    Parameters
    ----------
    runs : mapping of name to FinishedRun
        One run may hold several models and datasets; they are compared with each other, too.

    Returns
    -------
    pandas.DataFrame
        A row a quantity of two analyses of the same view, pairs and layer: `difference` is the
        second less the first, with its 95 % interval and the p-value of no difference; `paired`
        says whether the examples are the same. q-values are over all that were compared in a
        quantity.

    Raises
    ------
    InputError
        If runs have other modalities or another unit, or nothing can be compared.

    Notes
    -----
    The interval holds the solver's gaps, and is nowhere narrower than what the samples resolve; the
    p-value is of a difference beyond both.
    """
    _check(runs)
    sides: dict[tuple[str, str, int], list[tuple[Side, _Analysis]]] = {}
    for name, run in runs.items():
        results = run.profile.table
        for place, stored in run.evidence.items():
            side = Side(name, place.model, place.dataset)
            case = Case(place.model, place.dataset, place.pairs)
            found = _Analysis(results.at(case, place.view, place.layer), stored, results.modalities)
            sides.setdefault((place.view, place.pairs, place.layer), []).append((side, found))
    rows = [
        {**_named(one, other), "view": view, "pairs": pairs, "layer": layer, **row}
        for (view, pairs, layer), analyses in sides.items()
        for (one, first), (other, second) in combinations(analyses, 2)
        if one.dataset == other.dataset or one.model == other.model
        for row in _differences(first, second)
    ]
    if not rows:
        raise InputError(
            "nothing can be compared: no two analyses share a view, and a dataset or a model"
        )
    frame = pd.DataFrame(rows)
    frame["q_value"] = frame.groupby(["quantity", "modality"])["p_value"].transform(
        lambda p: false_discovery_control(p.to_numpy(), method="bh")
    )
    return frame[list(COLUMNS)]


def _check(runs: Mapping[str, FinishedRun]) -> None:
    first, *others = runs.items()
    for name, run in others:
        if run.profile.modalities != first[1].profile.modalities:
            raise InputError(
                f"{first[0]} is about {' and '.join(first[1].profile.modalities)}, {name} about "
                f"{' and '.join(run.profile.modalities)}; compare runs of the same modalities"
            )
    units = {name: run.profile.table.unit() for name, run in runs.items()}
    if len(set(units.values())) > 1:
        words = ", ".join(f"{name} in {unit}s" for name, unit in units.items())
        raise InputError(f"the runs are in different units: {words}; run them in the same base")


def _named(one: Side, other: Side) -> dict[str, str]:
    return {
        f"{key}_{number}": value
        for number, side in ((1, one), (2, other))
        for key, value in side._asdict().items()
    }


@dataclass(frozen=True, eq=False)
class _Analysis:
    """The estimates of one analysis, and its evidence."""

    estimates: dict[QuantityKey, Estimate]
    stored: StoredEvidence
    modalities: tuple[str, str]

    def compared(self) -> dict[QuantityKey, int]:
        """Return what is compared, by its row of `split_information`; −1 is the contribution."""
        rows = {key: row for row, key in enumerate(keys((*ATOMS, "information"), self.modalities))}
        rows["contribution", self.modalities[0]] = -1
        return {key: row for key, row in rows.items() if self.estimates[key].determined}

    def replicates(self, resampled: Array, learnt: Array) -> Array:
        """Return every atom and information in each replicate, shape (8, R)."""
        moved = split_information(*(resampled + learnt))
        values = [self.estimates[key].value for key in keys(AMOUNTS, self.modalities)]
        replicates: Array = np.array(values)[:, None] + moved
        return replicates


def _differences(first: _Analysis, second: _Analysis) -> list[dict[str, Any]]:
    paired = first.stored.sample == second.stored.sample
    one, other = _drawn(first, second, paired)
    some, others = first.estimates["redundancy", ""], second.estimates["redundancy", ""]
    uncertain = some.gap + others.gap
    uncertain += max(first.stored.evidence.resolution, second.stored.evidence.resolution)
    rows = []
    for key, row in first.compared().items():
        if key not in second.compared():
            continue
        if key[0] == "contribution":
            with np.errstate(divide="ignore", invalid="ignore"):
                drawn = other[1] / (other[1] + other[2]) - one[1] / (one[1] + one[2])
            drawn, beyond = drawn[np.isfinite(drawn)], 0.0
        else:
            drawn, beyond = other[row] - one[row], uncertain
        before, after = first.estimates[key], second.estimates[key]
        difference = after.value - before.value
        low, high = interval_around(difference, drawn)
        rows.append(
            {
                "quantity": key[0],
                "modality": key[1],
                "value_1": before.value,
                "value_2": after.value,
                "difference": difference,
                "low": low - beyond,
                "high": high + beyond,
                "p_value": _p_value(drawn, beyond),
                "unit": before.unit,
                "n_1": some.n,
                "n_2": others.n,
                "paired": paired,
            }
        )
    return rows


def _drawn(first: _Analysis, second: _Analysis, paired: bool) -> tuple[Array, Array]:
    """Return replicates of both: paired resamples stay side by side, others are permuted."""
    stored = [side.stored.evidence for side in (first, second)]
    count = min(evidence.resampled.shape[1] for evidence in stored)
    order = np.random.default_rng(0).permutation(count)
    one, other = (
        [array[:, :count].astype(np.float64) for array in (evidence.resampled, evidence.learnt)]
        for evidence in stored
    )
    resampled = other[0] if paired else other[0][:, order]
    return first.replicates(*one), second.replicates(resampled, other[1][:, order])


def _p_value(drawn: Array, beyond: float) -> float:
    """Return the two-sided p-value of no difference beyond the uncertainty `beyond`."""
    below, above = (drawn <= beyond).sum(), (drawn >= -beyond).sum()
    return float(min(1.0, 2 * (1 + min(below, above)) / (1 + len(drawn))))

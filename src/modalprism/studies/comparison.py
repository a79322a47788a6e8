"""Differences between two analyses, with intervals.

Analyses of the same examples with the same seed resample alike (`Evidence`), so that variation that
both share drops out of the difference's interval. Others are compared as independent ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from modalprism.errors import InputError
from modalprism.estimation.atoms import split_information
from modalprism.results.estimate import Estimate, interval_around
from modalprism.results.quantities import AMOUNTS, ATOMS, QuantityKey, keys
from modalprism.results.table import Case
from modalprism.studies.evidence_store import AnalysisKey, StoredEvidence, read_evidence
from modalprism.studies.profile import Profile, with_q_values

Array = NDArray[np.float64]

COLUMNS: Final = (
    "run_1", "model_1", "dataset_1", "run_2", "model_2", "dataset_2", "view", "pairs", "layer",
    "quantity", "modality", "value_1", "value_2", "difference", "low", "high", "p_value", "q_value",
    "unit", "n_1", "n_2", "paired",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """The profile and the evidence of a run's folder."""

    profile: Profile
    evidence: Mapping[AnalysisKey, StoredEvidence]

    @classmethod
    def read(cls, folder: Path) -> FinishedRun:
        """Read a run's folder; an `InputError` if it is no finished run, or has no evidence."""
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
    alike: dict[tuple[str, str, int], list[_Analysis]] = {}
    for name, run in runs.items():
        results = run.profile.table
        for key, stored in run.evidence.items():
            case = Case(key.model, key.dataset, key.pairs)
            estimates = results.at(case, key.view, key.layer)
            analysis = _Analysis(name, key, estimates, stored, results.modalities)
            alike.setdefault((key.view, key.pairs, key.layer), []).append(analysis)
    rows = [
        row
        for analyses in alike.values()
        for first, second in combinations(analyses, 2)
        if first.key.dataset == second.key.dataset or first.key.model == second.key.model
        for row in _differences(first, second)
    ]
    if not rows and len(runs) == 1:
        raise InputError(
            f"nothing can be compared: there is one run alone, {next(iter(runs))}, and a run that "
            "is named twice is the same run; name a second run"
        )
    if not rows:
        raise InputError(
            "nothing can be compared: no two analyses share a view, and a dataset or a model"
        )
    return with_q_values(pd.DataFrame(rows), ("quantity", "modality"))[list(COLUMNS)]


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


@dataclass(frozen=True, eq=False)
class _Analysis:
    """The estimates of one analysis of a run, and its evidence."""

    run: str
    key: AnalysisKey
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
    key = first.key
    names = {"view": key.view, "pairs": key.pairs, "layer": key.layer}
    for number, side in ((1, first), (2, second)):
        names |= {f"run_{number}": side.run, f"model_{number}": side.key.model}
        names[f"dataset_{number}"] = side.key.dataset
    rows = []
    for quantity, row in first.compared().items():
        if quantity not in second.compared():
            continue
        if quantity[0] == "contribution":
            with np.errstate(divide="ignore", invalid="ignore"):
                drawn = other[1] / (other[1] + other[2]) - one[1] / (one[1] + one[2])
            drawn, beyond = drawn[np.isfinite(drawn)], 0.0
        else:
            drawn, beyond = other[row] - one[row], uncertain
        before, after = first.estimates[quantity], second.estimates[quantity]
        difference = after.value - before.value
        low, high = interval_around(difference, drawn)
        rows.append(
            {
                **names,
                "quantity": quantity[0],
                "modality": quantity[1],
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

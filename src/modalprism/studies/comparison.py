"""Two analyses, what differs between them, and how sure that is.

Analyses of the same examples with the same seed resample alike (`Evidence`), so that what makes
both vary alike leaves the interval of their difference. Others are compared as independent ones.
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
from modalprism.estimation.analysis import percentile_interval
from modalprism.estimation.atoms import split_information
from modalprism.studies.evidence_store import AnalysisKey, StoredEvidence, read_evidence
from modalprism.studies.profile import Profile

Array = NDArray[np.float64]

COLUMNS: Final = (
    "run_1", "model_1", "dataset_1", "run_2", "model_2", "dataset_2", "view", "pairs", "layer",
    "quantity", "modality", "value_1", "value_2", "difference", "low", "high", "p_value", "q_value",
    "unit", "n_1", "n_2", "paired",
)  # fmt: skip


class Side(NamedTuple):
    """One of two analyses: in which run, of which model, on which dataset."""

    run: str
    model: str
    dataset: str


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """A finished run with its evidence.

    Attributes
    ----------
    profile : Profile
    evidence : mapping of AnalysisKey to StoredEvidence
    """

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
        for place, stored in run.evidence.items():
            side = Side(name, place.model, place.dataset)
            found = _Analysis.of(run.profile, place, stored)
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
    units = {name: _unit(run.profile) for name, run in runs.items()}
    if len(set(units.values())) > 1:
        words = ", ".join(f"{name} in {unit}s" for name, unit in units.items())
        raise InputError(f"the runs are in different units: {words}; run them in the same base")


def _unit(profile: Profile) -> str:
    frame = profile.frame
    return str(frame.loc[frame["quantity"] == "redundancy", "unit"].iloc[0])


def _named(one: Side, other: Side) -> dict[str, str]:
    return {
        f"{key}_{number}": value
        for number, side in ((1, one), (2, other))
        for key, value in side._asdict().items()
    }


@dataclass(frozen=True, eq=False)
class _Analysis:
    """Values of one analysis by quantity and modality, and its evidence."""

    values: dict[tuple[str, str], float]
    stored: StoredEvidence
    modalities: tuple[str, str]
    unit: str
    n: int
    gap: float

    @classmethod
    def of(cls, profile: Profile, place: AnalysisKey, stored: StoredEvidence) -> _Analysis:
        frame = profile.frame
        rows = frame[
            (frame["model"] == place.model)
            & (frame["dataset"] == place.dataset)
            & (frame["view"] == place.view)
            & (frame["pairs"] == place.pairs)
            & (frame["layer"] == place.layer)
        ]
        values = {
            (str(row["quantity"]), row["modality"] if isinstance(row["modality"], str) else ""): (
                float(row["value"])
            )
            for row in rows.to_dict("records")
        }
        head = rows.iloc[0]
        return cls(
            values,
            stored,
            profile.modalities,
            str(head["unit"]),
            int(head["n"]),
            float(head["gap"]),
        )

    def quantities(self) -> dict[tuple[str, str], int]:
        """Name what is compared, by its row of `split_information`; −1 is the contribution."""
        one, other = self.modalities
        names = {
            ("redundancy", ""): 0,
            ("unique", one): 1,
            ("unique", other): 2,
            ("synergy", ""): 3,
            ("information", ""): 4,
            ("contribution", one): -1,
        }
        return {name: row for name, row in names.items() if np.isfinite(self.values[name])}

    def replicates(self, resampled: Array, learnt: Array) -> Array:
        """Return every atom and information in each replicate, shape (8, R)."""
        one, other, both, union = resampled + learnt
        moved = split_information(one, other, both, union)
        first, second = self.modalities
        keys = [("redundancy", ""), ("unique", first), ("unique", second), ("synergy", "")]
        keys += [("information", ""), ("marginal_information", first)]
        keys += [("marginal_information", second), ("union_information", "")]
        values: Array = np.array([self.values[key] for key in keys])[:, None] + moved
        return values


def _differences(first: _Analysis, second: _Analysis) -> list[dict[str, Any]]:
    paired = first.stored.sample == second.stored.sample
    one, other = _drawn(first, second, paired)
    uncertain = first.gap + second.gap
    uncertain += max(first.stored.evidence.resolution, second.stored.evidence.resolution)
    rows = []
    for name in first.quantities().keys() & second.quantities().keys():
        row = first.quantities()[name]
        quantity, modality = name
        if quantity == "contribution":
            with np.errstate(divide="ignore", invalid="ignore"):
                drawn = other[1] / (other[1] + other[2]) - one[1] / (one[1] + one[2])
            drawn, beyond = drawn[np.isfinite(drawn)], 0.0
        else:
            drawn, beyond = other[row] - one[row], uncertain
        difference = second.values[name] - first.values[name]
        low, high = percentile_interval(drawn)
        rows.append(
            {
                "quantity": quantity,
                "modality": modality,
                "value_1": first.values[name],
                "value_2": second.values[name],
                "difference": difference,
                "low": min(low, difference) - beyond,
                "high": max(high, difference) + beyond,
                "p_value": _p_value(drawn, beyond),
                "unit": "1" if quantity == "contribution" else first.unit,
                "n_1": first.n,
                "n_2": second.n,
                "paired": paired,
            }
        )
    order = list(first.quantities())
    return sorted(rows, key=lambda row: order.index((row["quantity"], row["modality"])))


def _drawn(first: _Analysis, second: _Analysis, paired: bool) -> tuple[Array, Array]:
    """Return replicates of both; what they share stays side by side, and nothing else does."""
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
    """Return the two-sided p-value of no difference beyond what nobody can tell."""
    below, above = (drawn <= beyond).sum(), (drawn >= -beyond).sum()
    return float(min(1.0, 2 * (1 + min(below, above)) / (1 + len(drawn))))

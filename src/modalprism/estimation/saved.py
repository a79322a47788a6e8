"""Analyses as strict JSON, validated on reading.

Undetermined and missing numbers are null, because JSON has no NaN.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
    model_validator,
)

from modalprism.errors import InputError
from modalprism.estimation.analysis import Analysis
from modalprism.estimation.evidence import Evidence
from modalprism.foreign import guarded, reason_of, require_file
from modalprism.results.estimate import Estimate
from modalprism.results.quantities import QUANTITIES
from modalprism.strict_json import dumps

FORMAT: Final = "modalprism.Analysis"
SINGLE: Final = tuple(quantity.name for quantity in QUANTITIES if not quantity.per_modality)
BY_MODALITY: Final = tuple(quantity.name for quantity in QUANTITIES if quantity.per_modality)
_PLAIN: Final = ("target", "estimator", "unit", "n", "seed")
_INFORMATIONS: Final = 4

_LARGEST: Final = float(np.finfo(np.float32).max)

Number = float | None
Single = Annotated[float, Field(ge=-_LARGEST, le=_LARGEST)] | None
"""Number of the evidence, in float32."""
Four = Annotated[list[list[Single]], Field(min_length=_INFORMATIONS, max_length=_INFORMATIONS)]
Row = Annotated[list[Single], Field(min_length=_INFORMATIONS, max_length=_INFORMATIONS)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class _Estimate(_Model):
    value: Number
    low: Number
    high: Number
    p_value: Number


class _Evidence(_Model):
    resampled: Four
    learnt: Four
    rows: Annotated[list[Row], Field(min_length=1)] | None
    resolution: float

    @model_validator(mode="after")
    def _rectangular(self) -> _Evidence:
        if len({len(part) for part in (*self.resampled, *self.learnt)}) > 1:
            raise ValueError("replicates differ in number")
        return self


class _Facts(_Model):
    """Content of the file except the quantities; see `Analysis` for its meaning."""

    format: Literal["modalprism.Analysis"]
    version: Literal[1]
    modalities: tuple[str, str]
    target: str
    estimator: str
    unit: str
    n: Annotated[int, Field(ge=1)]
    gap: Number
    seed: Annotated[int, Field(ge=0)] | None
    diagnostics: dict[str, _Estimate]
    families: dict[str, tuple[str, ...]]
    cautions: tuple[str, ...]
    evidence: _Evidence | None = None

    @model_validator(mode="after")
    def _named_by_modality(self) -> _Facts:
        for name in BY_MODALITY:
            if set(getattr(self, name)) != set(self.modalities):
                raise ValueError(f"{name} does not have one estimate for each modality")
        return self


_QUANTITIES: Final[dict[str, Any]] = {
    **dict.fromkeys(SINGLE, (_Estimate, ...)),
    **dict.fromkeys(BY_MODALITY, (dict[str, _Estimate], ...)),
}
_Saved = create_model("_Saved", __base__=_Facts, **_QUANTITIES)


def to_dict(analysis: Analysis, *, evidence: bool) -> dict[str, Any]:
    """Return an analysis as numbers, strings, lists, dicts and None."""
    content: dict[str, Any] = {
        "format": FORMAT,
        "version": 1,
        "modalities": list(analysis.modalities),
        **{name: getattr(analysis, name) for name in _PLAIN},
        "gap": _number(analysis.gap),
        **{name: _plain(getattr(analysis, name)) for name in SINGLE},
    }
    for name in BY_MODALITY:
        pair = map(_plain, getattr(analysis, name))
        content[name] = dict(zip(analysis.modalities, pair, strict=True))
    content["diagnostics"] = {name: _plain(each) for name, each in analysis.diagnostics.items()}
    content["families"] = {name: list(each) for name, each in analysis.families.items()}
    content["cautions"] = list(analysis.cautions)
    if evidence and analysis.evidence is not None:
        kept = analysis.evidence
        content["evidence"] = {
            "resampled": _table(kept.resampled),
            "learnt": _table(kept.learnt),
            "rows": None if kept.rows is None else _table(kept.rows),
            "resolution": kept.resolution,
        }
    return content


def to_json(analysis: Analysis, *, evidence: bool) -> str:
    """Return an analysis as strict JSON, UTF-8."""
    content = to_dict(analysis, evidence=evidence)
    numbers = content.pop("evidence", None)
    text = dumps(content, ensure_ascii=False, indent=2)
    if numbers is None:
        return text + "\n"
    compact = dumps(numbers)  # one line per array
    return f'{text[:-2]},\n  "evidence": {compact}\n}}\n'


def load(path: str | Path) -> Analysis:
    """Read a saved analysis; see `Analysis.load`."""
    file = require_file(Path(path))
    with guarded(file, "save the analysis again"):
        content = file.read_bytes()
    try:
        saved = _Saved.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        reason = reason_of(ValueError(f"{where}: {first['msg']}"))
        if where == "format" or first["type"].startswith("model"):
            raise InputError(
                f'{file} is not a saved analysis: it has no "format": "{FORMAT}"; give a file that '
                "Analysis.save wrote"
            ) from error
        raise InputError(
            f"{file} is not a saved analysis, or is damaged: {reason}; save the analysis again"
        ) from error
    fields: dict[str, Any] = {name: getattr(saved, name) for name in _PLAIN}
    fields |= {name: _estimate(getattr(saved, name)) for name in SINGLE}
    for name in BY_MODALITY:
        by_modality = getattr(saved, name)
        fields[name] = tuple(_estimate(by_modality[each]) for each in saved.modalities)
    return Analysis(
        **fields,
        modalities=saved.modalities,
        gap=_float(saved.gap),
        diagnostics={name: _estimate(each) for name, each in saved.diagnostics.items()},
        families=saved.families,
        cautions=saved.cautions,
        evidence=None if saved.evidence is None else _evidence(saved.evidence),
    )


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _float(value: float | None) -> float:
    return math.nan if value is None else value


def _plain(estimate: Estimate) -> dict[str, float | None]:
    return {name: _number(getattr(estimate, name)) for name in _Estimate.model_fields}


def _estimate(saved: _Estimate) -> Estimate:
    value, low, high, p_value = map(_float, (saved.value, saved.low, saved.high, saved.p_value))
    return Estimate(value, low, high, p_value)


def _evidence(saved: _Evidence) -> Evidence:
    def array(rows: list[list[Number]]) -> NDArray[np.float32]:
        return np.array(rows, dtype=np.float32).reshape(len(rows), -1)  # null becomes NaN

    rows = None if saved.rows is None else array(saved.rows).reshape(-1, _INFORMATIONS)
    return Evidence(array(saved.resampled), array(saved.learnt), rows, saved.resolution)


def _table(values: NDArray[np.float32]) -> list[list[float | None]]:
    """Return rows of numbers, with the fewest digits that reproduce the float32."""
    shortest = values.astype(str).astype(np.float64)
    return [[_number(each) for each in row] for row in shortest.tolist()]

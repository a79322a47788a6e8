"""The manifest of a run: versions, hardware, timings, hashes of stores."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

from modalprism.capture.notices import notices_in
from modalprism.foreign import redacted
from modalprism.studies.baselines import BaselineScores
from modalprism.studies.profile import FORMAT_VERSION
from modalprism.studies.study_store import StudyStore

if TYPE_CHECKING:
    from modalprism.studies.study import Study

_VERSIONED: Final = ("modalprism", "torch", "numpy", "scipy", "scikit-learn")
_INTERVALS: Final = {
    "posterior": "Intervals are 95 % and come from a first-order bootstrap over groups, with what "
    "probes of other rows, and of more rows, would read.",
    "codebook": "Intervals are 95 % and come from tables resampled over groups with the codes as "
    "they were fitted.",
}


def manifest_of(
    study: Study, stores: list[StudyStore], timings: dict[str, float], scores: BaselineScores
) -> dict[str, Any]:
    """Return the manifest of a run; `timings` are seconds by step."""
    models, datasets = (
        {name: redacted(words) for of_input in some for name, words in of_input.items()}
        for some in zip(*(given.descriptions() for given in study.sources), strict=True)
    )
    return {
        "format_version": FORMAT_VERSION,
        "title": study.title,
        "modalities": list(study.modalities),
        "seed": study.seed,
        "models": models,
        "datasets": datasets,
        "estimator": {
            "name": study.estimator,
            "folds": study.folds,
            "replicates": study.replicates,
            "permutations": study.permutations,
            "effort": study.effort,
            "base": study.base,
        },
        "versions": {name: metadata.version(name) for name in _VERSIONED}
        | {"python": platform.python_version()},
        "hardware": {"machine": platform.machine(), "cores": os.cpu_count()},
        "baselines": {
            "names": list(study.baselines.names) if study.baselines else [],
            "examples": study.baselines.examples if study.baselines else 0,
            "left_out": list(scores.left_out),
        },
        "timings": {name: round(seconds, 1) for name, seconds in timings.items()},
        "stores": {
            f"{study_store.model}/{study_store.dataset}": study_store.store.digest()
            for study_store in stores
        },
        "notices": [
            {"model": study_store.model, "dataset": study_store.dataset, **notices}
            for study_store in stores
            if (notices := notices_in(study_store.store.metadata).stored())
        ],
        "notes": [
            *([_INTERVALS[study.estimator]] if study.estimator in _INTERVALS else ()),
            "Where a layer view tests the same at several layers, q-values are those of "
            "Benjamini and Hochberg.",
            *dict.fromkeys(note for given in study.sources for note in given.notes()),
        ],
    }

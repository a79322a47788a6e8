"""The evidence of a run: one file of replicates and rows, by analysis.

It lets two runs be compared with an interval of the difference, and examples be shown by what they
tell, without any analysis done again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from safetensors import safe_open
from safetensors.numpy import load_file, save

from modalprism.errors import InputError
from modalprism.estimation.evidence import Evidence
from modalprism.files import write_whole
from modalprism.foreign import guarded, parse_json
from modalprism.strict_json import dumps

EVIDENCE_FILE: Final = "evidence.safetensors"
_INDEX: Final = "modalprism"


class AnalysisKey(NamedTuple):
    """Which analysis of a run: as in the profile's columns."""

    model: str
    dataset: str
    view: str
    pairs: str
    layer: int


@dataclass(frozen=True, eq=False)
class StoredEvidence:
    """An analysis's evidence, and a digest of its examples, their groups and the seed.

    Where two digests are the same, replicate r of one is of the same resample as replicate r of the
    other.
    """

    evidence: Evidence
    sample: str


def pack(stored: Mapping[AnalysisKey, StoredEvidence]) -> bytes:
    """Return the content of a file of evidence."""
    arrays = {}
    index = []
    for number, (place, one) in enumerate(stored.items()):
        arrays[f"{number}/resampled"] = one.evidence.resampled
        arrays[f"{number}/learnt"] = one.evidence.learnt
        if one.evidence.rows is not None:
            arrays[f"{number}/rows"] = one.evidence.rows
        index.append([*place, one.sample, one.evidence.resolution])
    content: bytes = save(arrays, {_INDEX: dumps(index)})
    return content


def unpack(path: Path) -> dict[AnalysisKey, StoredEvidence]:
    """Read a file of evidence.

    Raises
    ------
    InputError
        If it is damaged.
    """
    with guarded(path, "if it is damaged, run the study again"):
        with safe_open(path, framework="np") as file:
            index = parse_json((file.metadata() or {})[_INDEX], f"the index of {path}")
        arrays = load_file(path)
        found = {}
        for number, (model, dataset, view, pairs, layer, sample, resolution) in enumerate(index):
            if not (str(view).isalpha() and str(pairs).isalpha()):  # files are named after them
                raise ValueError(f"it has no view {view!r} of pairs {pairs!r}")
            evidence = Evidence(
                arrays[f"{number}/resampled"],
                arrays[f"{number}/learnt"],
                arrays.get(f"{number}/rows"),
                float(resolution),
            )
            found[AnalysisKey(model, dataset, view, pairs, int(layer))] = StoredEvidence(
                evidence, str(sample)
            )
        return found


def write_evidence(folder: Path, stored: Mapping[AnalysisKey, StoredEvidence]) -> None:
    """Write a run's evidence; it appears whole or not at all."""
    write_whole(folder / EVIDENCE_FILE, pack(stored))


def read_evidence(folder: Path) -> dict[AnalysisKey, StoredEvidence]:
    """Read a run's evidence.

    Raises
    ------
    InputError
        If there is none, or it is damaged.
    """
    path = folder / EVIDENCE_FILE
    if not path.is_file():
        raise InputError(
            f"{folder} has no {EVIDENCE_FILE}: it was run before comparisons could be made; run "
            "its study again"
        )
    return unpack(path)

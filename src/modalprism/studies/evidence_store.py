"""The evidence of a run: replicates and rows of each analysis, in one file.

Evidence lets two runs be compared with an interval of the difference, and examples be chosen by
their pointwise atoms, without any analysis run again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from safetensors.numpy import load, save

from modalprism.errors import InputError
from modalprism.estimation.evidence import Evidence
from modalprism.files import write_whole
from modalprism.foreign import guarded, parse_json, require_file
from modalprism.strict_json import dumps

EVIDENCE_FILE: Final = "evidence.safetensors"
_INDEX: Final = "modalprism"


class AnalysisKey(NamedTuple):
    """One analysis of a run: a view of one store at one layer, as in the profile's columns."""

    model: str
    dataset: str
    view: str
    pairs: str
    layer: int


@dataclass(frozen=True, eq=False)
class StoredEvidence:
    """An analysis's evidence, and a digest of its examples, their groups and the seed.

    Under equal digests, replicate r of one analysis is of the same resample as that of the other.
    """

    evidence: Evidence
    sample: str


def pack(stored: Mapping[AnalysisKey, StoredEvidence]) -> bytes:
    """Return the content of a file of evidence."""
    arrays = {}
    index = []
    for number, (key, one) in enumerate(stored.items()):
        arrays[f"{number}/resampled"] = one.evidence.resampled
        arrays[f"{number}/learnt"] = one.evidence.learnt
        if one.evidence.rows is not None:
            arrays[f"{number}/rows"] = one.evidence.rows
        index.append([*key, one.sample, one.evidence.resolution])
    content: bytes = save(arrays, {_INDEX: dumps(index)})
    return content


def unpack(content: bytes, what: str | Path) -> dict[AnalysisKey, StoredEvidence]:
    """Read the content of a file of evidence; an `InputError` about `what` if it is damaged."""
    with guarded(what, "if it is damaged, run the study again"):
        arrays = load(content)
        end = 8 + int.from_bytes(content[:8], "little")  # of the header of a safetensors file
        metadata = parse_json(content[8:end], f"the header of {what}")["__metadata__"]
        found = {}
        for number, (*key, sample, resolution) in enumerate(
            parse_json(metadata[_INDEX], f"the index of {what}")
        ):
            model, dataset, view, pairs, layer = key
            if not (str(view).isidentifier() and str(pairs).isidentifier()):  # they name figures
                raise ValueError(f"it has no view {view!r} of pairs {pairs!r}")
            evidence = Evidence(
                arrays[f"{number}/resampled"],
                arrays[f"{number}/learnt"],
                arrays.get(f"{number}/rows"),
                float(resolution),
            )
            place = AnalysisKey(model, dataset, view, pairs, int(layer))
            found[place] = StoredEvidence(evidence, str(sample))
        return found


def write_evidence(folder: Path, stored: Mapping[AnalysisKey, StoredEvidence]) -> None:
    """Write a run's evidence; the file appears whole or not at all."""
    write_whole(folder / EVIDENCE_FILE, pack(stored))


def read_evidence(folder: Path) -> dict[AnalysisKey, StoredEvidence]:
    """Read a run's evidence; an `InputError` if there is none, or it is damaged."""
    path = folder / EVIDENCE_FILE
    if not path.is_file():
        raise InputError(
            f"{folder} has no {EVIDENCE_FILE}: it was run before comparisons could be made; run "
            "its study again"
        )
    with guarded(path):
        return unpack(require_file(path).read_bytes(), path)

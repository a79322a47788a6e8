"""Verdicts about one case that whole intervals permit: largest atom, contribution, streams.

Sentences about one case and sentences about many share them.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from modalprism.plotting.courses import FusionSpan, fusion_span
from modalprism.results.estimate import Estimate
from modalprism.results.quantities import ATOMS, keys, title
from modalprism.results.table import Case, Table


class Lean(Enum):
    """The modality that contributes more of the unique information."""

    FIRST = "the first"
    SECOND = "the second"
    NEITHER = "neither, within the interval"
    UNDETERMINED = "undetermined"
    UNBOUNDED = "there is no interval"
    UNMEASURED = "not measured"


class Largest(NamedTuple):
    """The atom with the largest value, and the atoms that it may not exceed."""

    name: str  # ``redundancy``, ``unique`` and its modality, or ``synergy``
    atom: Estimate
    part: Estimate | None  # its part of the information
    rivals: tuple[str, ...]  # the atoms whose intervals it does not lie above
    some_positive: bool  # whether any atom is above zero

    @property
    def unrivalled(self) -> bool:
        """Whether it is above zero, and its whole interval above that of every other atom."""
        return self.atom.positive and not self.rivals


class Exchange(NamedTuple):
    """Change of two streams from the first depth to the last."""

    falls: tuple[str, ...]  # the atoms that are lower at the last depth than at the first
    rises: tuple[str, ...]  # those that are higher
    ends: dict[str, tuple[Estimate, Estimate]]  # each atom at the first and at the last depth
    still: bool  # whether no atom differs from that at the first depth anywhere
    span: FusionSpan | None  # where the streams fuse; None where no exchange is seen


def main_cases(results: Table) -> list[Case]:
    """Return the case that represents each model on each dataset.

    Redrawn pairs do where the study has them: their atoms come from the model's own answers,
    without a probe.
    """
    # Observed come before redrawn, so redrawn stay.
    return list({case.place: case for case in results.cases("answer")}.values())


def unlearnt(results: Table, case: Case) -> bool:
    """Whether the accuracy of a case was measured and is not above chance."""
    skill = results.skill(case)
    return skill is not None and not skill.above_chance


def atom_names(results: Table) -> tuple[str, str, str, str]:
    """Name the four atoms in order, each unique one with its modality."""
    redundancy, first, second, synergy = map(title, keys(ATOMS, results.modalities))
    return redundancy, first, second, synergy


def lean(results: Table, case: Case) -> Lean:
    """Return which modality contributes more of the unique information of an answer."""
    estimate = results.get(case, "answer", "contribution", results.modalities[0])
    if estimate is None:
        return Lean.UNMEASURED
    if not estimate.determined:
        return Lean.UNDETERMINED
    if estimate.above(0.5):
        return Lean.FIRST
    if estimate.complement.above(0.5):
        return Lean.SECOND
    return Lean.NEITHER if estimate.bounded else Lean.UNBOUNDED


def largest(results: Table, case: Case) -> Largest | None:
    """Return the largest atom of an answer; None where no atom is determined."""
    known = _known_atoms(results, case)
    if not known:
        return None
    name, most = max(known.items(), key=lambda item: item[1].value)
    rivals = tuple(other for other, atom in known.items() if other != name and not most.above(atom))
    some_positive = any(atom.positive for atom in known.values())
    return Largest(name, most, part_of_all(results, case, name), rivals, some_positive)


def smaller(results: Table, case: Case, name: str) -> bool:
    """Whether another atom of an answer is surely larger than the named one."""
    known = _known_atoms(results, case)
    return name in known and any(atom.above(known[name]) for atom in known.values())


def part_of_all(results: Table, case: Case, name: str) -> Estimate | None:
    """Return an atom's part of the information behind an answer, by the atom's name."""
    quantity, _, modality = name.partition(" ")
    return results.get(case, "answer", f"{quantity}_fraction", modality)


def exchange(results: Table, case: Case) -> Exchange | None:
    """Compare the streams' depths; None where some depth has no interval to compare."""
    courses: dict[str, list[Estimate]] = {}
    for name, course in zip(atom_names(results), results.courses(case, "stream"), strict=True):
        courses[name] = [r for r in course if r is not None and r.bounded]
        if len(courses[name]) < len(course):
            return None
    falls = tuple(name for name, course in courses.items() if course[0].above(course[-1]))
    rises = tuple(name for name, course in courses.items() if course[-1].above(course[0]))
    fuses = "redundancy" in rises and bool(falls)
    return Exchange(
        falls,
        rises,
        {name: (course[0], course[-1]) for name, course in courses.items()},
        all(r.overlaps(course[0]) for course in courses.values() for r in course),
        fusion_span(results, case) if fuses else None,
    )


def _known_atoms(results: Table, case: Case) -> dict[str, Estimate]:
    atoms = zip(atom_names(results), results.atoms(case, "answer"), strict=True)
    return {name: atom for name, atom in atoms if atom is not None and atom.determined}

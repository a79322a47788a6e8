"""Headlines: what a run shows, in a few sentences over all its models and datasets.

Each sentence names the models and datasets for which it holds, and claims only what whole intervals
permit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, NamedTuple

from modalprism.plotting.courses import FusionSpan
from modalprism.reports.groups import Group, Mark, Place, groups, listed, where
from modalprism.reports.verdicts import (
    Lean,
    atom_names,
    exchange,
    largest,
    lean,
    main_cases,
    part_of_all,
    smaller,
    unlearnt,
)
from modalprism.results.notation import written_range
from modalprism.results.table import VIEW_TITLES, Case, Table

_MOST_GROUPS: Final = 4  # of more, the largest are written and the rest counted
_MOST_DENIED: Final = 3  # a longer list of exceptions is left out
_NOT_UNIQUE: Final = ("redundancy", "synergy")
_NO_LARGEST: Final = "No atom can be told to be the largest"
_NOTHING: Final = "No atom is above zero within its interval"
_NO_INTERVAL: Final = "Without intervals nothing can be compared"


def headlines(results: Table) -> list[str]:
    """Return what holds for which models on which datasets: answers first, then streams.

    A few sentences, with the claim before the colon. Where the modalities are copies of each other,
    or nothing shows that a dataset was learnt, the first sentences state it, and it is counted
    nowhere else. Redrawn pairs represent a case where there are any.
    """
    answers = _Answers(results)
    streams = {
        case.place: case
        for case in results.cases("stream")
        if len(results.layers(case, "stream")) > 1
        and not unlearnt(results, case)
        and not results.copied(case, "stream")
    }
    everything = {case.place for case in results.cases("stream")}
    sentences = [*answers.by_largest(), *answers.without_synergy(), *answers.with_other_pairs()]
    sentences += _streams(results, streams, everything)
    return [*_copies(results), *answers.unlearnt(sentences), *sentences]


def _copies(results: Table) -> list[str]:
    """Name the models and datasets whose modalities are copies of each other."""
    everything = [(view, case) for view in VIEW_TITLES for case in results.cases(view)]
    marks: dict[Place, tuple[str, ...]] = {}
    for view, case in everything:
        if results.copied(case, view):
            of = f" of {case.pairs} pairs" if len(results.pairs(view)) > 1 else ""
            marks[case.place] = (*marks.get(case.place, ()), f"{view} view{of}")
    if not marks:
        return []
    known = {case.place for _, case in everything}
    places = _phrases(groups(marks), lambda g: f"{where(g, known)} ({listed(g.mark)})")
    first, second = results.modalities
    return [
        f"The {first} and the {second} are copies of each other: {places}. They have the same "
        "columns, so that their atoms say nothing of two modalities."
    ]


class _Mark(NamedTuple):
    """The properties by which answers are grouped into one phrase."""

    pairs: str
    aside: Lean | None = None  # their contribution, where it is the same for the whole dataset
    denied: tuple[str, ...] = ()  # models for which the claim is false
    name: str = ""


class _Answers:
    """The answers of a run, one per model and dataset."""

    def __init__(self, results: Table) -> None:
        self.results = results
        self.cases = {case.place: case for case in main_cases(results)}
        two = {p: c for p, c in self.cases.items() if not results.copied(c, "answer")}
        self.lost = {p: None for p, case in two.items() if unlearnt(results, case)}
        self.learnt = {p: case for p, case in two.items() if p not in self.lost}
        self.leans = {place: lean(results, case) for place, case in self.learnt.items()}
        self.verdicts = {place: self._verdict(case) for place, case in self.learnt.items()}

    def unlearnt(self, follows: Sequence[str]) -> list[str]:
        """Name the answers whose accuracy is not above chance."""
        if not self.lost:
            return []
        places = _phrases(groups(self.lost), lambda group: where(group, self.cases))
        out = ", so it is left out of what follows" if follows else ""
        return [f"Accuracy is not above chance: {places}. Nothing shows that this was learnt{out}."]

    def by_largest(self) -> list[str]:
        """Group the answers by their largest atom, or by why it is not determined."""
        first, second = self.results.modalities
        redundancy, unique_first, unique_second, synergy = atom_names(self.results)
        claims = {
            unique_first: f"The answer leans on the {first} ({unique_first} is the largest atom)",
            unique_second: f"The answer leans on the {second} "
            f"({unique_second} is the largest atom)",
            synergy: f"The answer needs both {first} and {second} (synergy is the largest atom)",
            redundancy: f"The {first} and the {second} tell the same "
            "(redundancy is the largest atom)",
            **{words: words for words in (_NO_LARGEST, _NOTHING, _NO_INTERVAL)},
        }
        return [
            self._sentence(claim, verdict)
            for verdict, claim in claims.items()
            if verdict in self.verdicts.values()
        ]

    def without_synergy(self) -> list[str]:
        """State that synergy is not the largest atom, if that holds for every answer."""
        smallest = all(smaller(self.results, case, "synergy") for case in self.learnt.values())
        if not self.learnt or not smallest:
            return []
        found = groups({place: _Mark(case.pairs) for place, case in self.learnt.items()})
        places = self._places(found, lambda group: self._part(group, "synergy"))
        return [f"Synergy is not the largest atom: {places}."]

    def with_other_pairs(self) -> list[str]:
        """Name the answers whose largest atom differs with the other kind of pairs."""
        marks: dict[Place, _Mark] = {}
        for case in self.results.cases("answer"):
            main, other = self.verdicts.get(case.place), self._verdict(case)
            one_of = {main, other} <= set(atom_names(self.results))
            if other != main and one_of and not self.results.copied(case, "answer"):
                marks[case.place] = _Mark(case.pairs, name=other)
        kinds = dict.fromkeys(mark.pairs for mark in marks.values())
        sentences = []
        for pairs in kinds:
            found = groups({place: mark for place, mark in marks.items() if mark.pairs == pairs})
            text = _phrases(found, lambda g: f"{g.mark.name} {where(g, self.cases)}")
            meant = " (the examples as they are)" if pairs == "observed" else ""
            sentences.append(f"With {pairs} pairs{meant} the largest atom is another: {text}.")
        return sentences

    def _verdict(self, case: Case) -> str:
        found = largest(self.results, case)
        if found is None:
            return _NO_LARGEST
        if not found.atom.bounded:
            return _NO_INTERVAL
        if not found.some_positive:
            return _NOTHING
        return found.name if found.unrivalled else _NO_LARGEST

    def _sentence(self, claim: str, verdict: str) -> str:
        true_of = [place for place, found in self.verdicts.items() if found == verdict]
        leans: dict[str, set[Lean]] = {}
        for place in true_of:
            leans.setdefault(place[1], set()).add(self.leans[place])
        marks: dict[Place, _Mark] = {}
        for place in true_of:
            alike = leans[place[1]] if verdict in (*_NOT_UNIQUE, _NO_LARGEST) else ()
            aside = next(iter(alike)) if len(alike) == 1 else None
            denied = tuple(
                model
                for (model, dataset), case in self.learnt.items()
                if dataset == place[1] and smaller(self.results, case, verdict)
            )
            marks[place] = _Mark(self.cases[place].pairs, aside, denied)
        places = self._places(groups(marks), lambda group: self._numbers(group, verdict))
        return f"{claim}: {places}."

    def _places(self, found: Sequence[Group[_Mark]], numbers: Callable[[Group[_Mark]], str]) -> str:
        """Write the groups, their numbers, and the kind of pairs: once where all have the same."""
        kinds = {case.pairs for case in self.cases.values()}
        pairs = f" ({next(iter(kinds))} pairs)" if len(kinds) == 1 and "" not in kinds else ""

        def phrase(group: Group[_Mark]) -> str:
            denied = group.mark.denied
            but = f" (not in {listed(denied)})" if 0 < len(denied) <= _MOST_DENIED else ""
            kind = f" ({group.mark.pairs} pairs)" if group.mark.pairs and len(kinds) > 1 else ""
            parts = (where(group, self.cases) + but + kind, numbers(group))
            return ", ".join(part for part in parts if part)

        return _phrases(found, phrase) + pairs

    def _numbers(self, group: Group[_Mark], verdict: str) -> str:
        first, second = self.results.modalities
        for modality in (first, second):
            if verdict == f"unique {modality}":
                return f"with {self._contribution(group, modality) or self._part(group, verdict)}"
        asides = {
            None: "",
            Lean.FIRST: f"the {first} contributing {self._contribution(group, first)}",
            Lean.SECOND: f"the {second} contributing {self._contribution(group, second)}",
            Lean.NEITHER: "neither modality contributing more within the interval",
            Lean.UNDETERMINED: "the contribution undetermined",
        }
        aside = asides.get(group.mark.aside, "")
        part = self._part(group, verdict) if verdict in _NOT_UNIQUE else ""
        return ", ".join(words for words in (part, aside) if words)

    def _contribution(self, group: Group[_Mark], modality: str) -> str:
        found = [
            self.results.get(self.cases[place], "answer", "contribution", modality)
            for place in group.places
        ]
        known = [estimate for estimate in found if estimate is not None and estimate.determined]
        if len(known) < len(found):
            return ""
        return f"{written_range(known, percent=True)} of the unique information"

    def _part(self, group: Group[_Mark], name: str) -> str:
        """Write an atom's part of the information; the atom itself where that is no part."""
        cases = [self.cases[place] for place in group.places]
        parts = [part_of_all(self.results, case, name) for case in cases]
        known = [part for part in parts if part is not None and part.value <= 1]
        if len(known) == len(cases):
            return f"{written_range(known, percent=True)} of the information"
        index = atom_names(self.results).index(name)
        atoms = [self.results.atoms(case, "answer")[index] for case in cases]
        return written_range([atom for atom in atoms if atom is not None])


def _streams(
    results: Table, cases: Mapping[Place, Case], everything: Collection[Place]
) -> list[str]:
    """Name the streams that fuse, those without exchange, and those that cannot be compared."""
    fused: dict[Place, FusionSpan] = {}
    apart: dict[Place, None] = {}
    unknown: dict[Place, None] = {}
    for place, case in cases.items():
        found = exchange(results, case)
        if found is None:
            unknown[place] = None
        elif found.span is None:
            apart[place] = None
        else:
            fused[place] = found.span
    parts = []
    if fused:
        # Over its datasets a model fuses within one range of layers: that is what a reader asks.
        ranges = {
            model: FusionSpan(
                min(span.first for (m, _), span in fused.items() if m == model),
                max(span.last for (m, _), span in fused.items() if m == model),
            )
            for model, _ in fused
        }
        found_groups = groups({place: ranges[place[0]] for place in fused})
        text = _phrases(found_groups, lambda g: f"{where(g, everything)}, {_within(g.mark)}")
        parts.append(f"The streams fuse (redundancy rises as another atom falls): {text}")
    if apart:
        text = _phrases(groups(apart), lambda group: where(group, everything, "any"))
        start = "no exchange is seen" if fused else "No exchange between the streams is seen:"
        parts.append(f"{start} {text}")
    if unknown:
        text = _phrases(groups(unknown), lambda group: where(group, everything))
        start = "depths without intervals" if parts else "Depths without intervals"
        parts.append(f"{start} cannot be compared: {text}")
    return [f"{'; '.join(parts)}."] if parts else []


def _phrases(found: Sequence[Group[Mark]], phrase: Callable[[Group[Mark]], str]) -> str:
    sentences = [phrase(group) for group in found[:_MOST_GROUPS]]
    more = sum(len(group.places) for group in found[_MOST_GROUPS:])
    return "; ".join([*sentences, f"and in {more} more cases"] if more else sentences)


def _within(span: FusionSpan) -> str:
    return f"{'in' if span.first == span.last else 'within'} {span}"

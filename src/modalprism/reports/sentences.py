"""Sentences about a profile, case by case.

"More", "largest", "falls" and "rises" are written only where intervals do not overlap.
"""

from __future__ import annotations

from modalprism.reports.groups import listed
from modalprism.reports.headlines import headlines
from modalprism.reports.verdicts import Lean, exchange, largest, lean, main_cases, unlearnt
from modalprism.results.estimate import Estimate
from modalprism.results.notation import number, written
from modalprism.results.table import Case, Table


def summary_sentences(results: Table, most: int | None = None) -> list[str]:
    """Describe the answer and the stream view of a profile.

    First what is true of all models and datasets together (`headlines`), then the answer view and
    the stream view of each. Where there would be more than `most` sentences, those about single
    cases are left out.
    """
    over_all = headlines(results)
    cases = answer_sentences(results) + stream_sentences(results)
    return over_all if most is not None and len(over_all + cases) > most else over_all + cases


def answer_sentences(results: Table) -> list[str]:
    """Describe for each model and dataset what the answer takes from each modality.

    Redrawn pairs are used where the study has them: their atoms come from the model's own answers,
    without a probe.
    """
    return [_answer(results, case) for case in main_cases(results)]


def stream_sentences(results: Table) -> list[str]:
    """Describe for each model and dataset whether the two streams exchange information."""
    datasets_of: dict[tuple[str, str], list[str]] = {}  # by model and sentence
    for case in results.cases("stream"):
        if len(results.layers(case, "stream")) > 1:
            datasets_of.setdefault((case.model, _stream(results, case)), []).append(case.dataset)
    return [
        f"{model} on {listed(list(dict.fromkeys(datasets)))}: {text}"
        for (model, text), datasets in datasets_of.items()
    ]


def _answer(results: Table, case: Case) -> str:
    if results.copied(case, "answer"):
        return f"{case.name}: {_copies(results)}"
    parts = []
    skill = results.skill(case)
    if skill is not None and unlearnt(results, case):
        parts.append(
            f"accuracy {written(skill.accuracy)} is not above chance, "
            f"{number(skill.chance.value)}: nothing shows that the network has "
            "learnt this dataset, and its atoms describe that"
        )
    pairs = f" ({case.pairs} pairs)" if case.pairs else ""
    parts += [_contribution(results, case) + pairs, _largest(results, case)]
    synergy = results.get(case, "answer", "synergy")
    if (
        synergy is not None
        and synergy.determined
        and "synergy" not in parts[-1]
        and not parts[-1].startswith("no atom")
    ):
        parts.append(f"synergy {written(synergy)}{_doubt(synergy)}")
    return f"{case.name}: {'; '.join(part for part in parts if part)}."


def _contribution(results: Table, case: Case) -> str:
    first, second = results.modalities
    estimate = results.get(case, "answer", "contribution", first)
    if estimate is None:
        return "the contribution was not measured"
    found = lean(results, case)
    if found is Lean.UNDETERMINED:
        return (
            "the contribution is undetermined, "
            "for the unique information is not distinguishable from zero"
        )
    whose, part = first, written(estimate, percent=True)
    if found is Lean.SECOND:
        whose, part = second, written(estimate.complement, percent=True)
    if found is Lean.NEITHER:
        return (
            "neither modality contributes more within the interval: "
            f"the {whose} {part} of the unique information"
        )
    without = " (no interval)" if found is Lean.UNBOUNDED else ""
    return f"the {whose} contributes {part} of the unique information{without}"


def _largest(results: Table, case: Case) -> str:
    found = largest(results, case)
    if found is None:
        return ""
    if not found.atom.bounded:
        return f"the largest value is {found.name}, {written(found.atom)} (no interval)"
    if not found.some_positive:
        return "no atom is above zero within its interval"
    if found.unrivalled:
        # More than all of it, where another atom is below zero, is no part.
        part = found.part
        share = (
            f", {written(part, percent=True)} of the information"
            if part and part.value <= 1
            else ""
        )
        return f"the largest atom is {found.name}, {written(found.atom)}{share}"
    text = f"the largest value is {found.name}, {written(found.atom)}"
    if found.rivals:
        return f"{text}, not told apart from {listed(found.rivals)}"
    return text + _doubt(found.atom)


def _copies(results: Table) -> str:
    first, second = results.modalities
    return (
        f"the {first} and the {second} are copies of each other, so that the atoms say nothing of "
        "two modalities."
    )


def _stream(results: Table, case: Case) -> str:
    if results.copied(case, "stream"):
        return _copies(results)
    layers = results.layers(case, "stream")
    start, end = (f"“{results.layer_name(case, 'stream', k)}”" for k in (layers[0], layers[-1]))
    found = exchange(results, case)
    if found is None:
        return "depths cannot be compared, for some have no interval."
    if not found.falls and not found.rises:
        if found.still:
            same = f"stay the same from {start} to {end} within the intervals"
        else:
            same = f"are the same at {start} and {end} within the intervals, but not at every depth"
        return f"no exchange seen: all four atoms {same}."
    moves = [
        f"{name} {'falls' if name in found.falls else 'rises'} "
        f"from {written(at_first)} to {written(at_last)}"
        for name, (at_first, at_last) in found.ends.items()
        if name in found.falls or name in found.rises
    ]
    text = f"between {start} and {end}, {listed(moves)}"
    if found.span is not None:
        return f"{text}: the streams fuse in {found.span}."
    return f"{text}; an exchange, other atoms turning into redundancy, is not seen."


def _doubt(estimate: Estimate) -> str:
    if not estimate.bounded:
        return " (no interval)"
    if estimate.high < 0:
        return ", below zero: an error of estimation"
    return "" if estimate.positive else ", not distinguishable from zero"

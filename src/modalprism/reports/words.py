"""A profile in sentences, each claiming only what the intervals permit.

"More", "largest", "falls" and "rises" are said where intervals do not overlap, and nowhere else.
"""

from __future__ import annotations

from modalprism.plotting.notation import amount, interval, number, percent
from modalprism.plotting.reading import Reading
from modalprism.plotting.readings import Case, Readings
from modalprism.reports.groups import listed
from modalprism.reports.headlines import headlines
from modalprism.reports.verdicts import Lean, exchange, largest, lean, speaking, unlearnt
from modalprism.studies.profile import Profile


def summary_sentences(profile: Profile, most: int | None = None) -> list[str]:
    """Put the answer and the stream view of a profile into words.

    Parameters
    ----------
    profile : Profile
        The profile of a run.
    most : int, optional
        Where there would be more sentences than this, those about single cases are left out.

    Returns
    -------
    list of str
        First what is true of all models and datasets together (`headlines`), then the answer view
        and the stream view of each.
    """
    over_all = headlines(Readings(profile))
    cases = answer_sentences(profile) + stream_sentences(profile)
    return over_all if most is not None and len(over_all + cases) > most else over_all + cases


def answer_sentences(profile: Profile) -> list[str]:
    """Say for each model and dataset what the answer takes from each modality.

    Parameters
    ----------
    profile : Profile
        The profile of a run. Redrawn pairs speak where the study has them: their atoms come from
        the model's own answers, without a probe.
    """
    readings = Readings(profile)
    return [_answer(readings, case) for case in speaking(readings)]


def stream_sentences(profile: Profile) -> list[str]:
    """Say for each model and dataset whether the two streams exchange information.

    Parameters
    ----------
    profile : Profile
        The profile of a run.
    """
    readings = Readings(profile)
    said: dict[tuple[str, str], list[str]] = {}  # datasets by model and by what is said of them
    for case in readings.cases("stream"):
        if len(readings.layers(case, "stream")) > 1:
            said.setdefault((case.model, _stream(readings, case)), []).append(case.dataset)
    return [
        f"{model} on {listed(list(dict.fromkeys(datasets)))}: {text}"
        for (model, text), datasets in said.items()
    ]


def _answer(readings: Readings, case: Case) -> str:
    if readings.copied(case, "answer"):
        return f"{case.name}: {_copies(readings)}"
    parts = []
    skill = readings.skill(case.model, case.dataset)
    if skill is not None and unlearnt(readings, case):
        accuracy = f"{number(skill.accuracy.value)} {interval(skill.accuracy)}".rstrip()
        parts.append(
            f"accuracy {accuracy} is not above chance, {number(skill.chance.value)}: nothing shows "
            "that the network has learnt this dataset, and its atoms describe that"
        )
    pairs = f" ({case.pairs} pairs)" if case.pairs else ""
    parts += [_contribution(readings, case) + pairs, _largest(readings, case)]
    synergy = readings.get(case, "answer", "synergy")
    if synergy is not None and synergy.determined and not _told(parts[-1]):
        parts.append(f"synergy {amount(synergy)}{_doubt(synergy)}")
    return f"{case.name}: {'; '.join(part for part in parts if part)}."


def _told(largest_atom: str) -> bool:
    """Whether the sentence about the largest atom has already spoken of synergy."""
    return "synergy" in largest_atom or largest_atom.startswith("no atom")


def _contribution(readings: Readings, case: Case) -> str:
    first, second = readings.modalities
    reading = readings.get(case, "answer", "contribution", first)
    if reading is None:
        return "the contribution was not measured"
    found = lean(readings, case)
    if found is Lean.UNDETERMINED:
        return (
            "the contribution is undetermined, "
            "for the unique information is not distinguishable from zero"
        )
    if found is Lean.FIRST:
        return f"the {first} contributes {percent(reading)} of the unique information"
    if found is Lean.SECOND:
        return f"the {second} contributes {percent(reading.complement)} of the unique information"
    if found is Lean.UNBOUNDED:
        return f"the {first} contributes {percent(reading)} of the unique information (no interval)"
    return (
        "neither modality contributes more within the interval: "
        f"the {first} {percent(reading)} of the unique information"
    )


def _largest(readings: Readings, case: Case) -> str:
    found = largest(readings, case)
    if found is None:
        return ""
    if not found.atom.bounded:
        return f"the largest value is {found.name}, {amount(found.atom)} (no interval)"
    if not found.some_positive:
        return "no atom is above zero within its interval"
    if found.told:
        # More than all of it, where another atom is below zero, is no part.
        part = found.part
        said = f", {percent(part)} of the information" if part and part.value <= 1 else ""
        return f"the largest atom is {found.name}, {amount(found.atom)}{said}"
    text = f"the largest value is {found.name}, {amount(found.atom)}"
    if found.rivals:
        return f"{text}, not told apart from {listed(found.rivals)}"
    return text + _doubt(found.atom)


def _copies(readings: Readings) -> str:
    first, second = readings.modalities
    return (
        f"the {first} and the {second} are copies of each other, so that the atoms say nothing of "
        "two modalities."
    )


def _stream(readings: Readings, case: Case) -> str:
    if readings.copied(case, "stream"):
        return _copies(readings)
    layers = readings.layers(case, "stream")
    start, end = (f"“{readings.layer_name(case, 'stream', k)}”" for k in (layers[0], layers[-1]))
    found = exchange(readings, case)
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
        f"from {amount(at_first)} to {amount(at_last)}"
        for name, (at_first, at_last) in found.ends.items()
        if name in found.falls or name in found.rises
    ]
    text = f"between {start} and {end}, {listed(moves)}"
    if found.span is not None:
        return f"{text}: the streams fuse in {found.span}."
    return f"{text}; an exchange, other atoms turning into redundancy, is not seen."


def _doubt(reading: Reading) -> str:
    if not reading.bounded:
        return " (no interval)"
    if reading.high < 0:
        return ", below zero: an error of estimation"
    return "" if reading.positive else ", not distinguishable from zero"

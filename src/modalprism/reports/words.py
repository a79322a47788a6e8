"""A profile in sentences, each claiming only what the intervals permit.

"More", "largest", "falls" and "rises" are said where intervals do not overlap, and nowhere else.
"""

from __future__ import annotations

from modalprism.look.fusion import fusion_span
from modalprism.look.notation import amount, interval, number, percent
from modalprism.look.reading import Reading
from modalprism.look.readings import Case, Readings
from modalprism.studies.profile import Profile


def summary_sentences(profile: Profile) -> list[str]:
    """Put the answer and the stream view of a profile into words.

    Parameters
    ----------
    profile : Profile
        The profile of a run.

    Returns
    -------
    list of str
        First the answer view, one sentence for all and one for each model and dataset, then the
        stream view.
    """
    return answer_sentences(profile) + stream_sentences(profile)


def answer_sentences(profile: Profile) -> list[str]:
    """Say for each model and dataset what the answer takes from each modality.

    Parameters
    ----------
    profile : Profile
        The profile of a run. Redrawn pairs speak where the study has them: their atoms come from
        the model's own answers, without a probe.
    """
    readings = Readings(profile)
    chosen: dict[tuple[str, str], Case] = {}
    for case in readings.cases("answer"):  # observed come before redrawn, so redrawn stay
        chosen[case.model, case.dataset] = case
    if not chosen:
        return []
    cases = list(chosen.values())
    sentences = [_answer(readings, case) for case in cases]
    return [_overview(readings, cases), *sentences] if len(cases) > 1 else sentences


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
        f"{model} on {_listed(list(dict.fromkeys(datasets)))}: {text}"
        for (model, text), datasets in said.items()
    ]


def _overview(readings: Readings, cases: list[Case]) -> str:
    first, second = readings.modalities
    said = dict.fromkeys(
        (
            f"the {first} contributes more in",
            f"the {second} contributes more in",
            "neither contributes more, within the interval, in",
            "the contribution is undetermined in",
            "the accuracy is not above chance in",
        ),
        0,
    )
    ahead_first, ahead_second, neither, undetermined, unlearnt = said
    for case in cases:
        reading = readings.get(case, "answer", "contribution", first)
        skill = readings.skill(case.model, case.dataset)
        said[unlearnt] += skill is not None and not skill.above_chance
        if reading is None:
            continue
        if not reading.determined:
            said[undetermined] += 1
        elif reading.above(0.5):
            said[ahead_first] += 1
        elif reading.complement.above(0.5):
            said[ahead_second] += 1
        else:
            said[neither] += 1
    parts = [f"{words} {count}" for words, count in said.items() if count]
    pairs = {case.pairs for case in cases}
    kind = f", {pairs.pop()} pairs" if len(pairs) == 1 and "" not in pairs else ""
    return f"Of {len(cases)} answers (model × dataset{kind}): {'; '.join(parts)}."


def _answer(readings: Readings, case: Case) -> str:
    parts = []
    skill = readings.skill(case.model, case.dataset)
    if skill is not None and not skill.above_chance:
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


def _told(largest: str) -> bool:
    """Whether the sentence about the largest atom has already spoken of synergy."""
    return "synergy" in largest or largest.startswith("no atom")


def _contribution(readings: Readings, case: Case) -> str:
    first, second = readings.modalities
    reading = readings.get(case, "answer", "contribution", first)
    if reading is None:
        return "the contribution was not measured"
    if not reading.determined:
        return (
            "the contribution is undetermined, "
            "for the unique information is not distinguishable from zero"
        )
    if reading.above(0.5):
        return f"the {first} contributes {percent(reading)} of the unique information"
    if reading.complement.above(0.5):
        return f"the {second} contributes {percent(reading.complement)} of the unique information"
    if not reading.bounded:
        return f"the {first} contributes {percent(reading)} of the unique information (no interval)"
    return (
        "neither modality contributes more within the interval: "
        f"the {first} {percent(reading)} of the unique information"
    )


def _largest(readings: Readings, case: Case) -> str:
    first, second = readings.modalities
    names = {
        "redundancy": ("redundancy_fraction", ""),
        f"unique {first}": ("unique_fraction", first),
        f"unique {second}": ("unique_fraction", second),
        "synergy": ("synergy_fraction", ""),
    }
    atoms = zip(names, readings.atoms(case, "answer"), strict=True)
    known = [(name, atom) for name, atom in atoms if atom is not None and atom.determined]
    if not known:
        return ""
    name, most = max(known, key=lambda item: item[1].value)
    if not most.bounded:
        return f"the largest value is {name}, {amount(most)} (no interval)"
    if not any(atom.positive for _, atom in known):
        return "no atom is above zero within its interval"
    rivals = [other for other, atom in known if other != name and not most.above(atom)]
    if most.positive and not rivals:
        part = readings.get(case, "answer", *names[name])
        # More than all of it, where another atom is below zero, is no part.
        said = f", {percent(part)} of the information" if part and part.value <= 1 else ""
        return f"the largest atom is {name}, {amount(most)}{said}"
    text = f"the largest value is {name}, {amount(most)}"
    return f"{text}, not told apart from {_listed(rivals)}" if rivals else text + _doubt(most)


def _stream(readings: Readings, case: Case) -> str:
    layers = readings.layers(case, "stream")
    start, end = (f"“{readings.layer_name(case, 'stream', k)}”" for k in (layers[0], layers[-1]))
    first, second = readings.modalities
    names = ("redundancy", f"unique {first}", f"unique {second}", "synergy")
    courses: dict[str, list[Reading]] = {}
    for index, name in enumerate(names):
        course = [readings.atoms(case, "stream", layer)[index] for layer in layers]
        courses[name] = [r for r in course if r is not None and r.bounded]
        if len(courses[name]) < len(layers):
            return "depths cannot be compared, for some have no interval."
    falls = [name for name, course in courses.items() if course[0].above(course[-1])]
    rises = [name for name, course in courses.items() if course[-1].above(course[0])]
    if not falls and not rises:
        if all(r.overlaps(course[0]) for course in courses.values() for r in course):
            same = f"stay the same from {start} to {end} within the intervals"
        else:
            same = f"are the same at {start} and {end} within the intervals, but not at every depth"
        return f"no exchange seen: all four atoms {same}."
    moves = [
        f"{name} {'falls' if name in falls else 'rises'} "
        f"from {amount(course[0])} to {amount(course[-1])}"
        for name, course in courses.items()
        if name in falls or name in rises
    ]
    text = f"between {start} and {end}, {_listed(moves)}"
    if "redundancy" in rises and any(name != "redundancy" for name in falls):
        return f"{text}: the streams fuse in {fusion_span(readings, case)}."
    return f"{text}; an exchange, other atoms turning into redundancy, is not seen."


def _doubt(reading: Reading) -> str:
    if not reading.bounded:
        return " (no interval)"
    if reading.high < 0:
        return ", below zero: an error of estimation"
    return "" if reading.positive else ", not distinguishable from zero"


def _listed(words: list[str]) -> str:
    """Join words as a list in a sentence.

    Examples
    --------
    >>> _listed(["a"]), _listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"

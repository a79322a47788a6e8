"""Warnings about numbers that should not be trusted without more."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final

from modalprism.capture.notices import Notices
from modalprism.plotting.glyphs import font_caution
from modalprism.results.notation import counts, number
from modalprism.results.table import VIEW_TITLES, Table

FEW_EXAMPLES: Final = 200
WIDE_GAP_BITS: Final = 0.01
LOW_RECOVERY: Final = 0.5
MUCH_BY_CODES: Final = 0.1
FAR_MOVED: Final = 0.1
# With fewer no test rejects at 5 %: the smallest p-values are 2/(1 + replicates), 1/(1 + draws).
FEWEST: Final = {"replicates": 39, "permutations": 19}
_NAMED: Final = 6  # a longer list of cases is cut and counted


def cautions(results: Table) -> list[str]:
    """List the warnings that the numbers of a profile call for.

    One sentence per kind of warning, with the cases it concerns; empty if there is none.
    """
    found = [
        f"{case}: {sentence}"
        for case, notices in notices_of(results).items()
        for sentence in notices.sentences()
    ]
    found += _answers(results)
    found += embedding_faults(results)
    if far := _beyond(results, "matching_distance", FAR_MOVED):
        found.append(
            f"Probes were poorly calibrated: {_valued(far)}. Matching them to the answers moved "
            f"more than {100 * FAR_MOVED:.0f} % of their probability; more examples would help."
        )
    if moved := _beyond(results, "code_sensitivity", MUCH_BY_CODES):
        names = {name.removesuffix(" (encoding)"): value for name, value in moved.items()}
        found.append(
            f"The number of codes matters in the encoding view: {_valued(names)}. With half or "
            "double the codes an atom's part of the information moves by more than "
            f"{MUCH_BY_CODES:.1f}."
        )
    limit = WIDE_GAP_BITS * (math.log(2) if results.unit() == "nat" else 1)
    if wide := _beyond(results, "redundancy", limit, of="gap"):
        found.append(
            f"The solver stopped early: its proven error reaches {max(wide.values()):.2g} "
            f"{results.unit()}, more than {limit:.2g}: {_cases(wide)}."
        )
    smallest, largest = results.sizes()
    if smallest and smallest < FEW_EXAMPLES:
        found.append(f"Few examples ({counts(smallest, largest)}): intervals are wide and rough.")
    return found + _few_draws(results) + _fonts(results)


def _answers(results: Table) -> list[str]:
    """Return the warnings about answers that were not learnt, are undetermined, or not read."""
    undetermined: dict[str, list[str]] = {}
    unlearnt, unread = [], []
    for case in results.cases("answer"):
        contribution = results.get(case, "answer", "contribution", results.modalities[0])
        if contribution is not None and not contribution.determined:
            undetermined.setdefault(case.name, []).extend([case.pairs] if case.pairs else [])
        skill = results.skill(case)
        if skill is not None and not skill.above_chance:
            unlearnt.append(case.name)
        recovered = results.get(case, "answer", "recovered")
        if recovered is not None and recovered.value < LOW_RECOVERY:
            unread.append(f"{case.name} ({number(recovered.value)})")
    found = []
    if unlearnt:
        found.append(
            f"Accuracy is not above chance: {_cases(unlearnt)}. "
            "The atoms then describe a network that nothing shows to have learnt its dataset."
        )
    if undetermined:
        names = [f"{n} ({', '.join(p)})" if p else n for n, p in undetermined.items()]
        found.append(
            f"The contribution is undetermined: {_cases(names)}. The unique information is "
            "not distinguishable from zero, so its parts cannot be compared."
        )
    if unread:
        found.append(
            f"Probes recover less than {LOW_RECOVERY * 100:.0f} % of the information that the "
            f"model has about its answer: {_cases(unread)}. The observed atoms then describe what "
            "the probes read, and may miss much of what the model uses."
        )
    return found


def embedding_faults(results: Table) -> list[str]:
    """Return the warnings about copies of one embedding, and about constant embeddings."""
    found = []
    if copied := _beyond(results, "copied_columns", 0):
        found.append(
            f"Both modalities hold the same columns, up to order and units: {_cases(copied)}. They "
            "are redundant by construction, which shows no fusion; check that each modality has "
            "its own array or module."
        )
    for modality in results.modalities:
        if constant := _beyond(results, "constant_source", 0, modality):
            found.append(
                f"The embedding of {modality} is the same in every row: {_cases(constant)}. It "
                "has no information about the target by construction: a contribution of 0 is "
                f"an artefact; check that it is the right array, and that the inputs of {modality} "
                "differ."
            )
        if dependent := _beyond(results, "dependent_rows", 0, modality):
            found.append(
                f"Rows repeat, nearly repeat or continue each other in the embedding of {modality} "
                f"without a group that ties them: {_cases(dependent)}. Probes may recall the "
                "targets of such rows; give their groups, such as the picture or the patient."
            )
    return found


def notices_of(results: Table) -> dict[str, Notices]:
    """Return what captures counted, by model and dataset."""
    return {
        f"{one.get('model')} on {one.get('dataset')}": Notices.read(one)
        for one in results.manifest.get("notices", [])
    }


def _few_draws(results: Table) -> list[str]:
    estimator = results.manifest.get("estimator", {})
    few = [
        f"{estimator[name]} {name} (at least {least})"
        for name, least in FEWEST.items()
        if isinstance(estimator.get(name), int) and estimator[name] < least
    ]
    return [
        f"The study has {' and '.join(few)}: too few for any test to reject at 5 %, so that all is "
        "called noise or undetermined."
    ] * bool(few)


def _fonts(results: Table) -> list[str]:
    names = [results.target(view) for view in VIEW_TITLES]
    names += [part for view in VIEW_TITLES for case in results.cases(view) for part in case]
    caution = font_caution("".join([*results.modalities, *names]))
    return [f"{caution[0].upper()}{caution[1:]}."] if caution else []


def _beyond(
    results: Table, quantity: str, limit: float, modality: str = "", *, of: str = "value"
) -> dict[str, float]:
    """Return the largest value beyond a limit over the layers of each case and view, by name."""
    largest: dict[str, float] = {}
    for view in VIEW_TITLES:
        for case in results.cases(view):
            name = f"{case.name} ({view})"
            for layer in results.layers(case, view):
                estimate = results.get(case, view, quantity, modality, layer)
                if estimate is not None and (value := getattr(estimate, of)) > limit:
                    largest[name] = max(value, largest.get(name, 0.0))
    return largest


def _valued(values: Mapping[str, float]) -> str:
    return _cases(f"{name} ({number(value)})" for name, value in values.items())


def _cases(names: Iterable[str]) -> str:
    """Name the cases, or the first of them and how many more.

    Examples
    --------
    >>> _cases(["a", "b", "a"]), _cases("abcdefgh")
    ('a, b', 'a, b, c, d, e, f and 2 more')
    """
    distinct = list(dict.fromkeys(names))
    more = len(distinct) - _NAMED
    return ", ".join(distinct[:_NAMED]) + (f" and {more} more" if more > 0 else "")

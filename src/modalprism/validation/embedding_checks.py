"""Relations that hold for any embeddings, with or without their model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modalprism.results.estimate import Estimate
from modalprism.validation.case import AnalysisRequest, StoreUnderTest
from modalprism.validation.check import Answers, Check, at_zero, estimates_of, is_found
from modalprism.validation.finding import NotRunError, Rest, Seen

_ROUNDING = 1e-6  # of the solver's own sums; its gap comes on top


def _order(case: StoreUnderTest, draw: int, of: int) -> NDArray[np.int64]:
    """Draw an order of a sample's rows; `of` separates it from other draws."""
    n = len(case.sample(draw).rows)
    return np.random.default_rng([case.settings.seed, draw, of]).permutation(n)


def shuffled_rows(modality: str, other: str) -> Check:
    """Return a check: a modality with shuffled rows has no information; the other has all.

    Rows are shuffled over the whole sample, not inside groups, where they might be alike.
    """

    def requests(case: StoreUnderTest, draw: int) -> list[AnalysisRequest]:
        case.analysis()  # a refused analysis ends the check
        order = _order(case, draw, case.modalities.index(modality))
        embeddings = dict(case.sample(draw).embeddings)
        embeddings[modality] = embeddings[modality][order]
        return [case.request(draw, embeddings=embeddings)]

    def evaluate(_case: StoreUnderTest, _draw: int, answers: Answers) -> Seen:
        (analysis,) = answers
        every = estimates_of(analysis, "marginal_information") | estimates_of(analysis)
        zero = (f"I {modality}", f"U {modality}", "S")
        surprises, rest = at_zero({name: every[name] for name in zero})
        contribution = analysis.contribution[analysis.modalities.index(other)]
        named = f"C {other}"
        if not contribution.determined:
            words = f"{rest}; {named} undetermined, as {other} alone has no information"
            return Seen(surprises, words, rest)
        if contribution.high < 1:
            surprises |= {named}
        return Seen(surprises, f"{rest}; {Rest(named, contribution)}", rest)

    expected = f"I {modality}, U {modality} and S at zero; C {other} at 1"
    return Check(f"shuffled {modality}", expected, evaluate, requests)


def duplicate(modality: str) -> Check:
    """Return a check: of a modality beside itself, all information is redundant."""

    def requests(case: StoreUnderTest, draw: int) -> list[AnalysisRequest]:
        alone = estimates_of(case.analysis(), "marginal_information")[f"I {modality}"]
        if not is_found(alone):
            raise NotRunError(f"{modality} alone has no information to be redundant")
        embedding = case.sample(draw).embeddings[modality]
        twice = {modality: embedding, f"{modality} again": embedding}
        return [case.request(draw, embeddings=twice)]

    def evaluate(_case: StoreUnderTest, _draw: int, answers: Answers) -> Seen:
        (analysis,) = answers
        atoms = estimates_of(analysis)
        redundancy = atoms.pop("R")
        surprises, _ = at_zero(atoms)
        odd = "".join(f"; {Rest(name, atoms[name])}" for name in sorted(surprises))
        if redundancy.high + analysis.gap < analysis.information.low:
            surprises |= {"R"}
        rest = Rest("R", redundancy)
        return Seen(surprises, f"{rest}; {Rest('I', analysis.information)}{odd}", rest)

    return Check(f"{modality} twice", "R = I; both U and S at zero", evaluate, requests)


def swapped() -> Check:
    """Return a check: with exchanged names, by which modalities are ordered, atoms follow the data.

    Values may differ by the solver's gaps.
    """

    def requests(case: StoreUnderTest, draw: int) -> list[AnalysisRequest]:
        case.analysis()
        first, second = case.modalities
        given = case.sample(draw).embeddings
        return [case.request(draw, embeddings={second: given[first], first: given[second]})]

    def evaluate(case: StoreUnderTest, _draw: int, answers: Answers) -> Seen:
        base, (turned,) = case.analysis(), answers
        first, second = (f"U {modality}" for modality in case.modalities)
        before, after = estimates_of(base), estimates_of(turned)
        renamed = {"R": "R", "S": "S", first: second, second: first}
        apart = {name: after[renamed[name]].value - before[name].value for name in before}
        allowed = base.gap + turned.gap + _ROUNDING
        worst = max(apart, key=lambda name: abs(apart[name]))
        difference = Estimate(apart[worst], -allowed, allowed, unit=base.unit)
        rest = Rest(f"largest difference, {worst}", difference)
        words = f"{worst} differs by {abs(apart[worst]):.1e} {base.unit}, {allowed:.1e} allowed"
        surprises = frozenset(name for name, by in apart.items() if abs(by) > allowed)
        return Seen(surprises, words, rest)

    expected = "the same atoms under swapped labels"
    return Check("swapped order", expected, evaluate, requests, draws=1)


def random_labels() -> Check:
    """Return a check: there is no information about a shuffled target."""

    def requests(case: StoreUnderTest, draw: int) -> list[AnalysisRequest]:
        case.analysis()
        target = case.sample(draw).target[_order(case, draw, len(case.modalities))]
        return [case.request(draw, target=target)]

    def evaluate(_case: StoreUnderTest, _draw: int, answers: Answers) -> Seen:
        (analysis,) = answers
        every = estimates_of(analysis, "marginal_information") | estimates_of(analysis)
        surprises, rest = at_zero({"I": analysis.information} | every)
        whole = Rest("I", analysis.information)
        return Seen(surprises, f"{whole}; {rest}" if surprises else str(whole), rest)

    return Check("random labels", "every information and atom at zero", evaluate, requests)


def same_twice() -> Check:
    """Return a check: the same analysis again gives the same bits, intervals and p-values too."""

    def requests(case: StoreUnderTest, draw: int) -> list[AnalysisRequest]:
        case.analysis()
        return [case.request(draw)]

    def evaluate(case: StoreUnderTest, _draw: int, answers: Answers) -> Seen:
        names = ("value", "low", "high", "p_value", "gap")
        one, other = (
            np.array(
                [[getattr(of, name) for name in names] for *_, of in found.quantities()], float
            )
            for found in (case.analysis(), *answers)
        )
        if len(one) != len(other):
            gone = Rest("numbers", Estimate(other.size, one.size, one.size))
            return Seen(frozenset({"numbers"}), "the second run has other quantities", gone)
        same = (one == other) | (np.isnan(one) & np.isnan(other))
        apart = float(np.nanmax(np.abs(one - other)[~same], initial=0.0))
        rest = Rest("largest difference", Estimate(apart, 0.0, 0.0))
        words = f"{int(same.sum())} of {same.size} numbers identical"
        return Seen(frozenset() if same.all() else frozenset({"bits"}), words, rest)

    return Check("same run twice", "identical numbers", evaluate, requests, draws=1)


def embedding_checks(modalities: tuple[str, str]) -> list[Check]:
    """Return the checks that need no model."""
    first, second = modalities
    return [
        shuffled_rows(first, second),
        shuffled_rows(second, first),
        duplicate(first),
        duplicate(second),
        swapped(),
        random_labels(),
        same_twice(),
    ]

"""Relations that hold for any embeddings, with or without their model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from modalprism.estimation.analysis import Analysis
from modalprism.results.estimate import Estimate
from modalprism.validation.case import AnalysisRequest, StoreUnderTest
from modalprism.validation.check import (
    Check,
    at_zero,
    atoms_of,
    informations_of,
    is_found,
)
from modalprism.validation.finding import NotRunError, Rest, Seen

_ROUNDING = 1e-6  # of the solver's own sums; its gap comes on top


def _order(case: StoreUnderTest, draw: int, of: int) -> NDArray[np.int64]:
    """Draw an order of a sample's rows; `of` separates it from other draws."""
    n = len(case.sample(draw).rows)
    return np.random.default_rng([case.settings.seed, draw, of]).permutation(n)


class ShuffledRows(Check):
    """A modality with shuffled rows has no information; the other has all there is.

    Rows are shuffled over the whole sample, not inside groups, where they might be alike.
    """

    def __init__(self, modality: str, other: str) -> None:
        self.modality, self.other = modality, other
        self.name = f"shuffled {modality}"
        self.expected = f"I {modality}, U {modality} and S at zero; C {other} at 1"

    def requests(self, case: StoreUnderTest, draw: int) -> dict[str, AnalysisRequest]:
        """Shuffle one embedding; leave the other and the target."""
        case.analysis()  # a refused analysis ends the check
        order = _order(case, draw, case.modalities.index(self.modality))
        embeddings = dict(case.sample(draw).embeddings)
        embeddings[self.modality] = embeddings[self.modality][order]
        return {self.name: case.request(draw, embeddings=embeddings)}

    def evaluate(self, case: StoreUnderTest, draw: int, answers: Mapping[str, Analysis]) -> Seen:  # noqa: ARG002
        """Test what must be zero, and whether the contribution's interval holds 1."""
        analysis = answers[self.name]
        every = informations_of(analysis) | atoms_of(analysis)
        wanted = (f"I {self.modality}", f"U {self.modality}", "S")
        surprises, rest = at_zero({name: every[name] for name in wanted})
        contribution = analysis.contribution[analysis.modalities.index(self.other)]
        named = f"C {self.other}"
        if contribution.determined and contribution.high < 1:
            surprises |= {named}
        seen = str(Rest(named, contribution)) if contribution.determined else (
            f"{named} undetermined, as {self.other} alone has no information"
        )  # fmt: skip
        return Seen(surprises, f"{rest}; {seen}", rest)


class Duplicate(Check):
    """A modality beside itself: all information is redundant."""

    def __init__(self, modality: str) -> None:
        self.modality = modality
        self.name = f"{modality} twice"
        self.expected = "R = I; both U and S at zero"

    def requests(self, case: StoreUnderTest, draw: int) -> dict[str, AnalysisRequest]:
        """Give one embedding as both sources."""
        base = case.analysis()
        if not is_found(informations_of(base)[f"I {self.modality}"]):
            raise NotRunError(f"{self.modality} alone has no information to be redundant")
        embedding = case.sample(draw).embeddings[self.modality]
        twice = {self.modality: embedding, f"{self.modality} again": embedding}
        return {self.name: case.request(draw, embeddings=twice)}

    def evaluate(self, case: StoreUnderTest, draw: int, answers: Mapping[str, Analysis]) -> Seen:  # noqa: ARG002
        """Test what must be zero, and whether R and I can be the same."""
        analysis = answers[self.name]
        atoms = atoms_of(analysis)
        redundancy = atoms.pop("R")
        surprises, _ = at_zero(atoms)
        if redundancy.high + analysis.gap < analysis.information.low:
            surprises |= {"R"}
        rest = Rest("R", redundancy)
        odd = "".join(f"; {Rest(n, atoms[n])}" for n in sorted(surprises - {"R"}))
        whole = Rest("I", analysis.information)
        return Seen(surprises, f"{rest}; {whole}{odd}", rest)


class Swapped(Check):
    """Modalities in the other order, under each other's names: atoms follow the data."""

    name = "swapped order"
    expected = "the same atoms under swapped labels"
    draws: ClassVar[int] = 1

    def requests(self, case: StoreUnderTest, draw: int) -> dict[str, AnalysisRequest]:
        """Exchange the names, by which the estimator orders the modalities."""
        case.analysis()
        first, second = case.modalities
        held = case.sample(draw).embeddings
        return {
            self.name: case.request(draw, embeddings={second: held[first], first: held[second]})
        }

    def evaluate(self, case: StoreUnderTest, draw: int, answers: Mapping[str, Analysis]) -> Seen:  # noqa: ARG002
        """Compare values, up to the solver's gaps."""
        base, turned = case.analysis(), answers[self.name]
        first, second = (f"U {modality}" for modality in case.modalities)
        before, after = atoms_of(base), atoms_of(turned)
        renamed = {"R": "R", "S": "S", first: second, second: first}
        apart = {name: after[renamed[name]].value - before[name].value for name in before}
        allowed = base.gap + turned.gap + _ROUNDING
        worst = max(apart, key=lambda name: abs(apart[name]))
        difference = Estimate(apart[worst], -allowed, allowed, unit=base.unit)
        rest = Rest(f"largest difference, {worst}", difference)
        words = f"{worst} differs by {abs(apart[worst]):.1e} {base.unit}, {allowed:.1e} allowed"
        surprises = frozenset(name for name, by in apart.items() if abs(by) > allowed)
        return Seen(surprises, words, rest)


class RandomLabels(Check):
    """A shuffled target: no information about it."""

    name = "random labels"
    expected = "every information and atom at zero"

    def requests(self, case: StoreUnderTest, draw: int) -> dict[str, AnalysisRequest]:
        """Shuffle the target."""
        case.analysis()
        target = case.sample(draw).target[_order(case, draw, len(case.modalities))]
        return {self.name: case.request(draw, target=target)}

    def evaluate(self, case: StoreUnderTest, draw: int, answers: Mapping[str, Analysis]) -> Seen:  # noqa: ARG002
        """Test all that must be zero."""
        analysis = answers[self.name]
        every = {"I": analysis.information} | informations_of(analysis) | atoms_of(analysis)
        surprises, rest = at_zero(every)
        whole = Rest("I", analysis.information)
        return Seen(surprises, str(whole) if not surprises else f"{whole}; {rest}", rest)


class Twice(Check):
    """The same analysis again: the same bits."""

    name = "same run twice"
    expected = "identical numbers"
    draws: ClassVar[int] = 1

    def requests(self, case: StoreUnderTest, draw: int) -> dict[str, AnalysisRequest]:
        """Repeat the first request."""
        case.analysis()
        return {self.name: case.request(draw)}

    def evaluate(self, case: StoreUnderTest, draw: int, answers: Mapping[str, Analysis]) -> Seen:  # noqa: ARG002
        """Compare every number, intervals and p-values too."""
        fields = ("value", "low", "high", "p_value", "gap")
        before, after = (
            [getattr(estimate, field) for *_, estimate in analysis.quantities() for field in fields]
            for analysis in (case.analysis(), answers[self.name])
        )
        one, other = (np.array(numbers, dtype=np.float64) for numbers in (before, after))
        if len(one) != len(other):
            gone = Rest("numbers", Estimate(len(other), len(one), len(one)))
            return Seen(frozenset({"numbers"}), "the second run has other quantities", gone)
        same = (one == other) | (np.isnan(one) & np.isnan(other))
        apart = float(np.nanmax(np.abs(one - other)[~same], initial=0.0))
        rest = Rest("largest difference", Estimate(apart, 0.0, 0.0))
        words = f"{int(same.sum())} of {len(same)} numbers identical"
        return Seen(frozenset() if same.all() else frozenset({"bits"}), words, rest)


def embedding_checks(modalities: tuple[str, str]) -> list[Check]:
    """Return the checks that need no model."""
    first, second = modalities
    return [
        ShuffledRows(first, second),
        ShuffledRows(second, first),
        Duplicate(first),
        Duplicate(second),
        Swapped(),
        RandomLabels(),
        Twice(),
    ]

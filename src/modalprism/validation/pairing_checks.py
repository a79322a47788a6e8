"""Relations between a store and its model: rows and names belong together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from modalprism.capture.adapter import BEFORE_FUSION
from modalprism.estimation.analysis import Analysis
from modalprism.validation.case import StoreUnderTest
from modalprism.validation.check import Check
from modalprism.validation.finding import NotRunError, Seen
from modalprism.validation.likeness import (
    NEARLY_ALL,
    Bools,
    part_of_rows,
    same_answers,
    same_states,
)
from modalprism.validation.rerun import Read


def _kept(case: StoreUnderTest, modality: str) -> NDArray[np.float64]:
    """Return the store's states of the rows that are run again."""
    kept: NDArray[np.float64] = case.sample(0).embeddings[modality][case.few].astype(np.float64)
    return kept


def _read(read: Read, modality: str) -> NDArray[np.float64]:
    name = f"{modality}/{BEFORE_FUSION}"
    if name not in read.states:
        raise NotRunError(f"the model's adapter names no state of {modality} before fusion")
    return read.states[name]


class RowsBelong(Check):
    """Run again, the model gives the same row for the same example.

    This also holds where the names of the two modalities are exchanged; `Names` tests those.
    """

    name = "rows belong together"
    expected = "run again, every row's embeddings and answer come back"
    draws: ClassVar[int] = 1
    asks: ClassVar[bool] = False

    def passes(self, case: StoreUnderTest) -> int:
        """One a row."""
        return len(case.few)

    def evaluate(self, case: StoreUnderTest, draw: int, answers: Mapping[str, Analysis]) -> Seen:  # noqa: ARG002
        """Compare row by row."""
        read = case.model().own(case.few)
        first, second = case.modalities
        found = {one: _read(read, one) for one in case.modalities}
        fits = {
            (one, other): same_states(found[one], _kept(case, other))
            for one in case.modalities
            for other in case.modalities
        }
        named = fits[first, first] & fits[second, second]
        renamed = fits[first, second] & fits[second, first]
        states = {first: fits[first, first], second: fits[second, second]}
        if renamed.sum() > named.sum():
            states = {second: fits[first, second], first: fits[second, first]}
        holds: dict[str, Bools] = dict(states)
        if read.answer is not None and "answer" in case.store.names:
            rows = case.sample(0).rows[case.few]
            holds["answer"] = same_answers(read.answer, case.store.array("answer")[rows])
        every = np.logical_and.reduce(list(holds.values()))
        rest = part_of_rows("rows that come back", every)
        counts = ", ".join(f"{what} {int(of.sum())}" for what, of in holds.items())
        words = f"of {len(every)} rows: {counts}"
        surprises = {what for what, of in holds.items() if of.mean() < NEARLY_ALL}
        return Seen(frozenset(surprises), words, rest)


class Names(Check):
    """A modality's state moves with its own input, and no other state does."""

    name = "names of the modalities"
    draws: ClassVar[int] = 1
    asks: ClassVar[bool] = False

    def __init__(self, modalities: tuple[str, str]) -> None:
        first, second = modalities
        self.expected = f"other {first} inputs move {first} alone; other {second}, {second} alone"

    def passes(self, case: StoreUnderTest) -> int:
        """One a row and modality; the unchanged run is cached."""
        return 2 * len(case.few)

    def evaluate(self, case: StoreUnderTest, draw: int, answers: Mapping[str, Analysis]) -> Seen:  # noqa: ARG002
        """Exchange the inputs of each modality, and compare the states."""
        model = case.model()
        own, donors = model.own(case.few), model.donors(case.few, 0)
        words, surprises, right = [], set(), []
        for modality in case.modalities:
            other = case.other(modality)
            read = model.exchanged(modality, case.few, 0)
            moved, still = (
                ~same_states(_read(read, one), _read(own, one)) for one in (modality, other)
            )
            kept = _kept(case, modality)
            differs = ~same_states(kept[donors], kept)
            if not differs.any():
                words.append(f"every {modality} is alike")
                continue
            words.append(
                f"other {modality}: {modality} moves in {int(moved[differs].sum())} of "
                f"{int(differs.sum())} rows, {other} in {int(still.sum())}"
            )
            right.append(moved[differs] & ~still[differs])
            if moved[differs].mean() < NEARLY_ALL / 2:
                surprises.add(f"{modality} stays")
            if still.mean() > 1 - NEARLY_ALL:
                surprises.add(f"{other} moves")
        surprises |= self._exchanged_in_store(case, own)
        if not right:
            raise NotRunError("the inputs are alike in all rows, so that none can be exchanged")
        rest = part_of_rows("rows in which the one named moves alone", np.concatenate(right))
        odd = [name for name in surprises if name.startswith("the store")]
        return Seen(frozenset(surprises), "; ".join([*words, *odd]), rest)

    def _exchanged_in_store(self, case: StoreUnderTest, own: Read) -> set[str]:
        """Return whether each of the store's arrays is the other modality's."""
        first, second = case.modalities
        fits = [
            same_states(_read(own, one), _kept(case, other)).mean() >= NEARLY_ALL
            for one, other in ((first, second), (second, first))
        ]
        own_names = same_states(_read(own, first), _kept(case, first)).mean()
        if all(fits) and own_names < NEARLY_ALL:
            return {f"the store calls {first} what is {second}"}
        return set()

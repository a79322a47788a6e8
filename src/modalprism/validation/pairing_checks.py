"""Relations between a store and its model: rows and names belong together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modalprism.capture.adapter import BEFORE_FUSION
from modalprism.validation.case import StoreUnderTest
from modalprism.validation.check import Answers, Check
from modalprism.validation.finding import NotRunError, Seen
from modalprism.validation.likeness import (
    NEARLY_ALL,
    Bools,
    part_of_rows,
    same_answers,
    same_states,
)
from modalprism.validation.rerun import Read


def _stored(case: StoreUnderTest, modality: str) -> NDArray[np.float64]:
    """Return the store's states of the rows that are run again."""
    stored: NDArray[np.float64] = case.sample(0).embeddings[modality][case.few].astype(np.float64)
    return stored


def _read(read: Read, modality: str) -> NDArray[np.float64]:
    name = f"{modality}/{BEFORE_FUSION}"
    if name not in read.states:
        raise NotRunError(f"the model's adapter names no state of {modality} before fusion")
    return read.states[name]


def rows_belong() -> Check:
    """Return a check: run again, the model gives the same row for the same example.

    This also holds where the names of the two modalities are exchanged; `names_fit` tests those.
    """

    def evaluate(case: StoreUnderTest, _draw: int, _answers: Answers) -> Seen:
        read = case.model().own(case.few)
        first, second = case.modalities
        found = {one: _read(read, one) for one in case.modalities}
        fits = {
            (one, other): same_states(found[one], _stored(case, other))
            for one in case.modalities
            for other in case.modalities
        }
        named = fits[first, first] & fits[second, second]
        renamed = fits[first, second] & fits[second, first]
        holds: dict[str, Bools] = {first: fits[first, first], second: fits[second, second]}
        if renamed.sum() > named.sum():
            holds = {second: fits[first, second], first: fits[second, first]}
        if read.answer is not None and "answer" in case.store.names:
            rows = case.sample(0).rows[case.few]
            holds["answer"] = same_answers(read.answer, case.store.array("answer")[rows])
        every = np.logical_and.reduce(list(holds.values()))
        rest = part_of_rows("rows that come back", every)
        counts = ", ".join(f"{what} {int(of.sum())}" for what, of in holds.items())
        words = f"of {len(every)} rows: {counts}"
        surprises = {what for what, of in holds.items() if of.mean() < NEARLY_ALL}
        return Seen(frozenset(surprises), words, rest)

    return Check(
        "rows belong together",
        "run again, every row's embeddings and answer come back",
        evaluate,
        passes=lambda case: len(case.few),
        draws=1,
        analyses=0,
    )


def names_fit(modalities: tuple[str, str]) -> Check:
    """Return a check: a modality's state moves with its own input, and no other state does."""
    first, second = modalities

    def evaluate(case: StoreUnderTest, _draw: int, _answers: Answers) -> Seen:
        model = case.model()
        own, donors = model.own(case.few), model.donors(case.few, 0)
        words, surprises, right = [], set(), []
        for modality, other in ((first, second), (second, first)):
            read = model.exchanged(modality, case.few, 0)
            moved, still = (
                ~same_states(_read(read, one), _read(own, one)) for one in (modality, other)
            )
            stored = _stored(case, modality)
            differs = ~same_states(stored[donors], stored)
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
        odd = _exchanged_in_store(case, own)
        if not right:
            raise NotRunError("the inputs are alike in all rows, so that none can be exchanged")
        rest = part_of_rows("rows in which the one named moves alone", np.concatenate(right))
        return Seen(frozenset(surprises | odd), "; ".join([*words, *odd]), rest)

    return Check(
        "names of the modalities",
        f"other {first} inputs move {first} alone; other {second}, {second} alone",
        evaluate,
        # The unchanged run is cached.
        passes=lambda case: 2 * len(case.few),
        draws=1,
        analyses=0,
    )


def _exchanged_in_store(case: StoreUnderTest, own: Read) -> set[str]:
    """Return whether each of the store's arrays is the other modality's."""
    first, second = case.modalities
    part = {
        (one, other): same_states(_read(own, one), _stored(case, other)).mean()
        for one, other in ((first, second), (second, first), (first, first))
    }
    fits = min(part[first, second], part[second, first]) >= NEARLY_ALL
    if fits and part[first, first] < NEARLY_ALL:
        return {f"the store calls {first} what is {second}"}
    return set()

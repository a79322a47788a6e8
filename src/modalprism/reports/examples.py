"""The examples that tell most of each atom, as the page shows them: by case, atom and card."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modalprism.plotting.atoms import AtomStyle, atom_styles
from modalprism.plotting.examples import (
    Owner,
    ShownExample,
    by_case,
    most_words,
    owners,
    said_answer,
)
from modalprism.plotting.notation import amount, number
from modalprism.plotting.readings import Case, Readings


@dataclass(frozen=True)
class Seen:
    """What a person sees of one modality: an address of a picture, words, or both."""

    modality: str
    address: str
    alternative: str
    text: str


@dataclass(frozen=True)
class Told:
    """One pointwise atom: its looks, its bar in per cent of the width, and its number."""

    style: AtomStyle
    start: float
    width: float
    said: str


@dataclass(frozen=True)
class Card:
    """One example."""

    name: str
    seen: list[Seen]
    label: str
    answer: str
    wrong: bool
    told: list[Told]
    zero: float
    total: str
    note: str


@dataclass(frozen=True)
class Pile:
    """The examples of one atom; those of an atom that is not told from zero stand folded."""

    heading: str
    noise: str
    cards: list[Card]


@dataclass(frozen=True)
class Shown:
    """The examples of a model on a dataset."""

    name: str
    information: str
    unseen: bool
    piles: list[Pile]
    figure: str


def shown_cases(
    readings: Readings, examples: Sequence[ShownExample], figures: Mapping[Case, str]
) -> list[Shown]:
    """Lay out the examples of every case that was decomposed, in the order of the study.

    Parameters
    ----------
    readings : Readings
    examples : sequence of ShownExample
    figures : mapping of Case to str
        Name of the figure that shows the same; where a case has none, no file is named.
    """
    found = by_case(examples)
    return [
        _shown(readings, case, found[case], figures.get(case, ""))
        for case in readings.cases("answer")
        if case in found
    ]


def _shown(
    readings: Readings, case: Case, found: Mapping[Owner, list[ShownExample]], figure: str
) -> Shown:
    everything = [example for shown in found.values() for example in shown]
    # One scale for all cards of a case, so that their bars can be compared.
    ends = [value for example in everything for value in example.atoms]
    low, high = min(0.0, *ends), max(0.0, *ends)
    information = readings.get(case, "answer", "information")
    piles = []
    atoms = readings.atoms(case, "answer")
    for owner, atom in zip(owners(readings.modalities), atoms, strict=True):
        noise = "" if atom is None or atom.positive else amount(atom)
        cards = [_card(example, low, high) for example in found.get(owner, ())]
        piles.append(Pile(most_words(*owner), noise, cards))
    return Shown(
        case.name,
        "" if information is None else amount(information),
        not any((*one.pictures, *one.texts, one.note) != (None,) * 5 for one in everything),
        piles,
        figure,
    )


def _card(example: ShownExample, low: float, high: float) -> Card:
    width = (high - low) or 1.0

    def place(value: float) -> float:
        return round((value - low) / width * 100, 2)

    told = [
        Told(
            style,
            place(min(value, 0.0)),
            round(abs(value) / width * 100, 2),
            f"{number(value)} {example.unit}",
        )
        for style, value in zip(atom_styles(example.modalities), example.atoms, strict=True)
    ]
    return Card(
        example.name,
        _seen(example),
        example.label or "",
        said_answer(example).replace(" %", "\N{NO-BREAK SPACE}%"),
        example.right is False,
        told,
        place(0.0),
        f"{number(sum(example.atoms))} {example.unit}",
        example.note or "",
    )


def _seen(example: ShownExample) -> list[Seen]:
    seen = []
    parts = zip(example.modalities, example.pictures, example.texts, strict=True)
    for modality, picture, text in parts:
        address = ""
        if picture is not None:
            address = f"data:image/webp;base64,{base64.b64encode(picture).decode()}"
        if address or text:
            alternative = f"{modality} of example {example.name}"
            seen.append(Seen(modality, address, alternative, text or ""))
    return seen

"""The examples section of the page: by case, atom and card."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from modalprism.plotting.style import atom_styles
from modalprism.results.examples import ShownExample, by_case, most_of
from modalprism.results.notation import number, written
from modalprism.results.quantities import ATOMS, QuantityKey, keys
from modalprism.results.table import Case, Table


def example_cases(
    results: Table, examples: Sequence[ShownExample], figures: Mapping[Case, str]
) -> list[dict[str, Any]]:
    """Lay out the examples of every case for ``examples.html``, in the order of the study.

    `figures` names the figure that shows the same examples; the page names its files.
    """
    found = by_case(examples)
    return [
        _case(results, case, found[case], figures.get(case, ""))
        for case in results.cases("answer")
        if case in found
    ]


def _case(
    results: Table, case: Case, found: Mapping[QuantityKey, list[ShownExample]], figure: str
) -> dict[str, Any]:
    everything = [example for shown in found.values() for example in shown]
    # One scale for all cards of a case, so that their bars can be compared.
    ends = [value for example in everything for value in example.atoms]
    low, high = min(0.0, *ends), max(0.0, *ends)
    information = results.get(case, "answer", "information")
    atoms = results.atoms(case, "answer")
    return {
        "name": case.name,
        "information": "" if information is None else written(information),
        "unseen": not any(any((*one.pictures, *one.texts, one.note)) for one in everything),
        "figure": figure,
        "piles": [
            {
                "heading": most_of(key),
                "noise": "" if atom is None or atom.positive else written(atom),
                "cards": [_card(example, low, high) for example in found.get(key, ())],
            }
            for key, atom in zip(keys(ATOMS, results.modalities), atoms, strict=True)
        ],
    }


def _card(example: ShownExample, low: float, high: float) -> dict[str, Any]:
    percent = 100 / ((high - low) or 1.0)

    def place(value: float) -> float:
        return round((value - low) * percent, 2)

    inputs = zip(example.modalities, example.pictures, example.texts, strict=True)
    styles = atom_styles(example.modalities)
    return {
        "example": example,
        "inputs": [
            (modality, base64.b64encode(picture or b"").decode(), text)
            for modality, picture, text in inputs
            if picture or text
        ],
        "zero": place(0.0),
        "total": f"{number(sum(example.atoms))} {example.unit}",
        "atoms": [
            {
                "style": style,
                "start": place(min(value, 0.0)),
                "width": round(abs(value) * percent, 2),
                "amount": f"{number(value)} {example.unit}",
            }
            for style, value in zip(styles, example.atoms, strict=True)
        ],
    }

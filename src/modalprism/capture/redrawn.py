"""Redrawn pairs: every input combined with inputs of other examples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from modalprism.datasets.dataset import Example
from modalprism.errors import InputError


@runtime_checkable
class Unpaired(Protocol):
    """A dataset whose examples combine inputs, and that names each input once."""

    def unpaired(self) -> Sequence[Example]:
        """Return the examples from which redrawn pairs are made."""


@dataclass(frozen=True, eq=False)
class RedrawnPairs:
    """Pairs of inputs of different examples; an input is decoded for every pair.

    The first input of i in the circle meets the second inputs of i+1, …, i+`partners`.
    """

    circle: tuple[Example, ...]
    modalities: tuple[str, str]
    partners: int

    def __len__(self) -> int:
        return len(self.circle) * self.partners

    def __iter__(self) -> Iterator[Example]:
        return self.between(0, len(self))

    def between(self, begin: int, end: int) -> Iterator[Example]:
        """Yield the pairs from one position to another."""
        first, second = self.modalities
        for number in range(begin, end):
            place, step = divmod(number, self.partners)
            one, other = self.circle[place], self.circle[(place + step + 1) % len(self.circle)]
            yield Example(
                f"{one.id} × {other.id}",
                {first: one.inputs[first], second: other.inputs[second]},
                groups={first: one.id, second: other.id},
            )


def redrawn_pairs(
    examples: Iterable[Example],
    kept: Set[str],
    modalities: tuple[str, str],
    *,
    count: int,
    partners: int,
    seed: int = 0,
) -> RedrawnPairs:
    """Draw examples, and combine the first input of each with the second inputs of others.

    `count` examples with ids in `kept` are drawn and arranged in a random circle, so that every
    input is used equally often and never with its own partner. The pairs have no label; their
    groups name the example behind each input. Raises InputError if there are too few examples.
    """
    check_redrawn(count, partners, len(kept))
    order = np.random.default_rng(seed).permutation(len(kept))[:count].tolist()
    place_in_circle = {position: place for place, position in enumerate(order)}
    found: dict[int, Example] = {}
    rows = (example for example in examples if example.id in kept)
    for position, example in enumerate(rows):
        if position in place_in_circle:
            found[place_in_circle[position]] = example
    return RedrawnPairs(tuple(found[place] for place in range(count)), modalities, partners)


def check_redrawn(count: int, partners: int, rows: int) -> None:
    """Refuse redrawn pairs of more examples than there are, or of too few."""
    if not 2 <= partners < count <= rows:
        raise InputError(
            f"redrawn pairs need 2 ≤ partners < examples ≤ {rows}, the rows that there are; "
            f"not {partners} partners and {count} examples",
            parameter="partners" if 2 <= count <= rows else "redrawn",
        )

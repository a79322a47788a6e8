"""Redrawn pairs: every input run with partners that are drawn from other examples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set

import numpy as np

from modalprism.datasets.example import Example
from modalprism.errors import InputError

EXAMPLES = 160
PARTNERS = 40


def redrawn_examples(
    examples: Iterable[Example],
    kept: Set[str],
    modalities: tuple[str, str],
    *,
    count: int = EXAMPLES,
    partners: int = PARTNERS,
    seed: int = 0,
) -> Iterator[Example]:
    """Yield examples whose two inputs come from different ones.

    A sample of `count` examples stands in a random circle; the first input of i meets the second
    inputs of i+1, …, i+`partners`. Every input is thus run equally often, and never with its own.

    Parameters
    ----------
    examples : iterable of Example
    kept : set of str
        The ids of those that may be drawn.
    modalities : (str, str)
    count, partners : int
    seed : int
        Of the draw.

    Yields
    ------
    Example
        Without a label; its groups say whose input of each modality it was given.

    Raises
    ------
    InputError
        If there are too few examples.

    Examples
    --------
    >>> own = [Example(key, {"image": key, "text": key.lower()}) for key in "ABC"]
    >>> pairs = redrawn_examples(own, {"A", "B", "C"}, ("image", "text"), count=3, partners=2)
    >>> sorted("".join(pair.inputs.values()) for pair in pairs)
    ['Ab', 'Ac', 'Ba', 'Bc', 'Ca', 'Cb']
    """
    check_redrawn(count, partners, len(kept))
    order = np.random.default_rng(seed).permutation(len(kept))[:count].tolist()
    place_in_circle = {position: place for place, position in enumerate(order)}
    found: dict[int, Example] = {}
    rows = (example for example in examples if example.id in kept)
    for position, example in enumerate(rows):
        if position in place_in_circle:
            found[place_in_circle[position]] = example
    first, second = modalities
    for place in range(count):
        one = found[place]
        for step in range(1, partners + 1):
            other = found[(place + step) % count]
            yield Example(
                f"{one.id} × {other.id}",
                {first: one.inputs[first], second: other.inputs[second]},
                groups={first: one.id, second: other.id},
            )


def check_redrawn(count: int, partners: int, rows: int) -> None:
    """Refuse redrawn pairs of more examples than there are, or of too few.

    Raises
    ------
    InputError
        If so.
    """
    if not 2 <= partners < count <= rows:
        raise InputError(
            f"redrawn pairs need 2 ≤ partners < examples ≤ {rows}, the rows that there are; "
            f"not {partners} partners and {count} examples"
        )

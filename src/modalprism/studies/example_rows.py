"""Choice of the rows that stand for an atom: those that carry most of it, of different inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

LEAST: Final = 0.005
"""What tells less reads 0.00, and stands for nothing."""
_NEAR: Final = 0.8
"""Of the best that is left: another input that tells so much is shown before the same again."""


def standing(atoms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how well each row stands for each atom, (n, 4), from its pointwise atoms.

    The score is the atom of a row and all of its other atoms that are below zero. Where a modality
    misleads, redundancy of +5 stands beside a unique information of −5, and their sum is nothing;
    the largest values alone are often such pairs. A score never exceeds the row's information.

    Examples
    --------
    >>> standing(np.array([[5.0, -5.0, 0.0, 0.1], [2.0, 0.1, -0.2, 0.0]]))[:, 0].tolist()
    [0.0, 1.8]
    """
    taken = np.minimum(atoms, 0)
    net: NDArray[np.float64] = atoms + taken.sum(1, keepdims=True) - taken
    return net


def chosen_rows(
    score: NDArray[np.float64],
    inputs: Sequence[NDArray[Any]],
    answer: NDArray[Any] | None,
    count: int,
) -> list[int]:
    """Choose at most `count` rows with the largest scores, (n,), the best first.

    Rows that share a value in any of `inputs`, (n,) each, show the same input: one is chosen, as
    long as another with a different input has nearly as large a score. The same holds for `answer`
    where inputs leave a choice. Scores up to `LEAST` are not chosen; the first of equal rows is.

    Examples
    --------
    >>> picture = np.array(["cat", "cat", "dog", "owl"])
    >>> chosen_rows(np.array([3.0, 2.9, 2.8, 0.5]), [picture], None, 3)
    [0, 2, 1]
    """
    alike = [*inputs, *([] if answer is None else [answer])]
    wishes = (len(alike), len(inputs))  # that all differ, or the inputs at least
    order = np.argsort(-score, kind="stable")
    left: list[int] = order[score[order] > LEAST].tolist()
    seen: list[set[Any]] = [set() for _ in alike]
    taken: list[int] = []
    while left and len(taken) < count:
        enough = _NEAR * score[left[0]]
        near = [row for row in left if score[row] >= enough]
        others = (
            row
            for most in wishes
            for row in near
            if not any(alike[i][row] in seen[i] for i in range(most))
        )
        row = next(others, left[0])
        left.remove(row)
        taken.append(row)
        for values, known in zip(alike, seen, strict=True):
            known.add(values[row])
    return taken

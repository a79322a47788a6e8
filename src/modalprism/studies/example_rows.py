"""Which rows stand for an atom: those that tell most of it, and are not all the same picture."""

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
    """Return how well each row stands for each atom, shape (n, 4) as the pointwise atoms.

    An atom of a row, and all of its other atoms that are below zero. Where a modality misleads,
    redundancy of +5 stands beside a unique information of −5, and together they tell nothing: the
    largest values alone are often such pairs. What is left is never more than the row tells.

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
    """Choose the rows with the largest scores, the best first.

    Parameters
    ----------
    score : ndarray, shape (n,)
    inputs : sequence of ndarray, shape (n,)
        Rows that share a value in any of them are of the same input to a reader: one is shown, as
        long as another that is not has nearly as large a score.
    answer : ndarray, shape (n,), optional
        The same of answers, where inputs leave a choice.
    count : int

    Returns
    -------
    list of int
        At most `count`; fewer where no more score above `LEAST`. Of the same score, the row that
        stands first.

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

"""The door for many rows: the same checks as for few, a block at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modalprism.estimation.copies import ROWS, copied_modality
from modalprism.estimation.streamed.source import Rows, Source, check_source, rows_of
from modalprism.estimation.streamed.target import Target, check_streamed_target
from modalprism.estimation.validation import (
    Groups,
    check_classes_cross,
    check_groups,
    check_modalities,
    check_same_rows,
    tie_repeated,
)

Embeddings = Mapping[str, ArrayLike | Rows]


@dataclass(frozen=True)
class StreamedSample:
    """A checked sample of many rows.

    Attributes
    ----------
    modalities : (str, str)
        In the order of their names.
    sources : two of Source
    target : Target
    groups : dict of str to ndarray, shape (n,)
    repeated : int
    copied : str, optional
        As in `modalprism.estimation.validation.Sample`.
    """

    modalities: tuple[str, str]
    sources: tuple[Source, Source]
    target: Target
    groups: dict[str, NDArray[Any]]
    repeated: int
    copied: str | None

    def __len__(self) -> int:
        """Rows."""
        return len(self.target)


def check_streamed_sample(
    embeddings: Embeddings,
    y: ArrayLike,
    groups: Groups,
    folds: int,
    block_numbers: int,
) -> StreamedSample:
    """Check a sample, and go through its rows once.

    Raises
    ------
    InputError
        With one sentence on the first thing that is wrong.
    """
    check_modalities(embeddings, folds)
    named = sorted((str(name), embedding) for name, embedding in embeddings.items())
    (first, one), (second, other) = [(name, rows_of(name, rows)) for name, rows in named]
    n = int(one.shape[0])
    check_same_rows((first, second), (n, int(other.shape[0])))
    target = check_streamed_target(y, n, folds)
    columns = check_groups(groups, n)
    source_1, hashes_1 = check_source(first, one, block_numbers)
    source_2, hashes_2 = check_source(second, other, block_numbers)
    first_row = first_equal(hashes_1, hashes_2)
    if repeated := int((first_row != np.arange(n)).sum()):
        columns = tie_repeated(columns, first_row)
    check_classes_cross(columns, target.totals, target.names, folds)
    copied = copied_modality((first, second), (source_1.read(0, ROWS), source_2.read(0, ROWS)))
    return StreamedSample((first, second), (source_1, source_2), target, columns, repeated, copied)


def first_equal(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return, for every row, the first row with the same two hashes, shape (n,).

    As `modalprism.estimation.validation.first_rows`: every row stands alone where neither
    embedding is different in at least half of the rows.

    Examples
    --------
    >>> one, other = np.array([[1, 2, 1], [5, 5, 5]], dtype=np.uint64)
    >>> first_equal(one, other)
    array([0, 1, 0])
    """
    n = len(first)
    if 2 * max(len(np.unique(hashes)) for hashes in (first, second)) < n:
        return np.arange(n)
    both = first * np.uint64(0x9E3779B97F4A7C15) + (second ^ (second >> np.uint64(32)))
    _, begin, number = np.unique(both, return_index=True, return_inverse=True)
    found: NDArray[np.int64] = begin[number]
    return found

"""Samples: two modalities, a target and groups, checked once and read in blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modalprism.errors import InputError
from modalprism.estimation.copies import copied_modality
from modalprism.estimation.dependence import ROWS, Dependence, dependence_of
from modalprism.estimation.folds import connected_groups
from modalprism.estimation.source import Rows, Source, check_source, rows_of
from modalprism.estimation.streaming import BLOCK_NUMBERS
from modalprism.estimation.target import Target, check_target
from modalprism.estimation.validation import (
    REPEATED,
    Groups,
    check_classes_cross,
    check_groups,
    check_modalities,
    check_same_rows,
)

Embeddings = Mapping[str, ArrayLike | Rows]

FEWEST_ROWS: Final = 50


@dataclass(frozen=True)
class Sample:
    """Checked sample.

    Attributes
    ----------
    modalities : (str, str)
        Sorted by name, so the result does not depend on their order in a mapping.
    sources : two of Source
    target : Target
    groups : dict of str to ndarray, shape (n,)
        Group columns; rows of one example share a value in one of them, see `repeated`.
    repeated : int
        Number of rows with both embeddings equal to those of an earlier row. They are grouped with
        it, so that no held-out row equals a training row. 0 if the sources are symbols.
    copied : str, optional
        Modality whose columns are all copies of the other's.
    dependence : tuple of Dependence
        Of each source.
    """

    modalities: tuple[str, str]
    sources: tuple[Source, Source]
    target: Target
    groups: dict[str, NDArray[Any]]
    repeated: int = 0
    copied: str | None = None
    dependence: tuple[Dependence, ...] = ()

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.target)


def check_sample(
    embeddings: Embeddings,
    y: ArrayLike,
    groups: Groups,
    folds: int,
    *,
    title: str = "target",
    block_numbers: int = BLOCK_NUMBERS,
) -> Sample:
    """Check a sample in one pass over its rows.

    Parameters
    ----------
    embeddings, y, groups, folds
        As in `modalprism.analyze`.
    title : str
        Description of the target in words.
    block_numbers : int
        Largest number of values of an embedding in memory.

    Raises
    ------
    InputError
        With one sentence on the first error.
    """
    check_modalities(embeddings, folds)
    given = [(str(name), rows_of(str(name), rows)) for name, rows in embeddings.items()]
    check_same_rows(*((name, int(rows.shape[0])) for name, rows in given))
    (first, one), (second, other) = sorted(given, key=lambda pair: pair[0])
    n = int(one.shape[0])
    if n < FEWEST_ROWS:
        raise InputError(f"{n} rows are too few to estimate from; give at least {FEWEST_ROWS}")
    target = check_target(y, n, folds, title)
    columns = check_groups(groups, n)
    source_1, hashes_1 = check_source(first, one, block_numbers)
    source_2, hashes_2 = check_source(second, other, block_numbers)
    first_row = first_rows(hashes_1, hashes_2)
    if repeated := int((first_row != np.arange(n)).sum()):
        columns = tie_repeated(columns, first_row)
    check_classes_cross(columns, target.totals, target.names, folds)
    some = np.arange(min(len(source_1), ROWS))  # `take` reads one block at a time
    rows = source_1.take(some), source_2.take(some)
    label, component = target.rows(some).argmax(1), connected_groups(columns, n)
    return Sample(
        (first, second),
        (source_1, source_2),
        target,
        columns,
        repeated,
        copied_modality((first, second), rows),
        (
            dependence_of(rows[0], hashes_1, component, label),
            dependence_of(rows[1], hashes_2, component, label),
        ),
    )


def first_rows(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return, for every row, the first row with the same two hashes, shape (n,).

    If both embeddings have distinct values in less than half of the rows, every row is its own
    first: symbols or re-paired inputs repeat without being the same example.

    Examples
    --------
    >>> first_rows(np.array([1, 2, 1]), np.array([5, 5, 5]))
    array([0, 1, 0])
    """
    n = len(first)
    if 2 * max(len(np.unique(hashes)) for hashes in (first, second)) < n:
        return np.arange(n)
    order = np.lexsort((second, first))  # stable, so that the first of equal rows comes first
    pairs = np.stack([first, second])[:, order]
    leads = np.concatenate([[True], (pairs[:, 1:] != pairs[:, :-1]).any(0)])
    found = np.empty(n, dtype=np.int64)
    found[order] = order[leads][np.cumsum(leads) - 1]
    return found


def tie_repeated(
    columns: Mapping[str, NDArray[Any]], first: NDArray[np.int64]
) -> dict[str, NDArray[Any]]:
    """Return group columns, one of which keeps rows of one example together.

    An existing column with this property is sufficient. Otherwise the column with the most groups
    merges those that share an example, because an added column would be resampled as well.
    """
    if not columns:
        return {REPEATED: first}
    if any((column[first] == column).all() for column in columns.values()):
        return dict(columns)
    finest = max(columns, key=lambda name: len(np.unique(columns[name])))
    joined = connected_groups({finest: columns[finest], REPEATED: first}, len(first))
    return {**columns, finest: joined}

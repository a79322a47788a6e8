"""Targets: class numbers, or distributions that are read a block of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import entr

from modalprism.estimation.source import stretches
from modalprism.estimation.validation import (
    RAREST,
    check_labels,
    check_probabilities,
    check_two_classes,
    read_target,
)

Array = NDArray[np.float64]

BLOCK_ROWS: Final = 1 << 15
"""Rows of which a few numbers a class are in memory at a time."""


@dataclass(frozen=True)
class Target:
    """A checked target.

    Attributes
    ----------
    names : tuple of str
        Of the classes.
    labels : ndarray of int32, shape (n,), optional
        Numbers of the classes, where the target was given as labels.
    probabilities : ndarray, shape (n, at least C), optional
        As they were given, where it was given as distributions.
    kept : ndarray of int64, shape (C,)
        Columns of the probabilities that have mass.
    title : str
        What the target is, in words.
    """

    names: tuple[str, ...]
    labels: NDArray[np.int32] | None
    probabilities: NDArray[Any] | None
    kept: NDArray[np.int64]
    title: str = "target"

    def __len__(self) -> int:
        """Rows."""
        values = self.probabilities if self.labels is None else self.labels
        return 0 if values is None else len(values)

    @property
    def is_one_block(self) -> bool:
        """Whether all rows are read at once."""
        return len(self) <= BLOCK_ROWS

    @property
    def soft(self) -> bool:
        """Whether it was given as distributions."""
        return self.labels is None

    @property
    def classes(self) -> int:
        """C."""
        return len(self.names)

    @classmethod
    def of_rows(cls, rows: Array) -> Target:
        """Make a target of checked distributions, (n, C), in all of whose classes there is mass."""
        classes = np.arange(rows.shape[1])
        return cls(tuple(map(str, classes)), None, rows, classes)

    @property
    def whole(self) -> Array:
        """All rows as distributions, (n, C)."""
        return self.rows(slice(None))

    def rows(self, which: slice | NDArray[np.int64]) -> Array:
        """Return some rows as distributions, (b, C)."""
        if self.labels is not None:
            return np.eye(self.classes)[self.labels[which]]
        assert self.probabilities is not None  # noqa: S101
        chosen: Array = self.probabilities[which][:, self.kept].astype(np.float64)
        chosen /= chosen.sum(1, keepdims=True)
        return chosen

    def blocks(self) -> Iterator[tuple[slice, Array]]:
        """Yield all rows, a block at a time, and which they are."""
        for start, stop in stretches(len(self), BLOCK_ROWS):
            yield slice(start, stop), self.rows(slice(start, stop))

    def totals(self, code: NDArray[Any], count: int) -> Array:
        """Add the target up by the codes (n,) of `count` groups, (count, C)."""
        if self.labels is not None:
            cell = code.astype(np.int64) * self.classes + self.labels
            counted = np.bincount(cell, minlength=count * self.classes)
            return counted.reshape(count, self.classes).astype(np.float64)
        totals = np.zeros((count, self.classes))
        for where, block in self.blocks():
            np.add.at(totals, code[where], block)
        return totals

    def frequency(self) -> Array:
        """Return p(y), (C,)."""
        total: Array = sum((block.sum(0) for _, block in self.blocks()), np.zeros(self.classes))
        return total / len(self)

    def ceiling(self) -> float:
        """Return what the rows leave to know, H(Y) − mean H(target of a row), in nats."""
        entropy = float(entr(self.frequency()).sum())
        if not self.soft:
            return entropy
        return entropy - sum(float(entr(block).sum()) for _, block in self.blocks()) / len(self)


def check_target(y: ArrayLike, n: int, folds: int, title: str = "target") -> Target:
    """Check the target of n rows: labels, or distributions.

    Classes of a distribution with less than `RAREST` of its mass are left out.

    Raises
    ------
    InputError
        With one sentence on the first thing that is wrong.
    """
    array = read_target(y, n)
    if array.ndim == 1:
        code, names = check_labels(array, folds)
        check_two_classes(len(names))
        return Target(names, code.astype(np.int32), None, np.arange(len(names)), title)
    mass = np.zeros(array.shape[1])
    for start, stop in stretches(n, BLOCK_ROWS):
        mass += check_probabilities(array[start:stop], start).sum(0)
    kept = np.flatnonzero(mass / n > RAREST)
    check_two_classes(len(kept))
    return Target(tuple(map(str, kept)), None, array, kept, title)

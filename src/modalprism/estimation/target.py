"""Targets: class numbers, or distributions that are read in blocks."""

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
"""Number of rows in a block."""


@dataclass(frozen=True)
class Target:
    """Checked target.

    Attributes
    ----------
    names : tuple of str
        Names of the classes.
    labels : ndarray of int32, shape (n,), optional
        Class of every row, for a target of labels.
    probabilities : ndarray, shape (n, at least C), optional
        Rows as given, for a target of distributions.
    kept : ndarray of int64, shape (C,)
        Columns of the probabilities with mass.
    title : str
        Description of the target in words.
    """

    names: tuple[str, ...]
    labels: NDArray[np.int32] | None
    probabilities: NDArray[Any] | None
    kept: NDArray[np.int64]
    title: str = "target"

    def __len__(self) -> int:
        """Return the number of rows."""
        values = self.probabilities if self.labels is None else self.labels
        return 0 if values is None else len(values)

    @property
    def is_one_block(self) -> bool:
        """Whether all rows are one block."""
        return len(self) <= BLOCK_ROWS

    @property
    def soft(self) -> bool:
        """Whether the target was given as distributions."""
        return self.labels is None

    @property
    def classes(self) -> int:
        """Number of classes, C."""
        return len(self.names)

    @classmethod
    def of_rows(cls, rows: Array) -> Target:
        """Make a target from checked distributions, (n, C), with mass in every class."""
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
        """Yield blocks of rows with their indices."""
        for start, stop in stretches(len(self), BLOCK_ROWS):
            yield slice(start, stop), self.rows(slice(start, stop))

    def totals(self, code: NDArray[Any], count: int) -> Array:
        """Sum the target by the codes (n,) of `count` groups, (count, C)."""
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
        """Return the largest possible information, H(Y) − mean H(target of a row), in nats."""
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
        With one sentence on the first error.
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

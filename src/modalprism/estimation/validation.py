"""Checks of samples and options; all their errors are raised here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from modalprism.errors import InputError
from modalprism.estimation.inputs import named_columns, read_labels, read_numbers
from modalprism.pid.validation import check_base

Groups = Mapping[str, ArrayLike] | ArrayLike | pd.DataFrame | None
Seed = int | np.random.Generator | np.random.SeedSequence | None

LARGEST_VALUE: Final = 1e100
LARGEST_SEED: Final = 2**32 - 1
REPEATED: Final = "repeated example"
RAREST: Final = 1e-6
"""Share below which a class of a distribution is left out."""
_ROW_SUM_TOLERANCE: Final = 1e-3
_WHOLE: Final = 1 - 1e-6
"""Share of a class's mass above which it counts as all of it."""


def check_options(base: float, replicates: int, permutations: int = 1) -> None:
    """Check the options that all estimators share.

    Raises
    ------
    InputError
        With one sentence on the first thing that is wrong.
    """
    check_base(base)
    _check_count(replicates, 1, "replicates", "of the intervals")
    _check_count(permutations, 1, "permutations", "of the null distributions")


def _check_count(value: int, least: int, name: str, what: str) -> None:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least:
        raise InputError(
            f"{name}, {what}, is {value!r}: pass a whole number of at least {least}", parameter=name
        )


def seed_number(seed: Seed) -> int:
    """Return an integer seed, or draw one from a generator.

    Parameters
    ----------
    seed : int, None, numpy.random.Generator or numpy.random.SeedSequence
        None draws fresh entropy. A generator advances by one draw.

    Raises
    ------
    InputError
        If it has another type, or is an integer out of range.

    Examples
    --------
    >>> seed_number(7), seed_number(np.random.default_rng(0)) == seed_number(None)
    (7, False)
    """
    if isinstance(seed, np.random.Generator):
        return int(seed.integers(LARGEST_SEED, endpoint=True))
    if seed is None or isinstance(seed, np.random.SeedSequence):
        return int((seed or np.random.SeedSequence()).generate_state(1)[0])
    if not isinstance(seed, int | np.integer) or not 0 <= seed <= LARGEST_SEED:
        raise InputError(
            f"the seed must be a whole number from 0 to {LARGEST_SEED}, not {seed!r}; None, a "
            "numpy.random.Generator or a SeedSequence draws one",
            parameter="seed",
        )
    return int(seed)


def check_shape(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Check that an embedding is an array of numeric rows."""
    if dtype.kind not in "fiub":
        raise InputError(f"the embedding of {name!r} holds {dtype}, not numbers")
    if len(shape) != 2:
        if len(shape) < 2:
            advice = "for one number per example, reshape(-1, 1)"
        else:
            advice = (
                "average over the axes between, such as tokens, or keep all values by "
                f"reshape({shape[0]}, -1)"
            )
        raise InputError(
            f"the embedding of {name!r} has shape {shape}; give one row per example, (n, d): "
            f"{advice}"
        )
    if 0 in shape:
        raise InputError(f"the modality {name!r} is empty (shape {shape}); check its array's name")


def check_size(name: str, largest: float) -> None:
    """Check that an embedding's values can be squared and added."""
    if largest > LARGEST_VALUE:
        raise InputError(
            f"the embedding of {name!r} holds values as large as {largest:.0e}; scale it down"
        )


def read_target(y: ArrayLike, n: int) -> NDArray[Any]:
    """Return the target of n rows: labels (n,), none missing, or numbers (n, C)."""
    array = read_labels("the target", y)
    if array.ndim not in (1, 2) or len(array) != n:
        raise InputError(
            f"the target has shape {array.shape}, but the embeddings have {n} rows; "
            f"give labels ({n},) or the answers' probabilities ({n}, C)"
        )
    return read_numbers("the target", array) if array.ndim == 2 else array


def check_two_classes(classes: int) -> None:
    """Check that a target has at least two classes."""
    if classes < 2:
        raise InputError("the target has one class only; give at least two")


def check_probabilities(array: NDArray[Any], first_row: int = 0) -> NDArray[np.float64]:
    """Check rows (n, C) of distributions, and normalise their sums to exactly 1.

    `first_row` is the index of the first row in the target.
    """
    if array.dtype.kind not in "fiub":
        raise InputError(
            f"the target's probabilities are {array.dtype}, not numbers; "
            "give numbers (n, C), or one label per row, (n,)"
        )
    wrong = ~(np.isfinite(array) & (array >= 0)).all(1)
    if wrong.any():
        raise InputError(
            "the target's probabilities must be finite and not negative, which row "
            f"{first_row + int(wrong.argmax())} is not; softmax logits, and remove missing rows"
        )
    sums = array.sum(1, dtype=np.float64)
    if (np.abs(sums - 1) > _ROW_SUM_TOLERANCE).any():
        row = int(np.argmax(np.abs(sums - 1) > _ROW_SUM_TOLERANCE))
        if ((array == 0) | (array == 1)).all():
            raise InputError(
                f"the target is multi-label: row {first_row + row} has {int(sums[row])} of the "
                f"{array.shape[1]} labels, not 1; analyse each label separately, y[:, k], or make "
                "one class of every combination, such as [str(row) for row in y.tolist()]"
            )
        raise InputError(
            f"row {first_row + row} of the target sums to {sums[row]:.4g}, not 1; "
            "give probabilities (softmax the logits), or labels of shape (n,)"
        )
    probabilities: NDArray[np.float64] = array.astype(np.float64) / sums[:, None]
    return probabilities


def check_labels(array: NDArray[Any], folds: int) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Check labels (n,), none missing, and return class numbers and class names."""
    n = len(array)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        row = int(np.argmin(np.isfinite(array)))
        raise InputError(f"the target is infinite in row {row}; remove such rows")
    values, code = np.unique(array, return_inverse=True)
    if len(values) > max(2, n // folds):
        raise InputError(
            f"the target takes {len(values)} different values in {n} rows; "
            "code a continuous target into classes first"
        )
    mass = np.bincount(code)
    if mass.max() < folds:
        raise InputError(
            f"folds is {folds}, more than the rows of any class ({int(mass.max())} at most); give "
            "fewer folds, such as 5",
            parameter="folds",
        )
    if (few := np.flatnonzero(mass < folds)).size and len(values) > 1:
        raise InputError(
            f"class {values[few[0]]!s} has too few rows, {int(mass[few[0]])} for {folds} "
            "folds; merge it with another class, remove it, or use fewer folds"
        )
    return code.astype(np.int64), tuple(map(str, values))


def check_groups(groups: Groups, n: int) -> dict[str, NDArray[Any]]:
    """Check the group columns of n rows."""
    columns = {
        name: read_labels(f"the group column {name!r}", column)
        for name, column in named_columns(groups).items()
    }
    for name, column in columns.items():
        if column.shape != (n,):
            raise InputError(
                f"the group column {name!r} has shape {column.shape}; give one value per row, "
                f'({n},), and several columns by name, such as {{"patient": ids}}'
            )
    return columns


def check_classes_cross(
    columns: Mapping[str, NDArray[Any]],
    totals: Callable[[NDArray[Any], int], NDArray[np.float64]],
    classes: tuple[str, ...],
    folds: int,
) -> None:
    """Check that no group holds a whole class, which would leave no training rows for it.

    `totals` sums the target by the codes (n,) of a number of groups, (groups, C).
    """
    for name, column in columns.items():
        values, code = np.unique(column, return_inverse=True)
        if len(values) < folds:
            continue  # too few groups are reported for all columns together
        held = totals(code, len(values))
        # Ignore classes of a distribution with less than one row.
        whole = (held >= _WHOLE * held.sum(0)) & (held >= folds - 0.5)
        if whole.any():
            group, number = np.argwhere(whole)[0]
            where = (
                "are the same example"
                if name == REPEATED
                else f"are in one group, {values[group]!s} of {name!r}"
            )
            raise InputError(
                f"all rows of class {classes[number]} {where}, so the two cannot be "
                "separated; remove the class, merge it with another, or add rows of other groups"
            )


def check_modalities(embeddings: Mapping[str, Any], folds: int) -> tuple[str, str]:
    """Check that the mapping has two modalities, and the folds; return the names."""
    if not isinstance(embeddings, Mapping) or len(embeddings) != 2:
        given = ", ".join(map(str, embeddings)) if isinstance(embeddings, Mapping) else "no mapping"
        raise InputError(
            f'a decomposition has two modalities, such as {{"image": X1, "text": X2}}; got {given}'
        )
    _check_count(folds, 3, "folds", "of nested cross-fitting")
    first, second = (str(name) for name in embeddings)
    if first == second:
        raise InputError(f"both modalities are called {first!r}; give two different names")
    return first, second


def check_same_rows(one: tuple[str, int], other: tuple[str, int]) -> None:
    """Check that two embeddings, given by name and length, have equally many rows."""
    if one[1] != other[1]:
        raise InputError(
            f"{one[0]!r} has {one[1]} rows but {other[0]!r} has {other[1]}; "
            "row i of both must be the same example"
        )

"""The door of the estimators: everything that can be wrong with a sample is said here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from modalprism.errors import InputError
from modalprism.estimation.copies import copied_modality
from modalprism.estimation.folds import connected_groups
from modalprism.estimation.inputs import named_columns, read_labels, read_numbers

Groups = Mapping[str, ArrayLike] | ArrayLike | pd.DataFrame | None
Seed = int | np.random.Generator | np.random.SeedSequence | None

FEWEST_ROWS: Final = 50
LARGEST_VALUE: Final = 1e100
LARGEST_SEED: Final = 2**32 - 1
REPEATED: Final = "repeated example"
RAREST: Final = 1e-6
"""Share of a distribution's class below which it is left out."""
_ROW_SUM_TOLERANCE: Final = 1e-3
_WHOLE: Final = 1 - 1e-6
"""Share of a class's mass above which it is all of it."""


@dataclass(frozen=True)
class Sample:
    """A checked sample.

    Attributes
    ----------
    modalities : (str, str)
    embeddings : two of ndarray of float64, shapes (n, d1) and (n, d2)
    target : ndarray of float64, shape (n, C)
        Rows sum to 1; every class has mass.
    soft : bool
        Whether the target was given as distributions.
    groups : dict of str to ndarray, shape (n,)
        Rows of one example share a value in one of them, see `repeated`.
    repeated : int
        Rows whose whole example, both embeddings, stands in an earlier row. They are tied to it,
        or a held-out row would have been seen. 0 where the sources are symbols.
    copied : str, optional
        The modality whose columns are all copies of the other's.
    """

    modalities: tuple[str, str]
    embeddings: tuple[NDArray[np.float64], NDArray[np.float64]]
    target: NDArray[np.float64]
    soft: bool
    groups: dict[str, NDArray[Any]]
    repeated: int = 0
    copied: str | None = None

    def sorted(self) -> Sample:
        """Return the sample with its modalities in the order of their names."""
        (first, one), (second, other) = sorted(
            zip(self.modalities, self.embeddings, strict=True), key=lambda pair: pair[0]
        )
        return replace(self, modalities=(first, second), embeddings=(one, other))


def check_options(base: float, replicates: int, permutations: int = 1) -> None:
    """Check the options that all estimators share.

    Raises
    ------
    InputError
        With one sentence on the first thing that is wrong.
    """
    if not 1 < base < math.inf:
        raise InputError(f"the base of the logarithm must be a number above 1, not {base}")
    if replicates < 1:
        raise InputError(f"intervals need at least one replicate, not {replicates}")
    if permutations < 1:
        raise InputError(f"nulls need at least one permutation, not {permutations}")


def seed_number(seed: Seed) -> int:
    """Return the number that a seed is, or one that is drawn from it.

    Parameters
    ----------
    seed : int, None, numpy.random.Generator or numpy.random.SeedSequence
        None draws fresh entropy. A generator advances by one draw.

    Raises
    ------
    InputError
        If it is none of these, or an integer out of range.

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
            "numpy.random.Generator or a SeedSequence draws one"
        )
    return int(seed)


def _check_embedding(name: str, embedding: ArrayLike) -> NDArray[np.float64]:
    array = read_numbers(f"the embedding of {name!r}", embedding)
    check_shape(name, array.shape, array.dtype)
    finite = np.isfinite(array).all(1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise InputError(
            f"the embedding of {name!r} has NaN or infinite values in {int((~finite).sum())} rows, "
            f"the first of them row {row}; remove those rows, or capture in float32"
        )
    with np.errstate(over="ignore"):  # of a wider dtype; said below
        # Rows one after another, so that the order of the memory decides no bit.
        array = array.astype(np.float64, order="C")
    check_size(name, float(np.abs(array).max()))
    return array


def check_shape(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Check that an embedding is rows of numbers."""
    if dtype.kind not in "fiub":
        raise InputError(f"the embedding of {name!r} holds {dtype}, not numbers")
    if len(shape) != 2:
        raise InputError(
            f"the embedding of {name!r} has shape {shape}; "
            "give one row an example, (n, d): reshape(-1, 1) numbers, and pool the tokens first"
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


def _check_target(
    y: ArrayLike, n: int, folds: int
) -> tuple[NDArray[np.float64], bool, tuple[str, ...]]:
    """Return the target as distributions, whether it was given so, and its classes' names."""
    array = read_target(y, n)
    if array.ndim == 2:
        target = check_probabilities(array)
        kept = np.flatnonzero(target.mean(0) > RAREST)
        target = target[:, kept]
        target /= target.sum(1, keepdims=True)
        names = tuple(map(str, kept))
    else:
        code, names = check_labels(array, folds)
        target = np.eye(len(names))[code]
    check_two_classes(target.shape[1])
    return target, array.ndim == 2, names


def check_two_classes(classes: int) -> None:
    """Check that a target has something to tell apart."""
    if classes < 2:
        raise InputError("the target has one class only: there is nothing to tell apart")


def check_probabilities(array: NDArray[Any], first_row: int = 0) -> NDArray[np.float64]:
    """Check rows (n, C) of a target that are distributions, and bring their sums to 1 exactly.

    `first_row` is the number of the first of them, where they are some of a target's rows.
    """
    if array.dtype.kind not in "fiub":
        raise InputError(
            f"the target's probabilities are {array.dtype}, not numbers; "
            "give numbers (n, C), or one label a row, (n,)"
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
                f"{array.shape[1]} labels, not 1; analyse each label by itself, y[:, k], or make "
                "one class of every combination, such as [str(row) for row in y.tolist()]"
            )
        raise InputError(
            f"row {first_row + row} of the target sums to {sums[row]:.4g}, not 1; "
            "give probabilities (softmax the logits), or labels of shape (n,)"
        )
    probabilities: NDArray[np.float64] = array.astype(np.float64) / sums[:, None]
    return probabilities


def check_labels(array: NDArray[Any], folds: int) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Check labels (n,), none missing, and return their numbers and the names of the classes."""
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
    if (few := np.flatnonzero(mass < folds)).size and len(values) > 1:
        raise InputError(
            f"class {values[few[0]]!s} has too few rows, {int(mass[few[0]])} for {folds} "
            "folds; merge it with another class, remove it, or ask for fewer folds"
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
                f"the group column {name!r} has shape {column.shape}; give one value a row, "
                f'({n},), and several columns by name, such as {{"patient": ids}}'
            )
    return columns


def _totals(target: NDArray[np.float64]) -> Callable[[NDArray[Any], int], NDArray[np.float64]]:
    def totals(code: NDArray[Any], count: int) -> NDArray[np.float64]:
        held = np.zeros((count, target.shape[1]))
        np.add.at(held, code, target)
        return held

    return totals


def check_classes_cross(
    columns: Mapping[str, NDArray[Any]],
    totals: Callable[[NDArray[Any], int], NDArray[np.float64]],
    classes: tuple[str, ...],
    folds: int,
) -> None:
    """Check that no group holds a whole class: nothing outside would tell what it looks like.

    `totals` adds the target up by the codes (n,) of so many groups, (groups, C).
    """
    for name, column in columns.items():
        values, code = np.unique(column, return_inverse=True)
        if len(values) < folds:
            continue  # too few groups is said of all columns together
        held = totals(code, len(values))
        # A distribution may have classes of less than a row each: they hardly count.
        whole = (held >= _WHOLE * held.sum(0)) & (held >= folds - 0.5)
        if whole.any():
            group, number = np.argwhere(whole)[0]
            where = (
                "are one and the same example"
                if name == REPEATED
                else f"are in one group, {values[group]!s} of {name!r}"
            )
            raise InputError(
                f"all rows of class {classes[number]} {where}, so that it cannot be told from that "
                "group; remove the class, merge it with another, or add rows of it from elsewhere"
            )


def first_rows(embeddings: tuple[NDArray[np.float64], NDArray[np.float64]]) -> NDArray[np.int64]:
    """Return, for every row, the first row with the same values in both embeddings, shape (n,).

    Every row stands alone where neither embedding is different in at least half of the rows:
    symbols, or partners that are combined, meet again without being one example.

    Examples
    --------
    >>> image, text = np.array([[1.0], [2.0], [1.0]]), np.array([[5.0], [5.0], [5.0]])
    >>> first_rows((image, text))
    array([0, 1, 0])
    """
    # 0.0 and -0.0 are equal, but not to their bytes.
    hashes = [[hash((row + 0.0).tobytes()) for row in embedding] for embedding in embeddings]
    n = len(hashes[0])
    if 2 * max(len(set(column)) for column in hashes) < n:
        return np.arange(n)
    seen: dict[tuple[int, int], int] = {}
    keys = zip(*hashes, strict=True)
    return np.array([seen.setdefault(key, row) for row, key in enumerate(keys)], dtype=np.int64)


def tie_repeated(
    columns: Mapping[str, NDArray[Any]], first: NDArray[np.int64]
) -> dict[str, NDArray[Any]]:
    """Return group columns, one of which holds rows of one example together.

    A column that does so already is enough. Otherwise the column with the most groups joins those
    that share an example: a column more would be resampled once more.
    """
    if not columns:
        return {REPEATED: first}
    if any((column[first] == column).all() for column in columns.values()):
        return dict(columns)
    finest = max(columns, key=lambda name: len(np.unique(columns[name])))
    joined = connected_groups({finest: columns[finest], REPEATED: first}, len(first))
    return {**columns, finest: joined}


def check_modalities(embeddings: Mapping[str, Any], folds: int) -> tuple[str, str]:
    """Check that there are two modalities and folds enough, and return their names."""
    if not isinstance(embeddings, Mapping) or len(embeddings) != 2:
        given = ", ".join(map(str, embeddings)) if isinstance(embeddings, Mapping) else "no mapping"
        raise InputError(
            f'a decomposition has two modalities, such as {{"image": X1, "text": X2}}; got {given}'
        )
    if folds < 3:
        raise InputError(f"nested cross-fitting needs at least 3 folds, not {folds}")
    first, second = (str(name) for name in embeddings)
    if first == second:
        raise InputError(f"both modalities are called {first!r}; give each a name of its own")
    return first, second


def check_same_rows(names: tuple[str, str], rows: tuple[int, int]) -> None:
    """Check that two embeddings have equally many rows."""
    if rows[0] != rows[1]:
        raise InputError(
            f"{names[0]!r} has {rows[0]} rows but {names[1]!r} has {rows[1]}; "
            "row i of both must be the same example"
        )


def check_sample(
    embeddings: Mapping[str, ArrayLike],
    y: ArrayLike,
    groups: Groups,
    folds: int,
) -> Sample:
    """Check a sample.

    Raises
    ------
    InputError
        With one sentence on the first thing that is wrong.
    """
    first, second = check_modalities(embeddings, folds)
    arrays = [_check_embedding(str(name), array) for name, array in embeddings.items()]
    n = len(arrays[0])
    check_same_rows((first, second), (n, len(arrays[1])))
    if n < FEWEST_ROWS:
        raise InputError(f"{n} rows are too few to estimate from; give at least {FEWEST_ROWS}")
    target, soft, classes = _check_target(y, n, folds)
    columns = check_groups(groups, n)
    first_row = first_rows((arrays[0], arrays[1]))
    if repeated := int((first_row != np.arange(n)).sum()):
        columns = tie_repeated(columns, first_row)
    check_classes_cross(columns, _totals(target), classes, folds)
    return Sample(
        (first, second),
        (arrays[0], arrays[1]),
        target,
        soft,
        columns,
        repeated,
        copied_modality((first, second), (arrays[0], arrays[1])),
    )

"""The door of the estimators: everything that can be wrong with a sample is said here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from modalprism.errors import InputError

FEWEST_ROWS: Final = 50
LARGEST_VALUE: Final = 1e100
LARGEST_SEED: Final = 2**32 - 1
_ROW_SUM_TOLERANCE: Final = 1e-3


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
    """

    modalities: tuple[str, str]
    embeddings: tuple[NDArray[np.float64], NDArray[np.float64]]
    target: NDArray[np.float64]
    soft: bool
    groups: dict[str, NDArray[Any]]

    def sorted(self) -> Sample:
        """Return the sample with its modalities in the order of their names."""
        (first, one), (second, other) = sorted(
            zip(self.modalities, self.embeddings, strict=True), key=lambda pair: pair[0]
        )
        return replace(self, modalities=(first, second), embeddings=(one, other))


def check_options(base: float, replicates: int, seed: int, permutations: int = 1) -> None:
    """Check what every estimator is asked with.

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
    if not 0 <= seed <= LARGEST_SEED:
        raise InputError(f"the seed must be a whole number from 0 to {LARGEST_SEED}, not {seed}")


def read_array(what: str, values: ArrayLike) -> NDArray[Any]:
    """Return an array of anything that is one."""
    try:
        return np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:
        raise InputError(f"{what} cannot be read as an array: {error}") from error


def _check_names(what: str, array: NDArray[Any]) -> None:
    """Check labels or groups: none is missing, and they can be told apart."""
    missing = pd.isna(array)
    if missing.any():
        raise InputError(f"{what} is missing in row {int(missing.argmax())}; remove such rows")
    if array.dtype.kind != "O":
        return
    try:
        np.unique(array)
    except TypeError as error:
        raise InputError(f"{what} mixes values that have no order ({error})") from error


def _check_embedding(name: str, embedding: ArrayLike) -> NDArray[np.float64]:
    array = read_array(f"the embedding of {name!r}", embedding)
    if array.dtype.kind not in "fiub":
        raise InputError(f"the embedding of {name!r} holds {array.dtype}, not numbers")
    if array.ndim != 2:
        raise InputError(
            f"the embedding of {name!r} has shape {array.shape}; "
            "give one row an example, (n, d): pool the tokens first"
        )
    if array.size == 0:
        raise InputError(
            f"the modality {name!r} is empty (shape {array.shape}); check its array's name"
        )
    finite = np.isfinite(array).all(1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise InputError(
            f"the embedding of {name!r} has NaN or infinite values in {int((~finite).sum())} rows, "
            f"the first of them row {row}; remove those rows, or capture in float32"
        )
    array = array.astype(np.float64)
    if (largest := float(np.abs(array).max())) > LARGEST_VALUE:
        raise InputError(
            f"the embedding of {name!r} holds values as large as {largest:.0e}; scale it down"
        )
    return array


def _check_target(y: ArrayLike, n: int, folds: int) -> tuple[NDArray[np.float64], bool]:
    array = read_array("the target", y)
    if array.ndim not in (1, 2) or len(array) != n:
        raise InputError(
            f"the target has shape {array.shape}, but the embeddings have {n} rows; "
            f"give labels ({n},) or the answers' probabilities ({n}, C)"
        )
    if array.ndim == 2:
        if array.dtype.kind not in "fiu" or not np.isfinite(array).all() or (array < 0).any():
            raise InputError("the target's probabilities must be finite and not negative")
        sums = array.sum(1, dtype=np.float64)
        if (np.abs(sums - 1) > _ROW_SUM_TOLERANCE).any():
            row = int(np.argmax(np.abs(sums - 1)))
            raise InputError(
                f"row {row} of the target sums to {sums[row]:.4g}, not 1; "
                "give probabilities (softmax the logits), or labels of shape (n,)"
            )
        target = array.astype(np.float64) / sums[:, None]
        target = target[:, target.mean(0) > 1e-6]
        target /= target.sum(1, keepdims=True)
        mass = target.sum(0)
    else:
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            row = int(np.argmin(np.isfinite(array)))
            raise InputError(f"the target is NaN or infinite in row {row}; remove such rows")
        _check_names("the target", array)
        values, code = np.unique(array, return_inverse=True)
        if len(values) > max(2, n // folds):
            raise InputError(
                f"the target takes {len(values)} different values in {n} rows; "
                "code a continuous target into classes first"
            )
        target = np.eye(len(values))[code]
        mass = target.sum(0)
        if (few := np.flatnonzero(mass < folds)).size and len(values) > 1:
            raise InputError(
                f"class {values[few[0]]!s} has too few rows, {int(mass[few[0]])} for {folds} "
                "folds; merge it with another class, remove it, or ask for fewer folds"
            )
    if target.shape[1] < 2:
        raise InputError("the target has one class only: there is nothing to tell apart")
    return target, array.ndim == 2


def check_sample(
    embeddings: Mapping[str, ArrayLike],
    y: ArrayLike,
    groups: Mapping[str, ArrayLike] | None,
    folds: int,
) -> Sample:
    """Check a sample.

    Raises
    ------
    InputError
        With one sentence on the first thing that is wrong.
    """
    if not isinstance(embeddings, Mapping) or len(embeddings) != 2:
        given = ", ".join(map(str, embeddings)) if isinstance(embeddings, Mapping) else "no mapping"
        raise InputError(
            f'a decomposition has two modalities, such as {{"image": X1, "text": X2}}; got {given}'
        )
    if folds < 3:
        raise InputError(f"nested cross-fitting needs at least 3 folds, not {folds}")
    first, second = (str(name) for name in embeddings)
    arrays = [_check_embedding(str(name), array) for name, array in embeddings.items()]
    n = len(arrays[0])
    if len(arrays[1]) != n:
        raise InputError(
            f"{first!r} has {n} rows but {second!r} has {len(arrays[1])}; "
            "row i of both must be the same example"
        )
    if n < FEWEST_ROWS:
        raise InputError(f"{n} rows are too few to estimate from; give at least {FEWEST_ROWS}")
    target, soft = _check_target(y, n, folds)
    columns = {
        str(name): read_array(f"the group column {name!r}", column)
        for name, column in (groups or {}).items()
    }
    for name, column in columns.items():
        if column.shape != (n,):
            raise InputError(
                f"the group column {name!r} has shape {column.shape}; give one value a row, ({n},)"
            )
        _check_names(f"the group column {name!r}", column)
    return Sample((first, second), (arrays[0], arrays[1]), target, soft, columns)

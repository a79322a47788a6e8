"""Read embeddings, labels and groups as NumPy arrays, and check that their rows agree.

This module refuses silent conversions by NumPy and pandas that would change the data: a list of
words and NaN becomes the word "nan", and the index of a table is dropped.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Set
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import infer_dtype, is_numeric_dtype
from torch import Tensor

from modalprism.arrays import read_array
from modalprism.errors import InputError

_NUMBERS: Final = ("floating", "integer", "mixed-integer-float", "boolean", "decimal")
_WIDTH_OF_FLOATS: Final = 32
"""Letters of the text dtype that NumPy makes of words and floats together."""


def read_numbers(what: str, values: Any) -> NDArray[Any]:
    """Return an array, with object arrays of numbers or rows converted to numbers.

    Raises
    ------
    InputError
        As `read_array`, and if rows differ in length.
    """
    array = read_array(what, values)
    if array.dtype.kind != "O" or not array.size:
        return array
    if array.ndim == 1 and all(
        isinstance(row, list | tuple | np.ndarray | Tensor) for row in array
    ):
        rows = [read_array(f"row {number} of {what}", row) for number, row in enumerate(array)]
        odd = next((number for number, row in enumerate(rows) if row.shape != rows[0].shape), None)
        if odd is not None:
            raise InputError(
                f"row {odd} of {what} has shape {rows[odd].shape}, but row 0 has {rows[0].shape}; "
                "give rows of one length"
            )
        return np.stack(rows)
    if infer_dtype(array.ravel(), skipna=True) in _NUMBERS:
        return np.where(pd.isna(array), np.nan, array).astype(np.float64)
    if isinstance(values, pd.DataFrame):
        odd = next(at for at, dtype in enumerate(values.dtypes) if not is_numeric_dtype(dtype))
        raise InputError(
            f"column {values.columns[odd]!r} of {what} holds {values.dtypes.iloc[odd]}, not "
            "numbers; leave it out"
        )
    return array


def read_labels(what: str, values: Any) -> NDArray[Any]:
    """Return labels or group values, none of them missing; a column (n, 1) becomes (n,).

    NaN, None, NaT, <NA> and blank text are missing. Text "nan" is a word like any other.

    Parameters
    ----------
    what : str
        Name of the parameter, for messages.
    values : array_like, shape (n,), (n, 1) or any other
        An array of another shape is returned as it is.

    Raises
    ------
    InputError
        If a value is missing, or values cannot be ordered or are not labels.

    Examples
    --------
    >>> read_labels("the target", [["a"], ["b"]])
    array(['a', 'b'], dtype='<U1')
    >>> read_labels("the target", ["a", float("nan"), "b"])
    Traceback (most recent call last):
    modalprism.errors.InputError: the target is missing in row 1; remove such rows
    """
    array = read_array(what, values)
    column = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if column.ndim != 1:
        return array
    listed = isinstance(values, list | tuple) and not any(isinstance(v, Tensor) for v in values)
    if listed and column.dtype.kind != "O":
        # NumPy gives the values of a list one dtype. If that changes a value, the original
        # counts: missing values among words, whole numbers beyond 2**53 among others, and NUL at
        # the end of a word.
        given = np.array(values, dtype=object).reshape(len(column))
        if not all(map(operator.eq, given, column.tolist())):
            column = given
    _check_labels(what, column)
    return column


def _check_labels(what: str, labels: NDArray[Any]) -> None:
    """Check that no label is missing, and that labels can be ordered."""
    if labels.dtype.kind in "cV":
        raise InputError(f"{what} holds {labels.dtype}, which are not labels")
    missing = pd.isna(labels)
    if labels.dtype.kind in "US":
        missing = np.strings.str_len(np.strings.strip(labels)) == 0
    elif labels.dtype.kind == "O":
        missing |= [isinstance(each, str | bytes) and not each.strip() for each in labels]
    if missing.any():
        raise InputError(f"{what} is missing in row {int(missing.argmax())}; remove such rows")
    wide = labels.dtype.str[1:] in (f"U{_WIDTH_OF_FLOATS}", f"S{_WIDTH_OF_FLOATS}")
    if wide and (missing := labels.astype(np.str_) == "nan").any():
        raise InputError(
            f"{what} is 'nan' in row {int(missing.argmax())}, in an array that NumPy "
            "made of words and floating-point numbers: remove rows where it is missing; if 'nan' "
            "is a word, give a list of words"
        )
    if labels.dtype.kind != "O":
        return
    for row, each in enumerate(labels):
        if isinstance(each, list | Set | Mapping | np.ndarray | Tensor):
            raise InputError(
                f"{what} is of type {type(each).__name__} in row {row}; give one label per row"
            )
    try:
        np.unique(labels)
    except (TypeError, ValueError) as error:  # arrays and matrices cannot be ordered
        raise InputError(
            f"{what} mixes values that cannot be ordered ({error}): give "
            "values of one type, such as all of them as strings"
        ) from error


def named_columns(groups: Any) -> dict[str, Any]:
    """Return group columns by name, from a mapping, a table, one array, or None.

    Examples
    --------
    >>> named_columns({"patient": [1, 1, 2]})
    {'patient': [1, 1, 2]}
    >>> named_columns([1, 1, 2])
    {'group': [1, 1, 2]}
    """
    if groups is None:
        return {}
    if isinstance(groups, pd.DataFrame):
        pairs = [(str(name), groups.iloc[:, at]) for at, name in enumerate(groups.columns)]
    elif isinstance(groups, Mapping):
        pairs = [(str(name), column) for name, column in groups.items()]
    else:
        name = getattr(groups, "name", None)
        pairs = [(name if isinstance(name, str) and name else "group", groups)]
    columns = dict(pairs)
    if len(columns) < len(pairs):
        raise InputError("two group columns have the same name; rename one of them")
    return columns


def check_index(tables: Mapping[str, Any]) -> None:
    """Check that all pandas tables and columns have equal indices.

    A default index counts too: after a renumbering of rows, their order relative to the other table
    is unknown.

    Parameters
    ----------
    tables : mapping of str to object
        Embeddings, target and groups by their names in messages; only those with a pandas index
        are compared.

    Raises
    ------
    InputError
        If two of equal length have different indices; the message says how to align them.

    Examples
    --------
    >>> check_index({"the target": pd.Series([0, 1]), "group 'patient'": pd.Series([2, 2])})
    """
    indexed = [
        (what, values.index)
        for what, values in tables.items()
        if isinstance(values, pd.DataFrame | pd.Series)
    ]
    for what, index in indexed[1:]:
        first, expected = indexed[0]
        if len(index) != len(expected) or index.equals(expected):
            continue  # different lengths are reported with the shapes
        pairs = enumerate(zip(expected, index, strict=True))
        row = next((row for row, (one, other) in pairs if one != other), 0)
        where = f"{first} and {what} have different indices"
        one, other = expected.tolist()[row], index.tolist()[row]
        labels = f"row {row} is {one!r} in one and {other!r} in the other"
        raise InputError(f"{where} ({labels}); {_how_to_align(expected, index)}")


def _how_to_align(one: pd.Index[Any], other: pd.Index[Any]) -> str:
    if one.is_unique and other.is_unique and set(one) == set(other):
        return "they hold the same labels in another order: align them, such as by y.loc[X.index]"
    by_position = "if row i of both is the same example, give both reset_index(drop=True)"
    if one.is_unique and other.is_unique:
        return f"{by_position}; if not, select the labels that they share with .loc first"
    return f"{by_position}; if not, sort both by a key without duplicates first"

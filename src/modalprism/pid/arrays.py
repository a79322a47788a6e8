"""Conversion of user input to arrays: NumPy, torch and pandas objects, and nested lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from modalprism.arrays import is_pandas, read_array
from modalprism.errors import InputError


def to_array(values: Any, name: str, axes: tuple[str, ...]) -> NDArray[Any]:
    """Return a table as an array of any rank; `name` and the expected `axes` are for messages.

    Torch tensors may be of any real type, on any device, and may require gradients. A pandas
    Series becomes dense: each level of its index is an axis, with the symbols in sorted order.
    `InputError` if the values cannot be converted, or the index of a Series has another depth.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"image": [0, 0, 1], "text": [0, 1, 1], "answer": ["n", "n", "y"]})
    >>> to_array(rows.value_counts(), "joint", ("n1", "n2", "C")).tolist()
    [[[1.0, 0.0], [1.0, 0.0]], [[0.0, 0.0], [0.0, 1.0]]]
    """
    if _has_levels(values):
        return _dense(values, name, axes)
    if is_pandas(values, "DataFrame") and len(axes) > 2:
        raise InputError(
            f"{name} is a DataFrame: pass its counts, {name}.value_counts() of the columns of the"
            " sources and the target in this order; or an array of shape"
            f" ({', '.join(axes)})"
        )
    return read_array(name, values, f"pass numbers of shape ({', '.join(axes)})")


def resolution(values: Any) -> float:
    """Return the relative spacing of a table's numbers: 0 for integers and for nested lists.

    Examples
    --------
    >>> f"{resolution(np.ones(2, 'f4')):.1e}", resolution([1.0, 2.0])
    ('1.2e-07', 0.0)
    """
    if is_pandas(values, "DataFrame"):
        return max(map(_spacing, values.dtypes), default=0.0)
    if isinstance(values, list | tuple):
        return max((_spacing(getattr(each, "dtype", None)) for each in values), default=0.0)
    return _spacing(getattr(values, "dtype", None))


def _spacing(dtype: Any) -> float:
    """Return the relative spacing of a dtype of torch, NumPy or pandas; 0 if it is not a float."""
    if isinstance(dtype, torch.dtype):
        return float(torch.finfo(dtype).eps) if dtype.is_floating_point else 0.0
    # Nullable and sparse pandas dtypes wrap a NumPy dtype.
    dtype = getattr(dtype, "numpy_dtype", getattr(dtype, "subtype", dtype))
    if isinstance(dtype, np.dtype) and dtype.kind == "f":
        return float(np.finfo(dtype).eps)
    return 0.0


def rank(values: Any) -> int:
    """Return the number of axes of the array that `to_array` returns."""
    return int(values.index.nlevels) if _has_levels(values) else np.ndim(values)


def symbols(values: Any) -> list[Any] | None:
    """Return the symbols on the last axis of a pandas object; None for other objects."""
    if is_pandas(values, "DataFrame"):
        return list(values.columns)
    if _has_levels(values):
        return list(values.index.remove_unused_levels().levels[-1])
    return None


def _has_levels(values: Any) -> bool:
    """Return whether the values are a Series with the symbols in its index."""
    return is_pandas(values, "Series") and values.index.nlevels > 1


def _dense(series: Any, name: str, axes: tuple[str, ...]) -> NDArray[Any]:
    """Convert a Series with the symbols in its index to a table; sum equal keys."""
    index = series.index.remove_unused_levels()
    if index.nlevels != len(axes):
        raise InputError(
            f"{name} is a Series whose index has {index.nlevels} levels: pass one of"
            f" {len(axes)} levels, for ({', '.join(axes)})"
        )
    codes = [np.asarray(code) for code in index.codes]
    if any((code < 0).any() for code in codes) or any(one.hasnans for one in index.levels):
        raise InputError(f"{name} has missing values in its index: fill or drop them")
    values = np.asarray(series)
    if values.dtype.kind not in "biuf":
        raise InputError(f"{name} holds {series.dtype}: pass counts or probabilities")
    table = np.zeros([len(level) for level in index.levels])  # a sum may not fit the dtype
    np.add.at(table, tuple(codes), values)
    return table

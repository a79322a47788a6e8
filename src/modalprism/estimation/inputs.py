"""Read arrays, tensors, tables and lists as NumPy arrays, and check that their rows agree.

Conversions that NumPy does silently are refused here where they would change the data: a list of
words and NaN becomes the word "nan", masked values become ordinary ones, and the index of a table
is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Set, Sized
from typing import Any, Final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pandas.api.types import infer_dtype, is_numeric_dtype
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from modalprism.errors import InputError

_NATIVE_FLOATS: Final = (torch.float16, torch.float32, torch.float64)
_NUMBERS: Final = ("floating", "integer", "mixed-integer-float", "boolean", "decimal")
_WIDTH_OF_FLOATS: Final = 32
"""Letters of the text that NumPy makes of words and floating-point numbers together."""


def read_array(what: str, values: Any) -> NDArray[Any]:
    """Return the array that `values` holds.

    Parameters
    ----------
    what : str
        The parameter, as messages name it.
    values : array_like
        Anything that NumPy converts; tensors of any floating-point dtype and any device, with or
        without gradients, and lists of them; arrays that are exchanged by DLPack.

    Raises
    ------
    InputError
        If it is no array, is sparse, or has masked values.
    """
    if values is None or isinstance(values, str | bytes | Mapping | Set):
        kind = "None" if values is None else f"of type {type(values).__name__}"
        raise InputError(f"{what} is {kind}, not an array; give one value or one row an example")
    sequence = isinstance(values, list | tuple)
    if np.ma.is_masked(values) or (sequence and any(each is np.ma.masked for each in values)):
        raise InputError(f"{what} has masked values; fill them in, or remove those rows")
    _refuse_sparse(what, values)
    try:
        if sequence and values and all(isinstance(each, Tensor) for each in values):
            values = torch.stack([each.detach().cpu() for each in values])
        array = _converted(values)
    except (ValueError, TypeError, RuntimeError, BufferError) as error:
        reason = _uneven(values) if sequence else ""
        raise InputError(f"{what} cannot be read as an array: {reason or error}") from error
    if array.dtype.kind == "O" and array.ndim == 0:
        raise InputError(
            f"{what} is of type {type(values).__name__}, which is no array; make a list of it"
        )
    return array


def _uneven(rows: list[Any] | tuple[Any, ...]) -> str:
    """Return how rows differ in length, if they do."""
    lengths = [len(row) if isinstance(row, Sized) else 0 for row in rows]
    odd = next((at for at, length in enumerate(lengths) if length != lengths[0]), None)
    if odd is None:
        return ""
    return (
        f"row 0 has {lengths[0]} values and row {odd} has {lengths[odd]}; give rows of one length, "
        "or one value a row"
    )


def _refuse_sparse(what: str, values: Any) -> None:
    sparse = (
        values.layout is not torch.strided
        if isinstance(values, Tensor)
        else hasattr(values, "nnz") and hasattr(values, "shape")  # SciPy's, CuPy's and others
    )
    if sparse:
        raise InputError(
            f"{what} is a sparse matrix; reduce it to dense columns, such as by "
            "sklearn.decomposition.TruncatedSVD, or convert it with toarray()"
        )


def _converted(values: Any) -> NDArray[Any]:
    if isinstance(values, Tensor):
        return _of_tensor(values)
    if isinstance(values, pd.DataFrame) and all(map(is_numeric_dtype, values.dtypes)):
        if all(isinstance(dtype, np.dtype) for dtype in values.dtypes):
            return values.to_numpy()
        return values.to_numpy(np.float64, na_value=np.nan)  # <NA> is a value of no NumPy dtype
    by_dlpack = hasattr(values, "__dlpack__") and not isinstance(values, np.ndarray)
    if by_dlpack and not hasattr(values, "__array__"):
        return _of_tensor(from_dlpack(values))
    try:
        array = np.asarray(values)
    except TypeError:  # arrays on a GPU refuse to be converted implicitly
        if not by_dlpack:
            raise
        return _of_tensor(from_dlpack(values))
    if array.dtype.kind == "T":  # text of variable width keeps its missing values as objects
        return array.astype(object)
    if array.dtype.kind == "V" and array.dtype.names is None and array.dtype.name[:4] != "void":
        return array.astype(np.float32)  # bfloat16, float8 and others of the package ml_dtypes
    return array


def _of_tensor(tensor: Tensor) -> NDArray[Any]:
    values = tensor.detach().cpu().resolve_conj().resolve_neg()
    if values.is_quantized:
        values = values.dequantize()
    elif values.is_floating_point() and values.dtype not in _NATIVE_FLOATS:
        values = values.float()  # bfloat16 and float8 have no dtype in NumPy
    array: NDArray[Any] = values.numpy()
    return array


def read_numbers(what: str, values: Any) -> NDArray[Any]:
    """Return an array, where numbers and rows that are kept as objects become numbers.

    Raises
    ------
    InputError
        As `read_array`, and where rows differ in length.
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
        The parameter, as messages name it.
    values : array_like, shape (n,), (n, 1) or any other
        An array of another shape is returned as it is.

    Raises
    ------
    InputError
        If a value is missing, values have no order among themselves, or are no labels.

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
    given = column
    if column.dtype.kind in "US" and not hasattr(values, "dtype"):
        # NumPy has made text of everything in a list: look at what stood there.
        given = np.array(values, dtype=object).reshape(len(column))
    _check_labels(what, given)
    return column


def _check_labels(what: str, labels: NDArray[Any]) -> None:
    """Check that no label is missing, and that labels can be told apart."""
    if labels.dtype.kind in "cV":
        raise InputError(f"{what} holds {labels.dtype}, which are no labels")
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
                f"{what} is of type {type(each).__name__} in row {row}; give one label a row"
            )
    try:
        np.unique(labels)
    except TypeError as error:
        raise InputError(f"{what} mixes values that have no order ({error})") from error


def named_columns(groups: Any) -> dict[str, Any]:
    """Return group columns by name, given as a mapping, a table, one array, or None.

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
    """Check that all tables and columns of pandas have one index.

    A default index counts: it says that rows were numbered anew, and nothing tells whether the
    rows of the other table were in that order by then.

    Parameters
    ----------
    tables : mapping of str to object
        Embeddings, target and groups by what messages call them; only those with an index of
        pandas are compared.

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
        labels = f"row {row} is {expected[row]!r} in one and {index[row]!r} in the other"
        raise InputError(f"{where} ({labels}); {_how_to_align(expected, index)}")


def _how_to_align(one: pd.Index[Any], other: pd.Index[Any]) -> str:
    if one.is_unique and other.is_unique and one.isin(other).all():
        return "they hold the same labels in another order: align them, such as by y.loc[X.index]"
    by_position = "if row i of both is the same example, give both reset_index(drop=True)"
    if one.is_unique and other.is_unique:
        return f"{by_position}; if not, select the labels that they share with .loc first"
    return f"{by_position}; if not, sort both by a key without duplicates first"

"""Read arrays, tensors, tables and lists as NumPy arrays.

Conversions that change the data silently, of masked values and sparse matrices, are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Set, Sized
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.masked import MaskedTensor
from torch.nn.parameter import is_lazy
from torch.utils.dlpack import from_dlpack

from modalprism.errors import InputError

_NATIVE_FLOATS: Final = (torch.float16, torch.float32, torch.float64)
_SPARSE: Final = (
    "is a sparse matrix; convert it with toarray() or to_dense(), or reduce embeddings to dense "
    "columns, such as by sklearn.decomposition.TruncatedSVD"
)
_DEEPEST: Final = 8  # levels of nested lists that are searched for masked values


def read_array(
    what: str, values: Any, advice: str = "give rows of one length, or one value per row"
) -> NDArray[Any]:
    """Return the array that `values` holds.

    That is anything that NumPy converts; tensors of any floating-point dtype and any device, with
    or without gradients, nested, and lists of them; arrays that are exchanged by DLPack. Messages
    name the parameter `what`, and end with `advice` where it is no array. Raises InputError if
    `values` is no array, is sparse, or has masked values or none.

    Examples
    --------
    >>> read_array("X", torch.ones(2, dtype=torch.bfloat16, requires_grad=True))
    array([1., 1.], dtype=float32)
    >>> read_array("X", np.ma.masked_equal([1, 2], 2))
    Traceback (most recent call last):
    modalprism.errors.InputError: X has masked values; fill them in, or remove those rows
    """
    if values is None or isinstance(values, str | bytes | Mapping | Set):
        kind = "None" if values is None else f"of type {type(values).__name__}"
        raise InputError(f"{what} is {kind}, not an array; {advice}")
    if isinstance(values, Tensor) and values.is_nested:
        values = values.unbind()
    sequence = isinstance(values, list | tuple)
    if _has_masked(values):
        raise InputError(f"{what} has masked values; fill them in, or remove those rows")
    if reason := next(filter(None, map(_unreadable, values if sequence else [values])), ""):
        raise InputError(f"{what} {reason}")
    try:
        if sequence and values and all(isinstance(each, Tensor) for each in values):
            values = torch.stack([_dense(each) for each in values])
        array = _converted(values)
    except (ValueError, TypeError, RuntimeError, BufferError) as error:
        lengths = [len(row) if isinstance(row, Sized) else 0 for row in values] if sequence else []
        odd = next((at for at, length in enumerate(lengths) if length != lengths[0]), None)
        reason = str(error)
        if odd is not None:
            reason = f"row 0 has {lengths[0]} values and row {odd} has {lengths[odd]}; {advice}"
        raise InputError(f"{what} cannot be read as an array: {reason}") from error
    if array.dtype.kind == "O" and array.ndim == 0:
        raise InputError(
            f"{what} is of type {type(values).__name__}, which is no array; make a list of it"
        )
    return array


def is_pandas(values: Any, kind: str) -> bool:
    """Tell a pandas object without importing pandas."""
    return any(
        one.__name__ == kind and one.__module__.partition(".")[0] == "pandas"
        for one in type(values).__mro__
    )


def _has_masked(values: Any, depth: int = _DEEPEST) -> bool:
    if isinstance(values, MaskedTensor):
        return not values.get_mask().all()  # type: ignore[no-untyped-call]
    if isinstance(values, list | tuple) and depth:
        return any(_has_masked(each, depth - 1) for each in values)
    return np.ma.is_masked(values)


def _unreadable(values: Any) -> str:
    """Say why an array or a tensor cannot be read value by value; empty where it can."""
    if not isinstance(values, Tensor):  # SciPy's, CuPy's and others
        return _SPARSE if hasattr(values, "nnz") and hasattr(values, "shape") else ""
    if is_lazy(values) or values.is_meta:
        return "is a tensor without values (of device meta, or not initialised); compute it first"
    if values.is_nested:
        return "holds nested tensors in a list; give one tensor, or rows of one length"
    if values.layout is torch.strided:
        freed = values.numel() and not values.untyped_storage().nbytes()
        return "is a tensor whose memory was freed; gather a sharded one first" if freed else ""
    return "" if values.is_mkldnn else _SPARSE


def _dense(tensor: Tensor) -> Tensor:
    """Return a tensor on the CPU, one value after another."""
    if isinstance(tensor, MaskedTensor):
        tensor = tensor.get_data()  # type: ignore[no-untyped-call]
    values = tensor.detach().cpu()
    return values.to_dense() if values.is_mkldnn else values


def _converted(values: Any) -> NDArray[Any]:
    if isinstance(values, Tensor):
        return tensor_array(values)
    if is_pandas(values, "DataFrame"):
        from pandas.api.types import is_numeric_dtype

        array = values.to_numpy()
        if array.dtype.kind == "O" and all(map(is_numeric_dtype, values.dtypes)):
            # Truth values beside numbers, and dtypes with <NA>, have no common dtype in NumPy.
            array = values.to_numpy(np.float64, na_value=np.nan)
        return np.asarray(array)
    by_dlpack = hasattr(values, "__dlpack__") and not isinstance(values, np.ndarray)
    if by_dlpack and not hasattr(values, "__array__"):
        return tensor_array(from_dlpack(values))
    try:
        array = np.asarray(values)
    except TypeError:  # arrays on a GPU refuse to be converted implicitly
        if not by_dlpack:
            raise
        return tensor_array(from_dlpack(values))
    if array.dtype.kind == "T":  # text of variable width keeps its missing values as objects
        return array.astype(object)
    if array.dtype.kind == "V" and array.dtype.names is None and array.dtype.name[:4] != "void":
        return array.astype(np.float32)  # bfloat16, float8 and others of the package ml_dtypes
    return array


def tensor_array(tensor: Tensor) -> NDArray[Any]:
    """Return a tensor as an array; floating types that NumPy lacks become float32.

    Examples
    --------
    >>> tensor_array(torch.tensor([1.5], dtype=torch.float8_e5m2))
    array([1.5], dtype=float32)
    """
    values = _dense(tensor).resolve_conj().resolve_neg()
    if values.is_quantized:
        values = values.dequantize()
    elif values.is_floating_point() and values.dtype not in _NATIVE_FLOATS:
        values = values.float()
    array: NDArray[Any] = values.numpy()
    return array

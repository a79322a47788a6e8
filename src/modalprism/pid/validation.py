"""Validation of tables and options: returns probabilities in float64, or raises `InputError`."""

from __future__ import annotations

import logging
import math
import operator
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any, SupportsIndex, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from modalprism.errors import InputError
from modalprism.pid.arrays import rank, resolution, symbols, to_array
from modalprism.pid.memory import available_bytes

logger = logging.getLogger("modalprism.pid")

Array = NDArray[np.float64]

_SMALLEST = float(np.finfo(np.float64).tiny)
_LEAST_TOLERANCE = 1e-9
_LONGEST_SHOWN = 128  # bits of an integer that messages show in digits


def check_joint(joint: ArrayLike, axes: tuple[str, ...] = ("n1", "n2", "C")) -> Array:
    """Check a joint table of counts or probabilities, and normalise it in float64.

    A probability below the smallest normal number, 2.2e-308, becomes 0. A wrong rank, a negative,
    NaN or infinite cell (named by its index) and a table of zeros are refused.
    """
    return _normalised(_check_table(joint, "joint", axes), "joint")


def check_joints(joints: ArrayLike) -> Array:
    """Check and normalise joint tables (B, n1, n2, C), each as `check_joint` does."""
    tables = _check_table(joints, "joints", ("B", "n1", "n2", "C"))
    for k, table in enumerate(tables):
        tables[k] = _normalised(table, f"joints[{k}]")
    return tables


def check_marginals(
    p_x1y: ArrayLike, p_x2y: ArrayLike, tolerance: float | None
) -> tuple[Array, Array]:
    """Check two marginals, (n1, C) and (n2, C); return them normalised, with a common p(y).

    The tolerance limits the relative difference of the totals and the absolute one of each p(y).
    Within it p(y) is averaged and each class rescaled.
    """
    tolerance = check_tolerance(tolerance, p_x1y, p_x2y)
    first = _check_table(p_x1y, "p_x1y", ("n1", "C"))
    second = _check_table(p_x2y, "p_x2y", ("n2", "C"))
    _check_same_classes(first, "p_x1y", second, "p_x2y")
    named = symbols(p_x1y), symbols(p_x2y)
    if None not in named and named[0] != named[1]:
        raise InputError(
            "p_x1y and p_x2y have different classes, or the same classes in another order:"
            " reindex them to equal columns"
        )
    _check_totals(first, second, tolerance)
    first, second = _normalised(first, "p_x1y"), _normalised(second, "p_x2y")
    return _share_classes(first, second, tolerance)


def check_tolerance(tolerance: float | None, *marginals: ArrayLike) -> float:
    """Return the largest allowed difference in p(y) between marginals.

    Rounding to a type of relative spacing ε changes each cell by at most ε/2 of itself. The p(y) of
    two marginals, each divided by its total, then differ by at most 2 ε. The default is twice
    that, because sums may have been rounded too, and at least 1e-9: 4.8e-7 for float32, 3.9e-3 for
    float16, 3.1e-2 for bfloat16.
    """
    if tolerance is None:
        return max(_LEAST_TOLERANCE, 4 * max(map(resolution, marginals)))
    if not (_is_real(tolerance) and 0 <= tolerance < 1):
        raise InputError(
            f"marginal_tolerance is {tolerance!r}: pass a number in [0, 1)",
            parameter="marginal_tolerance",
        )
    return float(tolerance)


def _check_totals(first: Array, second: Array, tolerance: float) -> None:
    largest = max(float(first.max()), float(second.max())) or 1.0
    total_1, total_2 = (float((table / largest).sum()) for table in (first, second))
    difference = abs(total_1 - total_2) / (max(total_1, total_2) or 1.0)
    if min(total_1, total_2) > 0 and difference > max(tolerance, _LEAST_TOLERANCE):
        raise InputError(
            f"p_x1y sums to {total_1 * largest:.9g} and p_x2y to {total_2 * largest:.9g}, which"
            f" differ by {difference:.2g} of the larger; marginal_tolerance is {tolerance:.2g}."
            " They must come from the same examples: pass both as counts of these or both as"
            " probabilities"
        )


def check_shard(p_x1y_rows: ArrayLike, p_x2y: ArrayLike) -> tuple[Array, Array]:
    """Check a process's rows (n, C) of one marginal, possibly all zero, and the other (n2, C)."""
    rows = _check_table(p_x1y_rows, "p_x1y_rows", ("n", "C"))
    second = _check_table(p_x2y, "p_x2y", ("n2", "C"))
    _check_same_classes(rows, "p_x1y_rows", second, "p_x2y")
    return rows, second


def _check_same_classes(first: Array, name: str, second: Array, other: str) -> None:
    if first.shape[1] != second.shape[1]:
        raise InputError(
            f"{name} has {first.shape[1]} classes and {other} has {second.shape[1]}: give both the"
            " same columns, with zeros for a class that one of them lacks"
        )


def check_marginal_pairs(
    p_x1y: ArrayLike, p_x2y: ArrayLike, tolerance: float | None
) -> list[tuple[Array, Array]]:
    """Check pairs of marginals (B, n1, C) and (B, n2, C), each as `check_marginals` does."""
    tolerance = check_tolerance(tolerance, p_x1y, p_x2y)
    first = _check_table(p_x1y, "p_x1y", ("B", "n1", "C"))
    second = _check_table(p_x2y, "p_x2y", ("B", "n2", "C"))
    if len(first) != len(second):
        raise InputError(
            f"p_x1y holds {len(first)} tables and p_x2y {len(second)}: pass one pair per problem"
        )
    pairs = []
    for k, (one, two) in enumerate(zip(first, second, strict=True)):
        try:
            pairs.append(check_marginals(one, two, tolerance))
        except InputError as error:
            raise InputError(f"problem {k}: {error}") from error
    return pairs


def _share_classes(first: Array, second: Array, tolerance: float) -> tuple[Array, Array]:
    """Average p(y) over two marginals that agree on it within a tolerance."""
    p_y1, p_y2 = first.sum(0), second.sum(0)
    difference = np.abs(p_y1 - p_y2)
    worst = int(difference.argmax())
    if difference[worst] > tolerance:
        raise InputError(
            f"p(y) differs between p_x1y and p_x2y by {difference[worst]:.2g} at class {worst}"
            f" ({p_y1[worst]:.9g} and {p_y2[worst]:.9g}), and marginal_tolerance is"
            f" {tolerance:.2g}: compute both from the same examples, or raise marginal_tolerance"
            " above the difference to average p(y)",
            parameter="marginal_tolerance",
        )
    # A class with zero mass in one marginal cannot be rescaled; set it to zero in both.
    p_y = np.where((p_y1 > 0) & (p_y2 > 0), (p_y1 + p_y2) / 2, 0.0)
    p_y /= p_y.sum()
    first = first / np.where(p_y1 > 0, p_y1, 1.0) * p_y
    second = second / np.where(p_y2 > 0, p_y2, 1.0) * p_y
    first, second = without_subnormal(first), without_subnormal(second)
    used = first.any(0) & second.any(0)
    return np.where(used, first, 0.0), np.where(used, second, 0.0)


def check_information(information: float | None) -> None:
    """Check a given I(X₁X₂;Y): any finite number, negative ones included, or None."""
    if information is not None and not _is_finite(information):
        raise InputError(f"information is {_shown(information)}: pass a finite number, or None")


def check_informations(information: Sequence[float], n: int) -> list[float]:
    """Check a sequence of n given I(X₁X₂;Y)."""
    try:
        values = np.asarray(information, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"information is not a sequence of numbers: pass {n} numbers") from error
    if values.shape != (n,) or not np.isfinite(values).all():
        raise InputError(
            f"information has shape {values.shape} and {int((~np.isfinite(values)).sum())} values"
            f" that are not finite: pass {n} finite numbers, one per problem, or None"
        )
    return [float(value) for value in values]


def check_base(base: float) -> float:
    """Check the base of the logarithm and return it as a float."""
    if not (_is_finite(base) and base > 1):
        raise InputError(
            f"base is {_shown(base)}: pass a number above 1, such as 2 for bits", parameter="base"
        )
    return float(base)


def check_stopping(tol: float, max_iter: SupportsIndex, time_limit: float | None) -> int:
    """Check the tolerance, the iterations and the time limit; return the iterations as an int."""
    if not (_is_finite(tol) and tol > 0):
        raise InputError(
            f"tol is {_shown(tol)}: pass a positive number, the gap to stop at", parameter="tol"
        )
    whole = hasattr(max_iter, "__index__") and not isinstance(max_iter, bool)
    if not whole or operator.index(max_iter) < 1:
        raise InputError(
            f"max_iter is {_shown(max_iter)}: pass a whole number of at least 1",
            parameter="max_iter",
        )
    unlimited = time_limit is None or time_limit == math.inf
    if not unlimited and not (_is_finite(time_limit) and cast(float, time_limit) > 0):
        raise InputError(
            f"time_limit is {_shown(time_limit)}: pass seconds above 0, or None for no limit",
            parameter="time_limit",
        )
    return min(operator.index(max_iter), sys.maxsize)


def check_device(device: str | torch.device | None) -> torch.device:
    """Check that a device exists and computes in float64.

    "auto" is the GPU with the most free memory, or the processor without a GPU.
    """
    if device == "auto":
        if torch.cuda.is_available():
            gpus = [torch.device("cuda", k) for k in range(torch.cuda.device_count())]
            return max(gpus, key=lambda gpu: available_bytes(gpu) or 0)
        _warn_that_there_is_no_gpu()
        return torch.device("cpu")
    try:
        checked = torch.device("cpu" if device is None else device)
        if checked.type == "cuda" and not torch.cuda.is_available():
            raise InputError(
                f"device {str(device)!r} needs a GPU, and torch finds none on this machine: omit"
                ' device, or pass "auto" to use a GPU only if one is available',
                parameter="device",
            )
        torch.zeros(1, dtype=torch.float64, device=checked).item()  # "meta" tensors have no data.
    except (RuntimeError, TypeError, AssertionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        # torch's own message lists every kind of device that it supports.
        reason = "unknown kind of device" if "Expected one of" in reason else reason
        raise InputError(
            f'device {device!r} cannot be used ({reason}): pass "cpu", "cuda", or "auto" for a'
            " GPU if one is available",
            parameter="device",
        ) from error
    return checked


@cache
def _warn_that_there_is_no_gpu() -> None:
    logger.warning('device "auto": no GPU is available, so the processor is used')


def check_sources(joint: ArrayLike) -> Array:
    """Check a joint table (n1, …, nM, C) of two or more sources as `check_joint` does."""
    try:
        n_axes = rank(joint)
    except (TypeError, ValueError, RuntimeError):
        n_axes = 3  # Not an array; `_check_table` reports it.
    if n_axes < 3:
        raise InputError(
            f"joint has shape {np.shape(joint)}: pass a table of shape (n1, …, nM, C), with"
            " 2 sources or more and the target on the last axis"
        )
    return check_joint(joint, (*(f"n{m}" for m in range(1, n_axes)), "C"))


def _check_table(values: ArrayLike, name: str, axes: tuple[str, ...]) -> Array:
    """Check rank and cells of a table and return it in float64."""
    shape = f"({', '.join(axes)})"
    table = to_array(values, name, axes)
    if table.dtype.kind not in "biuf":
        raise InputError(f"{name} holds {table.dtype}: pass real numbers of shape {shape}")
    if table.ndim != len(axes):
        raise InputError(f"{name} has shape {table.shape}: pass a table of shape {shape}")
    if table.size == 0:
        raise InputError(f"{name} has shape {table.shape}: pass at least one cell on each axis")
    integers = table.dtype
    table = table.astype(np.float64)
    _refuse_cells(table, ~np.isfinite(table), name, "pass finite counts or probabilities")
    advice = "counts and probabilities cannot be negative"
    if integers.kind == "i":
        advice += f"; counts beyond {np.iinfo(integers).max:,} overflow {integers}"
    _refuse_cells(table, table < 0, name, advice)
    return table


def _refuse_cells(table: Array, wrong: NDArray[np.bool_], name: str, advice: str) -> None:
    if wrong.any():
        cell = tuple(int(i) for i in np.unravel_index(int(wrong.argmax()), table.shape))
        index = ", ".join(map(str, cell))
        raise InputError(f"{name}[{index}] is {table[cell]:g}: {advice}")


def _normalised(table: Array, name: str) -> Array:
    """Divide a table by its sum, which must be positive and may exceed float64's range."""
    largest = float(table.max())
    if largest == 0:
        raise InputError(f"{name} is zero everywhere: pass at least one positive cell")
    # Scaling by a power of two is exact and prevents an overflow of the sum.
    table = np.ldexp(table, -math.frexp(largest)[1])
    return without_subnormal(table / table.sum())


def without_subnormal(table: Array) -> Array:
    """Set subnormal probabilities to 0."""
    return np.where(table < _SMALLEST, 0.0, table)


def _is_real(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def _is_finite(value: Any) -> bool:
    """Return whether a value is a real number within the range of float64."""
    return _is_real(value) and bool(abs(value) <= sys.float_info.max)


def _shown(value: Any) -> str:
    """Return a value for messages, with huge integers abbreviated."""
    if isinstance(value, int) and value.bit_length() > _LONGEST_SHOWN:
        return f"a whole number of {value.bit_length():,} bits"
    return repr(value)

"""The door: what comes in is checked once, here, and leaves as probabilities in float64."""

from __future__ import annotations

import logging
import math
import operator
from collections.abc import Sequence
from functools import cache
from typing import Any, SupportsIndex

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from modalprism.errors import InputError
from modalprism.pid.memory import available_bytes

logger = logging.getLogger("modalprism.pid")

SOLVERS = ("auto", "newton", "ipfp")


def check_joint(joint: ArrayLike) -> NDArray[np.float64]:
    """Check a joint table of counts or probabilities and normalise it.

    Parameters
    ----------
    joint : array_like
        (n1, n2, C), nonnegative and finite, with a positive sum.

    Returns
    -------
    ndarray
        (n1, n2, C), float64, p(x₁,x₂,y), summing to 1.

    Raises
    ------
    InputError
        For the wrong rank, a negative, NaN or infinite cell (named by its index), or all zeros.
    """
    table = _check_table(joint, "joint", ("n1", "n2", "C"))
    return table / _check_total(table, "joint")


def check_joints(joints: ArrayLike) -> NDArray[np.float64]:
    """Check joint tables (B, n1, n2, C) as `check_joint` does one, and normalise each."""
    tables = _check_table(joints, "joints", ("B", "n1", "n2", "C"))
    for k, table in enumerate(tables):
        table /= _check_total(table, f"joints[{k}]")
    return tables


def check_marginals(
    p_x1y: ArrayLike, p_x2y: ArrayLike, tolerance: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Check two marginals, normalise them and give them one p(y).

    Parameters
    ----------
    p_x1y, p_x2y : array_like
        (n1, C) and (n2, C), counts or probabilities, with the same total and the same p(y).
    tolerance : float
        Largest difference allowed, relative in the totals and absolute in each p(y). What
        difference there is within it is removed: p(y) is averaged and each class rescaled.

    Returns
    -------
    p_x1y, p_x2y : ndarray
        float64, each summing to 1, with the same p(y) up to rounding.

    Raises
    ------
    InputError
        As `check_joint`, and for numbers of classes, totals or p(y) that differ.
    """
    if not (_is_real(tolerance) and 0 <= tolerance < 1):
        raise InputError(f"marginal_tolerance is {tolerance!r}: pass a number in [0, 1)")
    first = _check_table(p_x1y, "p_x1y", ("n1", "C"))
    second = _check_table(p_x2y, "p_x2y", ("n2", "C"))
    _check_same_classes(first, "p_x1y", second, "p_x2y")
    total_1, total_2 = _check_total(first, "p_x1y"), _check_total(second, "p_x2y")
    if abs(total_1 - total_2) > max(tolerance, 1e-9) * max(total_1, total_2):
        raise InputError(
            f"p_x1y sums to {total_1:g} and p_x2y to {total_2:g}: they must come from the same"
            " examples; pass both as counts of these or both as probabilities"
        )
    first, second = first / total_1, second / total_2
    return _share_classes(first, second, tolerance)


def check_shard(
    p_x1y_rows: ArrayLike, p_x2y: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Check some rows (n, C) of one marginal, which may all be zero, and the other, (n2, C)."""
    rows = _check_table(p_x1y_rows, "p_x1y_rows", ("n", "C"))
    second = _check_table(p_x2y, "p_x2y", ("n2", "C"))
    _check_same_classes(rows, "p_x1y_rows", second, "p_x2y")
    return rows, second


def _check_same_classes(
    first: NDArray[np.float64], name: str, second: NDArray[np.float64], other: str
) -> None:
    if first.shape[1] != second.shape[1]:
        raise InputError(
            f"{name} has {first.shape[1]} classes and {other} has {second.shape[1]}: give both the"
            " same columns, with zeros for a class that one of them lacks"
        )


def check_marginal_pairs(
    p_x1y: ArrayLike, p_x2y: ArrayLike, tolerance: float
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Check pairs of marginals (B, n1, C) and (B, n2, C) as `check_marginals` does one."""
    first = _check_table(p_x1y, "p_x1y", ("B", "n1", "C"))
    second = _check_table(p_x2y, "p_x2y", ("B", "n2", "C"))
    if len(first) != len(second):
        raise InputError(
            f"p_x1y holds {len(first)} tables and p_x2y {len(second)}: pass one of each a problem"
        )
    pairs = []
    for k, (one, two) in enumerate(zip(first, second, strict=True)):
        try:
            pairs.append(check_marginals(one, two, tolerance))
        except InputError as error:
            raise InputError(f"problem {k}: {error}") from error
    return pairs


def _share_classes(
    first: NDArray[np.float64], second: NDArray[np.float64], tolerance: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average p(y) over two marginals that agree on it within a tolerance."""
    p_y1, p_y2 = first.sum(0), second.sum(0)
    difference = np.abs(p_y1 - p_y2)
    worst = int(difference.argmax())
    if difference[worst] > tolerance:
        raise InputError(
            f"p(y) differs between p_x1y and p_x2y by {difference[worst]:.2g} at class {worst}"
            f" ({p_y1[worst]:.6g} and {p_y2[worst]:.6g}): compute both from the same examples, or"
            " raise marginal_tolerance= above that to have p(y) averaged"
        )
    # A class that one of them lacks altogether cannot be scaled up: it is left out of both.
    p_y = np.where((p_y1 > 0) & (p_y2 > 0), (p_y1 + p_y2) / 2, 0.0)
    p_y /= p_y.sum()
    first = first * np.divide(p_y, p_y1, out=np.zeros_like(p_y), where=p_y1 > 0)
    second = second * np.divide(p_y, p_y2, out=np.zeros_like(p_y), where=p_y2 > 0)
    return first, second


def check_information(information: float | None) -> None:
    """Check a given I(X₁X₂;Y): any finite number, negative ones included, or None."""
    if information is not None and not (_is_real(information) and math.isfinite(information)):
        raise InputError(f"information is {information!r}: pass a finite number, or None")


def check_informations(information: Sequence[float], n: int) -> list[float]:
    """Check a sequence of n given I(X₁X₂;Y)."""
    try:
        values = np.asarray(information, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"information is no sequence of numbers: pass {n} of them") from error
    if values.shape != (n,) or not np.isfinite(values).all():
        raise InputError(
            f"information has shape {values.shape} and {int((~np.isfinite(values)).sum())} values"
            f" that are not finite: pass {n} finite numbers, one a problem, or None"
        )
    return [float(value) for value in values]


def check_base(base: float) -> float:
    """Check the base of the logarithm and return it as a float."""
    if not (_is_real(base) and math.isfinite(base) and base > 1):
        raise InputError(f"base is {base!r}: pass a number above 1, such as 2 for bits")
    return float(base)


def check_stopping(tol: float, max_iter: SupportsIndex, time_limit: float | None) -> int:
    """Check the tolerance, the number of iterations and the time; return the second as an int."""
    if not (_is_real(tol) and math.isfinite(tol) and tol > 0):
        raise InputError(f"tol is {tol!r}: pass a positive number, the gap to stop at")
    if isinstance(max_iter, bool) or not hasattr(max_iter, "__index__"):
        raise InputError(f"max_iter is {max_iter!r}: pass a whole number of at least 1")
    if operator.index(max_iter) < 1:
        raise InputError(f"max_iter is {max_iter!r}: pass a whole number of at least 1")
    if time_limit is not None and not (_is_real(time_limit) and time_limit > 0):
        raise InputError(
            f"time_limit is {time_limit!r}: pass seconds above 0, or None for no limit"
        )
    return operator.index(max_iter)


def check_solver(solver: str) -> None:
    """Check the name of a solver."""
    if solver not in SOLVERS:
        names = ", ".join(f'"{name}"' for name in SOLVERS)
        raise InputError(f"solver {solver!r} is not available: choose one of {names}")


def check_device(device: str | torch.device | None) -> torch.device:
    """Check that a device exists and computes in float64.

    "auto" is a GPU where there is one, and of several the one with most memory free.
    """
    if device == "auto":
        if torch.cuda.is_available():
            gpus = [torch.device("cuda", k) for k in range(torch.cuda.device_count())]
            return max(gpus, key=lambda gpu: available_bytes(gpu) or 0)
        _say_that_there_is_no_gpu()
        return torch.device("cpu")
    try:
        checked = torch.device("cpu" if device is None else device)
        if checked.type == "cuda" and not torch.cuda.is_available():
            raise InputError(
                f"device {str(device)!r} asks for a GPU and torch finds none here: leave device"
                ' out, or pass "auto" to take a GPU only where there is one'
            )
        torch.zeros(1, dtype=torch.float64, device=checked).item()  # "meta" holds no numbers.
    except (RuntimeError, TypeError, AssertionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        # Torch lists every kind of device that it was ever built for.
        reason = "there is no such kind" if "Expected one of" in reason else reason
        raise InputError(
            f'device {device!r} cannot be used ({reason}): pass "cpu", "cuda", or "auto" for a'
            " GPU where there is one"
        ) from error
    return checked


@cache
def _say_that_there_is_no_gpu() -> None:
    """Say it once, however many problems there are."""
    logger.warning('device "auto": there is no GPU here, so the processor computes')


def check_many(joint: ArrayLike, least_sources: int) -> NDArray[np.float64]:
    """Check a joint table of several sources and a target and normalise it.

    Parameters
    ----------
    joint : array_like
        (n1, …, nM, C), nonnegative and finite, with a positive sum.
    least_sources : int
        The smallest M.

    Returns
    -------
    ndarray
        (n1, …, nM, C), float64, p(x₁,…,x_M,y), summing to 1.

    Raises
    ------
    InputError
        As `check_joint`, and for fewer sources.
    """
    try:
        rank = np.ndim(joint)
    except (TypeError, ValueError, RuntimeError):
        rank = least_sources + 1  # not an array at all, which the next check says in full
    if rank <= least_sources:
        raise InputError(
            f"joint has shape {np.shape(joint)}: pass a table of shape (n1, …, nM, C), with"
            f" {least_sources} sources or more and the target on the last axis"
        )
    axes = [f"n{m}" for m in range(1, rank)]
    table = _check_table(joint, "joint", (*axes, "C"))
    return table / _check_total(table, "joint")


def check_conditional(joint: ArrayLike) -> NDArray[np.float64]:
    """Check a joint table (n1, n2, C, nZ) as `check_joint` does one of (n1, n2, C)."""
    table = _check_table(joint, "joint", ("n1", "n2", "C", "nZ"))
    return table / _check_total(table, "joint")


def _check_table(values: ArrayLike, name: str, axes: Sequence[str]) -> NDArray[np.float64]:
    """Check rank and cells of a table and return it in float64."""
    shape = f"({', '.join(axes)})"
    try:
        table = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{name} cannot be read as an array: pass numbers of shape {shape}"
        ) from error
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


def _refuse_cells(
    table: NDArray[np.float64], wrong: NDArray[np.bool_], name: str, advice: str
) -> None:
    """Name the first of the wrong cells, if there are any."""
    if wrong.any():
        cell = tuple(int(i) for i in np.unravel_index(int(wrong.argmax()), table.shape))
        index = ", ".join(map(str, cell))
        raise InputError(f"{name}[{index}] is {table[cell]:g}: {advice}")


def _check_total(table: NDArray[np.float64], name: str) -> float:
    """Return the sum of a table, which must be positive and finite."""
    with np.errstate(over="ignore"):
        total = float(table.sum())
    if total == 0:
        raise InputError(f"{name} is zero everywhere: pass at least one positive cell")
    if not math.isfinite(total):
        raise InputError(f"{name} sums to more than float64 holds: divide it by its largest cell")
    return total


def _is_real(value: Any) -> bool:
    """Whether a value is a real number, and not a bool."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)

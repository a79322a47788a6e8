"""Entropy and mutual information of tables, in nats."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy


def entropy(p: NDArray[np.float64]) -> float:
    """Return the entropy −Σ p ln p, in nats, of a probability table (float64) of any shape.

    Examples
    --------
    >>> import numpy as np
    >>> round(entropy(np.full(4, 0.25)), 6)
    1.386294
    """
    return float(-xlogy(p, p).sum())


def mutual_information(p_xy: NDArray[np.float64], p_y: NDArray[np.float64] | None = None) -> float:
    """Return I(X;Y) = Σ p(x,y) ln[p(x,y) / (p(x) p(y))] of a table, in nats.

    Parameters
    ----------
    p_xy : ndarray
        (n, C), float64, nonnegative, summing to 1.
    p_y : ndarray, optional
        (C,): p(y), if `p_xy` holds only some of the rows; the result is their part of the sum.

    Examples
    --------
    >>> import numpy as np
    >>> round(mutual_information(np.eye(2) / 2), 6)
    0.693147
    """
    return float(np.sum(p_xy * pointwise_information(p_xy, p_y), where=p_xy > 0))


def pointwise_information(
    p: NDArray[np.float64], p_y: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return the pointwise information ln[p(y|x) / p(y)] of every cell of a table.

    It is a difference of logarithms, because a product p(x) p(y) of small numbers would underflow.

    Parameters
    ----------
    p : ndarray
        (…, C), float64, nonnegative, summing to 1; all axes but the last index x.
    p_y : ndarray, optional
        As in `mutual_information`.

    Returns
    -------
    ndarray
        (…, C), in nats; nan where p is 0.

    Examples
    --------
    >>> pointwise_information(np.diag([0.5, 0.5, 1e-300])).round(3).diagonal()
    array([  0.693,   0.693, 690.776])
    """
    used = p > 0
    conditional = np.divide(p, p.sum(-1, keepdims=True), out=np.ones_like(p), where=used)
    p_y = p.sum(tuple(range(p.ndim - 1))) if p_y is None else p_y
    log_p_y = np.log(p_y, out=np.zeros_like(p_y), where=p_y > 0)
    return np.where(used, np.log(conditional) - log_p_y, np.nan)


def unit_of(base: float) -> str:
    """Name the unit of information of a logarithm's base.

    Examples
    --------
    >>> unit_of(2), unit_of(math.e), unit_of(10)
    ('bit', 'nat', 'base-10')
    """
    return {2.0: "bit", math.e: "nat"}.get(base, f"base-{base:g}")

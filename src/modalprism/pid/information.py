"""Entropy and mutual information of tables, in nats."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr, xlogy


def entropy(p: NDArray[np.float64]) -> float:
    """Entropy −Σ p ln p of a table of any shape.

    Parameters
    ----------
    p : ndarray
        float64, nonnegative, summing to 1.

    Returns
    -------
    float
        In nats.

    Examples
    --------
    >>> import numpy as np
    >>> round(entropy(np.full(4, 0.25)), 6)
    1.386294
    """
    return float(-xlogy(p, p).sum())


def mutual_information(p_xy: NDArray[np.float64]) -> float:
    """Mutual information I(X;Y) = Σ p(x,y) ln[p(x,y) / (p(x) p(y))] of a table.

    Parameters
    ----------
    p_xy : ndarray
        (n, C), float64, nonnegative, summing to 1.

    Returns
    -------
    float
        In nats.

    Examples
    --------
    >>> import numpy as np
    >>> round(mutual_information(np.eye(2) / 2), 6)
    0.693147
    """
    independent = p_xy.sum(1, keepdims=True) * p_xy.sum(0, keepdims=True)
    return float(rel_entr(p_xy, independent).sum())


def unit_of(base: float) -> str:
    """Name the unit of information of a logarithm's base.

    Examples
    --------
    >>> unit_of(2), unit_of(math.e), unit_of(10)
    ('bit', 'nat', 'base-10')
    """
    return {2.0: "bit", math.e: "nat"}.get(base, f"base-{base:g}")

"""Cost model of the solvers: expected seconds on one thread, with measured constants.

Only ratios matter; `benchmarks/cost.py` prints expected and measured times. The constants are
fixed, so that the same problem always gets the same solver and the same digits.
"""

from __future__ import annotations

import math

_LARGEST_FACTOR = 4_000  # Unknowns of the smaller source, and
_LARGEST_CROSS = 1 << 24  # elements of the cross block (128 MiB) that are still factorised.
_SPARSE_FACTOR = 4  # 100 tables of 20 counts in 10×10×10 cells took 5 to 13 times as long.


def factorisation_seconds(n1: int, n2: int, n_classes: int) -> float:
    """Return the seconds of a Newton step by a Cholesky factor; infinite if it is too large.

    n1 and n2 are the states of the larger and of the smaller source.
    """
    first, second = n1 * n_classes, n2 * n_classes
    if second > _LARGEST_FACTOR or first * second > _LARGEST_CROSS:
        return math.inf
    operations = first * second**2 + second**3 / 3
    return 1e-4 + 2.5e-8 * first * second + operations / 2.5e10


def sweep_seconds(n1: int, n2: int, n_classes: int) -> float:
    """Return the seconds of one conjugate-gradient iteration with a Gauss–Seidel sweep."""
    return 7e-5 + n1 * n2 * (8e-9 + 7e-10 * n_classes)


def sweeping_seconds(n1: int, n2: int, n_classes: int, barrier: float) -> float:
    """Return the seconds of a Newton step: about 1/√barrier sweeps for each of 2.5 directions."""
    iterations = 2.5 * (1 + 0.5 / math.sqrt(barrier))
    blocks = 4e-5 + 1e-8 * (n1 + n2) * n_classes**3
    return blocks + iterations * sweep_seconds(n1, n2, n_classes)


def newton_seconds(n1: int, n2: int, n_classes: int, tol: float) -> float:
    """Return the seconds to a gap of `tol` nats; the barrier shrinks sixfold per step."""
    n1, n2 = max(n1, n2), min(n1, n2)
    factorisation = factorisation_seconds(n1, n2, n_classes)
    total, barrier = 1e-3, 0.1
    while barrier > 0.2 * tol:
        total += min(factorisation, sweeping_seconds(n1, n2, n_classes, barrier)) + 2e-4
        barrier /= 6
    return total


def ipfp_iterations(tol: float) -> float:
    """Return the iterations of proportional fitting to a gap of `tol` nats, for dense tables."""
    return 5 + 1.5 / math.sqrt(tol)


def ipfp_seconds(n1: int, n2: int, n_classes: int, tol: float, batch: int = 1) -> float:
    """Return the seconds of proportional fitting to a gap of `tol` nats."""
    return 4e-3 + ipfp_iterations(tol) * (1.5e-4 + batch * n1 * n2 * (1e-8 + 5e-10 * n_classes))


def cheapest(
    n1: int, n2: int, n_classes: int, tol: float, batch: int = 1, *, sparse: bool = False
) -> str:
    """Return the name of the solver with the lower expected cost for a gap of `tol` nats.

    `batch` is the number of problems of this shape. `sparse` is whether most cells of the marginals
    are 0, which slows down proportional fitting.

    Examples
    --------
    >>> cheapest(10, 10, 5, 1e-9), cheapest(2_000, 2_000, 10, 1e-3)
    ('newton', 'ipfp')
    """
    newton = batch * newton_seconds(n1, n2, n_classes, tol)
    ipfp = ipfp_seconds(n1, n2, n_classes, tol, batch) * (_SPARSE_FACTOR if sparse else 1)
    return "newton" if newton < ipfp else "ipfp"

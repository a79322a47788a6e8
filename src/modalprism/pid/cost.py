"""What a solver is expected to take: seconds on two cores, measured, not guessed.

Only the ratio of the two matters. The constants were fitted to `benchmarks/solvers`; they are
fixed, so that the same problem always meets the same solver and gives the same digits.
"""

from __future__ import annotations

import math

from modalprism.pid.newton_system import fits_dense


def newton_seconds(n1: int, n2: int, n_classes: int, tol: float) -> float:
    """Seconds that Newton's method is expected to take."""
    n1, n2 = max(n1, n2), min(n1, n2)
    iterations = 8 + 0.5 * math.log(n1 * n2)
    unknowns = n2 * n_classes
    cells = n1 * n2 * n_classes
    if fits_dense(n1, n2, n_classes):
        step = 3e-4 + 1e-8 * cells * n_classes + 1.2e-11 * unknowns**2 * (n1 * n_classes)
    else:
        step = 3e-4 + 1e-8 * cells * (n_classes + 0.2 / math.sqrt(tol))
    return iterations * step


def ipfp_seconds(n1: int, n2: int, n_classes: int, tol: float, batch: int = 1) -> float:
    """Seconds that the iterative procedure is expected to take for a batch."""
    iterations = 1.5 / math.sqrt(tol)
    return iterations * (1e-4 + batch * n1 * n2 * (1e-8 + 5e-10 * n_classes))


def cheapest(n1: int, n2: int, n_classes: int, tol: float, batch: int = 1) -> str:
    """Name the solver that is expected to be faster.

    Parameters
    ----------
    n1, n2, n_classes : int
        States of the sources, and classes.
    tol : float
        Gap to reach, in nats.
    batch : int
        Problems of this shape that are solved together.

    Examples
    --------
    >>> cheapest(10, 10, 5, 1e-9), cheapest(2_000, 2_000, 10, 1e-3)
    ('newton', 'ipfp')
    """
    newton = batch * newton_seconds(n1, n2, n_classes, tol)
    return "newton" if newton < ipfp_seconds(n1, n2, n_classes, tol, batch) else "ipfp"

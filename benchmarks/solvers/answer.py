"""Answers of a peer to a problem, and their errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from problems import Problem, Table

ATOMS = ("redundancy", "unique 1", "unique 2", "synergy")


class SkipError(Exception):
    """A peer that cannot run here, or that refuses the problem; the message says why."""


@dataclass(frozen=True)
class Answer:
    """A union information in bits, as a peer claims it.

    Parameters
    ----------
    union : float
        I_Q in bits.
    status : str
        What the peer itself says of its answer; a dash where it says nothing.
    atoms : tuple of float or None
        Redundancy, unique 1, unique 2 and synergy in bits, where the peer gives them itself.
    bounds : tuple of float or None
        Proven lower and upper bounds on I_Q in bits, where the peer has them.
    """

    union: float
    status: str
    atoms: tuple[float, ...] | None = None
    bounds: tuple[float, float] | None = None


def mutual_information(p_xy: Table) -> float:
    """I(X;Y) in bits of a table (n, C)."""
    independent = np.outer(p_xy.sum(1), p_xy.sum(0))
    used = p_xy > 0
    return float((p_xy[used] * np.log2(p_xy[used] / independent[used])).sum())


def atoms_of(problem: Problem, union: float) -> tuple[float, ...]:
    """Atoms in bits that follow from a union information: R, U₁, U₂ and S.

    Examples
    --------
    >>> from problems import find
    >>> [round(atom, 3) for atom in atoms_of(find("gate-and"), 0.311278)]
    [0.311, -0.0, -0.0, 0.5]
    """
    first, second = mutual_information(problem.p_x1y), mutual_information(problem.p_x2y)
    joint = problem.joint
    both = mutual_information(joint.reshape(-1, joint.shape[2]))
    return (first + second - union, union - second, union - first, both - union)


def distance(value: float, bounds: tuple[float, float]) -> float:
    """Distance of a value to an interval; 0 inside it.

    Examples
    --------
    >>> distance(0.5, (0.1, 0.4)), distance(0.2, (0.1, 0.4))
    (0.09999999999999998, 0.0)
    """
    lower, upper = bounds
    return max(lower - value, value - upper, 0.0)


def tightest(intervals: list[tuple[float, float]]) -> tuple[float, float]:
    """Intersect intervals that all hold the truth; rounding may make them cross, and is undone."""
    lower, upper = max(low for low, _ in intervals), min(up for _, up in intervals)
    return min(lower, upper), max(lower, upper)

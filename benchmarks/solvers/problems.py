"""The problems: seeded, so that every process makes the same one from its name.

A problem is two marginals, all that the optimisation sees, and the accuracy asked for. Peers that
want a joint table get one with these marginals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.float64]
BATCH_SIZE, QUICK_BATCH_SIZE, BATCH_TOLERANCE = 1_000, 20, 1e-4
_BATCH_SHAPE = (20, 20, 10)


@dataclass(frozen=True, eq=False)
class Problem:
    """Two marginals with one p(y), and the accuracy asked for.

    Parameters
    ----------
    name : str
        What the tables call it, and how another process finds it again.
    p_x1y, p_x2y : ndarray
        (n1, C) and (n2, C), float64, each summing to 1, with the same p(y).
    tol : float
        Accuracy asked for, in bits.
    seed : int or None
        What the random numbers came from; None where there are none.
    table : ndarray or None
        (n1, n2, C), the joint p(x₁,x₂,y) it came from; None where there is none.
    """

    name: str
    p_x1y: Table = field(repr=False)
    p_x2y: Table = field(repr=False)
    tol: float
    seed: int | None = None
    table: Table | None = field(default=None, repr=False)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(n1, n2, C)."""
        return (self.p_x1y.shape[0], self.p_x2y.shape[0], self.p_x1y.shape[1])

    @property
    def support(self) -> int:
        """Number of cells (x₁,x₂,y) that a coupling may use: both marginals are positive."""
        return int(((self.p_x1y > 0).sum(0) * (self.p_x2y > 0).sum(0)).sum())

    @property
    def joint(self) -> Table:
        """A joint with these marginals: its own, else the conditionally independent one."""
        if self.table is not None:
            return self.table
        p_y = self.p_x1y.sum(0)
        given = np.divide(self.p_x2y, p_y, out=np.zeros_like(self.p_x2y), where=p_y > 0)
        return self.p_x1y[:, None, :] * given[None, :, :]


def from_joint(name: str, counts: Table, tol: float, seed: int | None = None) -> Problem:
    """Return the problem of a joint table of counts or probabilities."""
    joint = counts / counts.sum()
    return Problem(name, joint.sum(1), joint.sum(0), tol, seed, joint)


def dense(name: str, shape: tuple[int, int, int], tol: float, *, seed: int = 0) -> Problem:
    """Every cell positive: gamma-distributed, so that the joint is uniform on the simplex."""
    return from_joint(name, np.random.default_rng(seed).gamma(1.0, size=shape), tol, seed)


def sparse(
    name: str, shape: tuple[int, int, int], tol: float, *, samples: int, seed: int = 0
) -> Problem:
    """Counts of a few samples of a dense joint: most cells, and some of the marginals, are zero."""
    rng = np.random.default_rng(seed)
    p = rng.gamma(1.0, size=shape)
    counts = rng.multinomial(samples, p.ravel() / p.sum()).reshape(shape)
    return from_joint(name, counts.astype(np.float64), tol, seed)


def posteriors(
    name: str, n: int, classes: int, tol: float, *, seed: int = 0, shared: float = 0.5
) -> Problem:
    """Each example its own state: p(y|x_m)/n of two noisy views of one label, noise partly shared.

    Parameters
    ----------
    name : str
        Of the problem.
    n, classes : int
        Examples, and classes of the label.
    tol : float
        Accuracy asked for, in bits.
    seed : int
        Of labels and noise.
    shared : float
        Share of the noise's variance that both views have in common.
    """
    rng = np.random.default_rng(seed)
    label = np.eye(classes)[np.arange(n) % classes]
    common = rng.normal(size=(n, classes))

    def view(noise: float) -> Table:
        own = rng.normal(size=(n, classes))
        seen = label + noise * (np.sqrt(shared) * common + np.sqrt(1 - shared) * own)
        scores = seen / noise**2
        p = np.exp(scores - scores.max(1, keepdims=True)) + 1e-6
        for _ in range(200):  # every example weighs 1/n, every class 1/C
            p /= p.sum(1, keepdims=True)
            p /= p.sum(0)
        return p / classes

    return Problem(name, view(0.6), view(0.8), tol, seed)


def gate(name: str, outcomes: Sequence[tuple[int, int, int]]) -> Problem:
    """Return a gate: its outcomes (x₁,x₂,y) are equally likely."""
    joint = np.zeros((2, 2, 2))
    for outcome in outcomes:
        joint[outcome] += 1
    return from_joint(name, joint, 1e-9)


def batch(size: int) -> list[Problem]:
    """Return many small dense problems, each with a seed of its own."""
    return [
        dense(f"batch-{seed}", _BATCH_SHAPE, BATCH_TOLERANCE, seed=seed) for seed in range(size)
    ]


GATES = {
    "and": ((0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 1)),
    "not_two": ((0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (1, 1, 1)),
    "w": ((0, 0, 1), (0, 1, 0), (1, 0, 0)),
}

# In the order of the tables: within a family from small to large. The full suite has them all.
SIZES: dict[str, Callable[[str], Problem]] = {
    "dense-10x10x5": partial(dense, shape=(10, 10, 5), tol=1e-9),
    "dense-20x20x10": partial(dense, shape=(20, 20, 10), tol=1e-9),
    "dense-50x50x10": partial(dense, shape=(50, 50, 10), tol=1e-9),
    "sparse-20x20x10": partial(sparse, shape=(20, 20, 10), tol=1e-9, samples=100),
    "sparse-50x50x10": partial(sparse, shape=(50, 50, 10), tol=1e-9, samples=500),
    "dense-200x200x20": partial(dense, shape=(200, 200, 20), tol=1e-4),
    "posteriors-100x100x10": partial(posteriors, n=100, classes=10, tol=1e-3),
    "posteriors-2000x2000x10": partial(posteriors, n=2_000, classes=10, tol=1e-3),
}
QUICK = ("dense-10x10x5", "sparse-20x20x10")


def find(name: str) -> Problem:
    """Make a problem from its name.

    Examples
    --------
    >>> find("gate-w").shape
    (2, 2, 2)
    """
    kind, _, rest = name.partition("-")
    if kind == "gate":
        return gate(name, GATES[rest])
    if kind == "batch":
        return dense(name, _BATCH_SHAPE, BATCH_TOLERANCE, seed=int(rest))
    if kind == "warm":
        return dense(name, (3, 3, 2), 1e-3)
    return SIZES[name](name)

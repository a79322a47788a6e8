"""The paper's optimiser: proportional fitting of many small joint tables at once.

From Q⁰ = p(x₁|y) p(x₂|y) p(y), each step sets A = Q(x₁,x₂)/|Y| and fits A to p(x₁,y) and p(x₂,y),
each y by itself, by Sinkhorn's iteration on logarithms. I_Q(X₁X₂;Y) falls to the union information
of Bertschinger et al. 2014 (doi:10.3390/e16042161), but only like 1/t, and for at most 50 steps.
The paper's protocol does not compute the error that is left; `modalprism.pid` bounds it. Tables of
a few counts are almost empty: only the cells that Q can reach are stored, of all tables in a row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from modalprism.baselines.intervals import Array, ratio

MOST_STEPS: Final = 50
MOST_SCALINGS: Final = 100
TOLERANCE: Final = 1e-8  # of the objective in nats, and of the marginals
_LEAST: Final = 1e-5


@dataclass(frozen=True)
class Atoms:
    """The four atoms of many tables, (B,) each, in bits: not clipped; they sum to I(X₁X₂;Y)."""

    redundancy: Array
    unique_first: Array
    unique_second: Array
    synergy: Array

    def contribution(self) -> tuple[Array, Array]:
        """Return C_m = U_m/(U₁+U₂) of each table; nan where neither has unique information.

        A sum of at most 10⁻⁵ bit counts as none: neither solver is more exact.
        """
        whole = self.unique_first + self.unique_second
        whole = np.where(whole > _LEAST, whole, 0.0)
        return ratio(self.unique_first, whole), ratio(self.unique_second, whole)


def fitted_atoms(joints: ArrayLike) -> Atoms:
    """Decompose tables of counts or probabilities, (B, n1, n2, C), as the paper does.

    Examples
    --------
    >>> exclusive_or = [[[1, 0], [0, 1]], [[0, 1], [1, 0]]]
    >>> fitted_atoms([exclusive_or]).synergy.round(3).tolist()
    [1.0]
    """
    p = torch.tensor(np.asarray(joints, dtype=np.float64))
    p = p / p.sum((1, 2, 3), keepdim=True)
    q = fitted(p)
    whole, union = _information(p.flatten(1, 2)), _information(q.flatten(1, 2))
    first, second = _information(p.sum(2)), _information(p.sum(1))
    nats = (first + second - union, union - second, union - first, whole - union)
    return Atoms(*((atom / math.log(2)).numpy() for atom in nats))


def fitted(p: Tensor) -> Tensor:
    """Return the coupling at which the iteration stops, for each table of (B, n1, n2, C)."""
    first, second, of_y = p.sum(2), p.sum(1), p.sum((1, 2))
    scale = torch.where(of_y > 0, 1 / of_y, 0.0)[:, None]
    q = torch.einsum("bic,bjc->bijc", first * scale, second)
    classes = (of_y > 0).sum(1)
    objective = _objective(q, classes)
    rows = torch.arange(len(p))
    for _ in range(MOST_STEPS):
        if not len(rows):
            break
        made = _projected(q[rows], classes[rows], first[rows], second[rows])
        now = _objective(made, classes[rows])
        going_on = (objective[rows] - now).abs() >= TOLERANCE
        q[rows], objective[rows] = made, now
        rows = rows[going_on]
    return q


def _projected(q: Tensor, classes: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Scale A = Q(x₁,x₂)/|Y| to both marginals, each class by itself, on logarithms."""
    cells = (first > 0)[:, :, None] & (second > 0)[:, None]
    table, i, j, y = cells.nonzero(as_tuple=True)
    log_a = (q.sum(3) / classes[:, None, None])[table, i, j].log()
    by_first, by_second = _Marginal.of(first, table, i, y), _Marginal.of(second, table, j, y)
    f, g = torch.zeros_like(by_first.log), torch.zeros_like(by_second.log)
    active = torch.ones(len(q), dtype=torch.bool)
    for _ in range(MOST_SCALINGS):
        sums = by_first.logsumexp(log_a + g[by_second.cell])
        # What the rows sum to before they are scaled; the columns are right since the last time.
        error = ((f + sums).exp() - by_first.log.exp()).abs()
        f = torch.where(active[by_first.table], by_first.log - sums, f)
        sums = by_second.logsumexp(log_a + f[by_first.cell])
        g = torch.where(active[by_second.table], by_second.log - sums, g)
        worst = torch.zeros(len(q), dtype=q.dtype)
        worst.scatter_reduce_(0, by_first.table, error, "amax")
        active = active & (worst >= TOLERANCE)
        if not active.any():
            break
    made = torch.zeros_like(q)
    made[table, i, j, y] = (log_a + f[by_first.cell] + g[by_second.cell]).exp()
    return made


@dataclass(frozen=True)
class _Marginal:
    """One source's marginals p(x,y) of all tables, positive entries alone.

    `log` and `table` have the logarithm and the table of each entry, and `cell` the entry of each
    cell.
    """

    log: Tensor
    table: Tensor
    cell: Tensor

    @classmethod
    def of(cls, p: Tensor, table: Tensor, x: Tensor, y: Tensor) -> _Marginal:
        """Number the positive entries of p, (B, n, C), and look up those of the cells."""
        positive = p > 0
        number = (positive.flatten().cumsum(0) - 1).view(p.shape)
        return cls(p[positive].log(), positive.nonzero()[:, 0], number[table, x, y])

    def logsumexp(self, values: Tensor) -> Tensor:
        """Sum the cells of each entry on logarithms."""
        most = torch.full_like(self.log, -math.inf).scatter_reduce_(0, self.cell, values, "amax")
        summed = torch.zeros_like(self.log)
        summed.index_add_(0, self.cell, (values - most[self.cell]).exp())
        return most + summed.log()


def _plogp(table: Tensor) -> Tensor:
    """Return Σ p ln p of each table, shape (B,)."""
    summed: Tensor = torch.special.xlogy(table, table).flatten(1).sum(1)
    return summed


def _objective(q: Tensor, classes: Tensor) -> Tensor:
    """Return KL(Q ‖ Q_{x₁x₂}/|Y|) in nats, shape (B,)."""
    return _plogp(q) - _plogp(q.sum(3)) + classes.log()


def _information(table: Tensor) -> Tensor:
    """Return I(X;Y) of tables (B, n, C), in nats."""
    return _plogp(table) - _plogp(table.sum(2)) - _plogp(table.sum(1))

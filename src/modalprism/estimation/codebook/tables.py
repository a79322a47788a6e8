"""Coded rows, tables of their counts, and the four informations of a table.

A row whose target is a distribution counts as a fraction in every class. Rows are therefore stored
as parts (row, class, mass): one part per row for labels, C parts for distributions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from modalprism.estimation.exchange import exchangeable_blocks, laid_out
from modalprism.pid.solve import solve_batch

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

GAP_TOLERANCE: Final = 1e-4
"""Bound on the solver's gap, in nats: a small fraction of the noise level, .01 bit."""
MOST_ITERATIONS: Final = 2_000
_NOTHING: Final = 1e-9  # nats
_BATCH_CELLS: Final = 1 << 22  # size of the tables that are solved together


@dataclass(frozen=True)
class Coded:
    """Rows of two codes and a target.

    Attributes
    ----------
    codes : two of ndarray of int64, shape (n,)
        0 … k1−1 and 0 … k2−1.
    shape : (int, int, int)
        k1, k2 and C.
    row, label : ndarray of int64, shape (m,)
        Row and class of every part.
    mass : ndarray of float64, shape (m,)
        Mass of every part; the parts of a row sum to 1.
    blocks : tuple of ndarray of int64
        Rows of every block, which are exchanged or resampled together.
    entropy : float
        H(Y) in nats.
    ceiling : float
        I(row;Y) = H(Y) − mean H(target of a row), in nats, an upper limit for all codes; H(Y) for
        labels.
    """

    codes: tuple[Codes, Codes]
    shape: tuple[int, int, int]
    row: Codes
    label: Codes
    mass: Array
    blocks: tuple[Codes, ...]
    entropy: float
    ceiling: float

    @classmethod
    def of(cls, codes: tuple[Codes, Codes], target: Array, groups: Mapping[str, Any]) -> Coded:
        """Join codes, a target (n, C) whose rows sum to 1, and columns of groups.

        Examples
        --------
        >>> import numpy as np
        >>> bit = np.array([0, 1, 1, 0])
        >>> coded = Coded.of((bit, bit[::-1]), np.eye(2)[bit], {})
        >>> coded.shape, round(coded.ceiling, 3)
        ((2, 2, 2), 0.693)
        """
        row, label = np.nonzero(target)
        entropy = float(entr(target.mean(0)).sum())
        return cls(
            codes=codes,
            shape=(int(codes[0].max()) + 1, int(codes[1].max()) + 1, target.shape[1]),
            row=row.astype(np.int64),
            label=label.astype(np.int64),
            mass=target[row, label],
            blocks=exchangeable_blocks(groups, len(target)),
            entropy=entropy,
            ceiling=max(entropy - float(entr(target).sum(1).mean()), 0.0),
        )

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.codes[0])

    def count(self, first: Codes, second: Codes, weights: Array | None = None) -> Array:
        """Count a table (k1, k2, C), whose sum is the number of rows, or of their weights.

        Parameters
        ----------
        first, second : ndarray of int64, shape (n,) or (m,)
            Codes of the rows or of the parts.
        weights : ndarray of float64, shape (n,), optional
        """
        if len(first) != len(self.row):
            first = first[self.row]
        if len(second) != len(self.row):
            second = second[self.row]
        cell = np.ravel_multi_index((first, second, self.label), self.shape)
        mass = self.mass if weights is None else self.mass * weights[self.row]
        table = np.bincount(cell, mass, minlength=int(np.prod(self.shape)))
        return table.astype(np.float64).reshape(self.shape)

    def table(self, weights: Array | None = None) -> Array:
        """Count the rows without a change of codes."""
        return self.count(*self.codes, weights)

    def permutation(self, rng: np.random.Generator) -> Codes:
        """Draw a permutation of the rows that exchanges whole blocks, (n,).

        The blocks are laid out in a new order, see `laid_out`; each row replaces the row at its new
        position. Blocks of equal size are exchanged as a whole. Blocks of other sizes may be split,
        but nearly all neighbouring rows remain neighbours.
        """
        before = np.concatenate(self.blocks)
        after = laid_out(self.blocks, rng)
        order = np.empty_like(before)
        order[before] = after
        return order


def batched_information(p_xy: Array) -> Array:
    """Return I(X;Y) of many tables (B, k, C) that sum to 1, in nats, (B,).

    Examples
    --------
    >>> batched_information(np.eye(2)[None] / 2).round(3)
    array([0.693])
    """
    entropies: Array = entr(p_xy.sum(1)).sum(1) + entr(p_xy.sum(2)).sum(1) - entr(p_xy).sum((1, 2))
    return entropies


def informations(tables: Array) -> tuple[Array, float]:
    """Return the four informations of every table.

    Parameters
    ----------
    tables : ndarray, shape (B, k1, k2, C)
        Counts or probabilities.

    Returns
    -------
    ndarray, shape (4, B)
        Plug-in values of I(X₁;Y), I(X₂;Y), I(X₁X₂;Y) and I_Q, in nats.
    float
        The largest gap of the solver, in nats.

    Examples
    --------
    >>> from modalprism.pid.gates import gate
    >>> values, gap = informations(gate("and").joint[None])
    >>> (values[:, 0] / np.log(2)).round(2).tolist()
    [0.31, 0.31, 0.81, 0.31]
    """
    tables = tables / tables.sum((1, 2, 3), keepdims=True)
    p_x1y, p_x2y = tables.sum(2), tables.sum(1)
    both = batched_information(tables.reshape(len(tables), -1, tables.shape[3]))
    step = max(1, _BATCH_CELLS // tables[0].size)
    unions = [
        union
        for start in range(0, len(tables), step)
        for union in solve_batch(
            p_x1y[start : start + step],
            p_x2y[start : start + step],
            tol=GAP_TOLERANCE,
            max_iter=MOST_ITERATIONS,
        )
    ]
    values = np.stack(
        [
            batched_information(p_x1y),
            batched_information(p_x2y),
            both,
            np.array([union.upper for union in unions]),
        ]
    )
    return values, max(union.gap for union in unions)


def adjust(plug: Array, level: Array, ceiling: float) -> Array:
    """Correct the bias of counted informations: map the null level to 0 and keep the ceiling.

    The plug-in information of a table of n rows is too large: for independent noise in 10×10×10
    cells and 200 rows it is two bits. The bias is 0 for codes that determine the target, because
    information cannot exceed H(Y). It is the null level E for uninformative codes. In between, the
    bias is proportional to the remaining uncertainty, and

        I* = H(Y) (I − E) / (H(Y) − E)

    is 0 for noise and H(Y) for a copy: the adjusted mutual information of Vinh, Epps and Bailey
    (2010, JMLR 11:2837), not divided by its maximum, and applied to the union information as well.
    ``benchmarks/corrections.py`` compares it with other corrections.

    Parameters
    ----------
    plug : ndarray, shape (4,) or (4, B)
        Informations as counted, in nats.
    level : ndarray, shape (4,)
        E: their mean for a permuted target.
    ceiling : float
        Their value if the codes have all information of the rows.
    """
    level = level.reshape(4, *(1,) * (plug.ndim - 1))
    room = ceiling - level
    # No range: with one row per cell, noise and full information give the same table.
    return np.where(room > _NOTHING, ceiling * (plug - level) / np.maximum(room, _NOTHING), 0.0)

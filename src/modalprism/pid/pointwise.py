"""Pointwise decompositions: the contribution of each cell of a table to each atom.

With the pointwise informations i(x;y) = ln p(y|x)/p(y) and the optimal potentials α, β of the dual
problem (see `certificate`), the pointwise union information is

    i_∪(x₁,x₂,y) = α(x₁,y) + β(x₂,y) = ln q(y|x₁,x₂)/p(y),

where q is the optimal coupling of Bertschinger et al. (2014, doi:10.3390/e16042161); the second
equation holds where q(x₁,x₂) > 0. i_∪ is a function of the marginals only, and its mean is I_Q
under every coupling of them, including the joint p. Hence r = i₁ + i₂ − i_∪, u₁ = i_∪ − i₂, u₂ =
i_∪ − i₁ and s = i₁₂ − i_∪ are values per cell whose means under p are the atoms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modalprism.pid import validation
from modalprism.pid.decompose import Options, decompose_tables
from modalprism.pid.information import pointwise_information
from modalprism.pid.result import Decomposition

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PointwiseDecomposition:
    """Pointwise atoms of a joint table; their means under `probability` are the atoms.

    A pointwise atom may be negative, because a cell may misinform. Several potentials may be
    optimal, as for a pair (x₁,x₂) with zero mass in every optimal coupling. Single cells then
    depend on the solution found; their means do not. To look up samples, index with their symbols:
    ``pointwise.redundancy[x1, x2, y]``.

    Parameters
    ----------
    decomposition : Decomposition
        The atoms, with their certificate.
    probability : ndarray
        (n1, n2, C), float64: p(x₁,x₂,y).
    redundancy, synergy, information : ndarray
        (n1, n2, C), float64, in the unit of `decomposition`: r, s and i₁₂; nan where p is 0.
    unique : tuple of ndarray
        u₁ and u₂, the same.
    """

    decomposition: Decomposition
    probability: Array = field(repr=False)
    redundancy: Array = field(repr=False)
    unique: tuple[Array, Array] = field(repr=False)
    synergy: Array = field(repr=False)
    information: Array = field(repr=False)


def decompose_pointwise(joint: ArrayLike, **options: Unpack[Options]) -> PointwiseDecomposition:
    """Split every atom among the cells of a joint table.

    r, u and s of all cells are shifted by the same amount, at most the gap, so that their means
    equal the reported atoms.

    Parameters
    ----------
    joint : array_like
        (n1, n2, C), counts or probabilities of (x₁, x₂, y).
    **options
        As in `decompose`.

    Returns
    -------
    PointwiseDecomposition
        In the unit of `base`.

    Raises
    ------
    InputError, Interrupted
        As `decompose`.

    Examples
    --------
    >>> from modalprism.pid.gates import gate
    >>> pointwise = decompose_pointwise(gate("and").joint)
    >>> x1, x2, y = np.array([[0, 0, 0], [1, 1, 1]]).T  # two samples
    >>> pointwise.information[x1, x2, y].round(3)
    array([0.415, 2.   ])
    >>> mean = np.nansum(pointwise.probability * pointwise.redundancy)
    >>> f"{mean:.3f} {pointwise.decomposition.redundancy:.3f}"
    '0.311 0.311'
    """
    table = validation.check_joint(joint)
    p_x1y, p_x2y = table.sum(1), table.sum(0)
    (decomposition,), (union,) = decompose_tables(table[None], **options)
    nats = math.log(options.get("base", 2))
    i_1 = pointwise_information(p_x1y)[:, None] / nats
    i_2 = pointwise_information(p_x2y)[None] / nats
    i_12 = pointwise_information(table) / nats
    with np.errstate(invalid="ignore"):
        potentials = (union.alpha[:, None] + union.beta[None]) / nats
    i_union = np.where(table > 0, potentials, np.nan)
    i_union += decomposition.upper - np.nansum(table * i_union)
    return PointwiseDecomposition(
        decomposition,
        probability=table,
        redundancy=i_1 + i_2 - i_union,
        unique=(i_union - i_2, i_union - i_1),
        synergy=i_12 - i_union,
        information=i_12,
    )

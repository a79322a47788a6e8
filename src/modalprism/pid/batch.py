"""Many tables of one shape in, as many certified decompositions out, solved together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike

from modalprism.pid import validation
from modalprism.pid.assembly import Options, assemble
from modalprism.pid.information import mutual_information
from modalprism.pid.result import Decomposition


def decompose_batch(
    joints: ArrayLike, *, tol: float = 1e-6, **options: Unpack[Options]
) -> list[Decomposition]:
    """Decompose many joint tables of one shape: bootstrap replicates, layers, subjects.

    Each is the problem of `decompose` (Bertschinger et al. 2014, doi:10.3390/e16042161), and stops
    by itself, as soon as its own gap is within `tol`.

    Parameters
    ----------
    joints : array_like
        (B, n1, n2, C), counts or probabilities; each table is normalised by itself.
    tol : float
        Bound on the gap of each to stop at, in the unit of `base`.
    **options
        ``base``, ``solver``, ``max_iter``, ``time_limit`` (for all of them together) and
        ``device``, as in `decompose`.

    Returns
    -------
    list of Decomposition
        B results, in order.

    Raises
    ------
    InputError
        If a table or an option cannot be used; the message says which and what to do.
    Interrupted
        On Ctrl-C, with the decompositions that were reached.

    Examples
    --------
    >>> from modalprism.pid.gates import gate
    >>> ds = decompose_batch([gate("and").joint, gate("xor").joint])
    >>> [round(d.synergy, 3) for d in ds]
    [0.5, 1.0]
    """
    tables = validation.check_joints(joints)
    cells = tables.reshape(len(tables), -1, tables.shape[3])
    known = [mutual_information(table) for table in cells]
    return [d for d, _ in assemble(tables.sum(2), tables.sum(1), known, tol=tol, **options)]


def decompose_marginals_batch(
    p_x1y: ArrayLike,
    p_x2y: ArrayLike,
    information: Sequence[float] | None = None,
    *,
    tol: float = 1e-6,
    marginal_tolerance: float | None = None,
    **options: Unpack[Options],
) -> list[Decomposition]:
    """Decompose many pairs of marginals of one shape, as `decompose_marginals` does one.

    Parameters
    ----------
    p_x1y, p_x2y : array_like
        (B, n1, C) and (B, n2, C), counts or probabilities.
    information : sequence of float, optional
        (B,): I(X₁X₂;Y) of each, in the unit of `base`; without it synergies are None.
    tol : float
        Bound on the gap of each to stop at, in the unit of `base`.
    marginal_tolerance : float, optional
        As in `decompose_marginals`.
    **options
        As in `decompose_batch`.

    Returns
    -------
    list of Decomposition
        B results, in order.

    Raises
    ------
    InputError
        If a table or an option cannot be used; the message says which and what to do.
    Interrupted
        On Ctrl-C, with the decompositions that were reached.

    Examples
    --------
    >>> same = np.eye(2) / 2
    >>> [d.redundancy.__round__(3) for d in decompose_marginals_batch([same], [same])]
    [1.0]
    """
    pairs = validation.check_marginal_pairs(p_x1y, p_x2y, marginal_tolerance)
    first, second = (np.stack(tables) for tables in zip(*pairs, strict=True))
    if information is None:
        known: list[float | None] = [None] * len(pairs)
    else:
        nats = math.log(validation.check_base(options.get("base", 2)))
        known = [value * nats for value in validation.check_informations(information, len(pairs))]
    return [d for d, _ in assemble(first, second, known, tol=tol, **options)]

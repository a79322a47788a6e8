"""Decompose joint tables and marginals: one problem, or a batch of one shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypedDict, Unpack

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from modalprism.pid import validation
from modalprism.pid.batch import BatchDecomposition
from modalprism.pid.information import mutual_information, unit_of
from modalprism.pid.result import Decomposition
from modalprism.pid.solution import UnionInformation
from modalprism.pid.solve import solve_batch
from modalprism.pid.solvers import Solver
from modalprism.pid.stopping import Interrupted

Array = NDArray[np.float64]


class Options(TypedDict, total=False):
    """Options of all decompositions; `decompose` documents their meaning and defaults."""

    base: float
    solver: str | Solver
    tol: float
    max_iter: int
    time_limit: float | None
    device: str | torch.device | None


def decompose(
    joint: ArrayLike,
    *,
    base: float = 2,
    solver: str | Solver = "auto",
    tol: float = 1e-6,
    max_iter: int = 10_000,
    time_limit: float | None = None,
    device: str | torch.device | None = None,
) -> Decomposition:
    """Decompose the information that two sources carry about a target.

    Solves I_Q = min I_q(X₁X₂;Y) over all q with q(x₁,y) = p(x₁,y) and q(x₂,y) = p(x₂,y), and
    returns R = I(X₁;Y)+I(X₂;Y)−I_Q, U₁ = I_Q−I(X₂;Y), U₂ = I_Q−I(X₁;Y) and S = I(X₁X₂;Y)−I_Q
    (Bertschinger, Rauh, Olbrich, Jost and Ay 2014, doi:10.3390/e16042161).

    Parameters
    ----------
    joint : array_like
        (n1, n2, C), counts or probabilities of (x₁, x₂, y); normalised and computed in float64.
        A pandas Series whose index has three levels works too, such as
        ``frame[["image", "text", "answer"]].value_counts()``.
    base : float
        Base of the logarithm: 2 for bits, ``math.e`` for nats.
    solver : str or Solver
        "newton" is a primal–dual interior-point method: a gap down to about 1e-10 in a dozen
        iterations, for small and middle tables. "ipfp" is the factored, accelerated iterative
        proportional fitting procedure: thousands of states, on a processor or a GPU. "auto"
        runs the one with the lower expected cost. Objects such as ``Newton(patience=5)``, custom
        solvers, and names that other packages register are accepted too: see
        `modalprism.pid.solvers`.
    tol : float
        Gap to stop at, in the unit of `base`. If it is not reached, the result has
        ``converged=False`` and the reason in ``stopped``, and its bounds still hold.
    max_iter : int
        Largest number of iterations.
    time_limit : float, optional
        Largest number of seconds; the running iteration is completed.
    device : str or torch.device, optional
        Device of the computation; the processor by default. On "cuda", a GPU, the solver "auto" is
        "ipfp", and "newton" is for batches of small tables. The device "auto" is a GPU on which
        the problem fits; without one it is the processor, and one line is logged.

    Returns
    -------
    Decomposition
        In the unit of `base`.

    Raises
    ------
    InputError
        If the table or an option is invalid; the message names a remedy.
    Interrupted
        On Ctrl-C: a KeyboardInterrupt with the current decomposition in ``results``.

    Examples
    --------
    >>> import numpy as np
    >>> both = np.zeros((2, 2, 2))  # y = x1 and x2
    >>> both[0, 0, 0] = both[0, 1, 0] = both[1, 0, 0] = both[1, 1, 1] = 25
    >>> d = decompose(both)
    >>> f"R {d.redundancy:.3f}, S {d.synergy:.3f} {d.unit}"
    'R 0.311, S 0.500 bit'
    """
    table = validation.check_joint(joint)
    batch, _ = decompose_tables(
        table[None],
        base=base,
        solver=solver,
        tol=tol,
        max_iter=max_iter,
        time_limit=time_limit,
        device=device,
    )
    return batch[0]


def decompose_batch(joints: ArrayLike, **options: Unpack[Options]) -> BatchDecomposition:
    """Decompose many joint tables of one shape: bootstrap replicates, layers, subjects.

    Each problem stops as soon as its own gap is within `tol`.

    Parameters
    ----------
    joints : array_like
        (B, n1, n2, C), counts or probabilities; each table is normalised separately.
    **options
        As in `decompose`; `time_limit` applies to the whole batch.

    Returns
    -------
    BatchDecomposition
        A sequence of B decompositions, and arrays of each quantity.

    Raises
    ------
    InputError, Interrupted
        As `decompose`; the message names the table.

    Examples
    --------
    >>> from modalprism.pid.gates import gate
    >>> batch = decompose_batch([gate("and").joint, gate("xor").joint])
    >>> batch.synergy.round(3)
    array([0.5, 1. ])
    """
    return decompose_tables(validation.check_joints(joints), **options)[0]


def decompose_marginals(
    p_x1y: ArrayLike,
    p_x2y: ArrayLike,
    information: float | None = None,
    *,
    marginal_tolerance: float | None = None,
    **options: Unpack[Options],
) -> Decomposition:
    """Decompose two marginals, which determine the union information.

    Synergy also needs I(X₁X₂;Y), and is None without it.

    Parameters
    ----------
    p_x1y : array_like
        (n1, C), counts or probabilities of (x₁, y).
    p_x2y : array_like
        (n2, C), counts or probabilities of (x₂, y), with the same total and the same p(y).
    information : float, optional
        I(X₁X₂;Y) in the unit of `base`. An estimate may lie below the union information, and
        even below 0: the synergy is then negative.
    marginal_tolerance : float, optional
        Largest difference in p(y) between the marginals. By default it is four times the spacing
        of the marginals' own type, and at least 1e-9: 4.8e-7 for float32. Within it, p(y) is
        averaged and each class of both is rescaled to it, which moves a marginal by at most half
        the sum of the differences, in total variation. The bounds hold for the rescaled
        marginals.
    **options
        As in `decompose`.

    Returns
    -------
    Decomposition
        In the unit of `base`.

    Raises
    ------
    InputError, Interrupted
        As `decompose`.

    Examples
    --------
    >>> same = [[0.5, 0.0], [0.0, 0.5]]
    >>> d = decompose_marginals(same, same)
    >>> f"{d.redundancy:.3f}", d.synergy
    ('1.000', None)
    """
    first, second = validation.check_marginals(p_x1y, p_x2y, marginal_tolerance)
    validation.check_information(information)
    batch, _ = _decompose_checked(first[None], second[None], [information], **options)
    return batch[0]


def decompose_marginals_batch(
    p_x1y: ArrayLike,
    p_x2y: ArrayLike,
    information: Sequence[float] | None = None,
    *,
    marginal_tolerance: float | None = None,
    **options: Unpack[Options],
) -> BatchDecomposition:
    """Decompose many pairs of marginals of one shape, as `decompose_marginals` does one.

    Parameters
    ----------
    p_x1y, p_x2y : array_like
        (B, n1, C) and (B, n2, C), counts or probabilities.
    information : sequence of float, optional
        (B,): I(X₁X₂;Y) of each problem, in the unit of `base`.
    marginal_tolerance : float, optional
        As in `decompose_marginals`.
    **options
        As in `decompose`; `time_limit` applies to the whole batch.

    Returns
    -------
    BatchDecomposition
        A sequence of B decompositions, and arrays of each quantity.

    Raises
    ------
    InputError, Interrupted
        As `decompose`; the message names the problem.

    Examples
    --------
    >>> same = np.eye(2) / 2
    >>> decompose_marginals_batch([same], [same]).redundancy.round(3)
    array([1.])
    """
    pairs = validation.check_marginal_pairs(p_x1y, p_x2y, marginal_tolerance)
    first, second = (np.stack(tables) for tables in zip(*pairs, strict=True))
    known: Sequence[float | None] = [None] * len(pairs)
    if information is not None:
        known = validation.check_informations(information, len(pairs))
    return _decompose_checked(first, second, known, **options)[0]


def decompose_tables(
    tables: Array, **options: Unpack[Options]
) -> tuple[BatchDecomposition, list[UnionInformation]]:
    """Decompose checked joint tables, (B, n1, n2, C); return the solver's results too."""
    unit = math.log(validation.check_base(options.get("base", 2)))
    cells = tables.reshape(len(tables), -1, tables.shape[3])
    known = [mutual_information(table) / unit for table in cells]
    return _decompose_checked(tables.sum(2), tables.sum(1), known, **options)


def _decompose_checked(
    p_x1y: Array,
    p_x2y: Array,
    information: Sequence[float | None],
    *,
    base: float = 2,
    tol: float = 1e-6,
    max_iter: int = 10_000,
    time_limit: float | None = None,
    solver: str | Solver = "auto",
    device: str | torch.device | None = None,
) -> tuple[BatchDecomposition, list[UnionInformation]]:
    """Decompose checked marginals, given I(X₁X₂;Y) in the unit of `base`; check the options."""
    base = validation.check_base(base)
    max_iter = validation.check_stopping(tol, max_iter, time_limit)

    def of_base(unions: Sequence[UnionInformation]) -> tuple[Decomposition, ...]:
        pairs = zip(unions, information, strict=True)
        return tuple(in_base(union, known, base) for union, known in pairs)

    try:
        unions = solve_batch(
            p_x1y,
            p_x2y,
            solver=solver,
            tol=tol * math.log(base),
            max_iter=max_iter,
            time_limit=time_limit,
            device=device,
        )
    except Interrupted as stop:
        raise Interrupted(of_base(stop.results)) from None
    return BatchDecomposition(of_base(unions)), unions


def in_base(union: UnionInformation, information: float | None, base: float) -> Decomposition:
    """Convert a union information from nats; I(X₁X₂;Y) is in the unit of `base` already."""
    nats = math.log(base)
    first, second = union.marginal_information
    return Decomposition(
        information=information,
        marginal_information=(first / nats, second / nats),
        lower=union.lower / nats,
        upper=union.upper / nats,
        stopped=union.reason,
        solver=union.solver,
        iterations=union.iterations,
        unit=unit_of(base),
    )

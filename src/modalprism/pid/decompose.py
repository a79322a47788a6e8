"""Tables in, certified atoms out."""

from __future__ import annotations

import math

import torch
from numpy.typing import ArrayLike

from modalprism.pid import validation
from modalprism.pid.assembly import assemble
from modalprism.pid.information import mutual_information
from modalprism.pid.result import Decomposition


def decompose(
    joint: ArrayLike,
    *,
    base: float = 2,
    solver: str = "auto",
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
        A pandas Series whose index has three levels, such as
        ``frame[["image", "text", "answer"]].value_counts()``, is one too.
    base : float
        Base of the logarithm: 2 for bits, ``math.e`` for nats.
    solver : {"auto", "newton", "ipfp"}
        "newton" is a primal–dual interior-point method: a gap down to about 1e-10 in a dozen
        iterations, for small and middle tables. "ipfp" is the factored, accelerated iterative
        proportional fitting procedure: thousands of states, on a processor or a GPU. "auto"
        takes the one that is expected to be faster.
    tol : float
        Bound on the gap to stop at, in the unit of `base`. Not reaching it is no error: the
        result then says ``converged=False`` and why, and its bounds still hold.
    max_iter : int
        Iterations after which to stop in any case.
    time_limit : float, optional
        Seconds after which to stop in any case, once the iteration that runs is over.
    device : str or torch.device, optional
        Where to compute; the processor by default. "cuda" is a GPU, where the solver "auto" is
        "ipfp", and "newton" is for batches of small tables. The device "auto" is a GPU where there
        is one that the problem fits on; where not, the log says so.

    Returns
    -------
    Decomposition
        In the unit of `base`.

    Raises
    ------
    InputError
        If the table or an option cannot be used; the message says what to do.
    Interrupted
        On Ctrl-C: a KeyboardInterrupt whose ``results`` hold the decomposition that was reached.

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
    n1, n2, n_classes = table.shape
    information = mutual_information(table.reshape(n1 * n2, n_classes))
    ((d, _),) = assemble(
        table.sum(1)[None],
        table.sum(0)[None],
        [information],
        base=base,
        solver=solver,
        tol=tol,
        max_iter=max_iter,
        time_limit=time_limit,
        device=device,
    )
    return d


def decompose_marginals(
    p_x1y: ArrayLike,
    p_x2y: ArrayLike,
    information: float | None = None,
    *,
    base: float = 2,
    solver: str = "auto",
    tol: float = 1e-6,
    max_iter: int = 10_000,
    time_limit: float | None = None,
    device: str | torch.device | None = None,
    marginal_tolerance: float | None = None,
) -> Decomposition:
    """Decompose from the two marginals alone, which is all that the optimisation sees.

    The same problem as `decompose` (Bertschinger et al. 2014, doi:10.3390/e16042161); synergy
    needs I(X₁X₂;Y) besides, and is None without it.

    Parameters
    ----------
    p_x1y : array_like
        (n1, C), counts or probabilities of (x₁, y).
    p_x2y : array_like
        (n2, C), counts or probabilities of (x₂, y), with the same total and the same p(y).
    information : float, optional
        I(X₁X₂;Y) in the unit of `base`. An estimate may lie below the union information, and
        even below 0: the synergy is then negative.
    base, solver, tol, max_iter, time_limit, device
        As in `decompose`.
    marginal_tolerance : float, optional
        Largest difference in p(y) between the marginals. By default it is four times the spacing
        of the marginals' own type, and at least 1e-9: 4.8e-7 for float32. Within it, p(y) is
        averaged and each class of both is rescaled to it, which moves a marginal by at most half
        the sum of the differences, in total variation. The bounds are proven for the marginals
        that were solved.

    Returns
    -------
    Decomposition
        In the unit of `base`.

    Raises
    ------
    InputError
        If a table or an option cannot be used; the message says what to do.
    Interrupted
        On Ctrl-C, as in `decompose`.

    Examples
    --------
    >>> same = [[0.5, 0.0], [0.0, 0.5]]
    >>> d = decompose_marginals(same, same)
    >>> f"{d.redundancy:.3f}", d.synergy
    ('1.000', None)
    """
    first, second = validation.check_marginals(p_x1y, p_x2y, marginal_tolerance)
    validation.check_information(information)
    nats = None if information is None else information * math.log(validation.check_base(base))
    ((d, _),) = assemble(
        first[None],
        second[None],
        [nats],
        base=base,
        solver=solver,
        tol=tol,
        max_iter=max_iter,
        time_limit=time_limit,
        device=device,
    )
    return d

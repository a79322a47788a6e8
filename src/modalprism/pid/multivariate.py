"""Decompositions of several sources, two at a time, and of two sources given a third variable."""

from __future__ import annotations

from itertools import combinations
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike

from modalprism.pid import validation
from modalprism.pid.decompose import Options, decompose
from modalprism.pid.result import Decomposition
from modalprism.pid.stopping import Reason


def decompose_each_against_rest(
    joint: ArrayLike, **options: Unpack[Options]
) -> tuple[Decomposition, ...]:
    """Decompose each of several sources against all others together.

    In the m-th result source 1 is X_m and source 2 all the others as one: ``unique[0]`` is the
    information of X_m only, ``unique[1]`` that of the others without it, and synergy needs X_m and
    at least one other. The results overlap, so their atoms must not be added up: information that
    two sources share is redundant in both of their results.

    Parameters
    ----------
    joint : array_like
        (n1, …, nM, C) with M ≥ 2, counts or probabilities of (x₁, …, x_M, y).
    **options
        As in `decompose`, for each result.

    Returns
    -------
    tuple of Decomposition
        M results, all with the same information I(X₁…X_M;Y), in the unit of `base`.

    Raises
    ------
    InputError, Interrupted
        As `decompose`.

    Examples
    --------
    >>> from modalprism.pid.gates import three_source_gate
    >>> copies = three_source_gate("and_duplicate")  # y = x1 and x2; x3 = x1
    >>> for d in decompose_each_against_rest(copies.joint):
    ...     print(f"unique {d.unique[0]:z.3f}, synergy {d.synergy:z.3f} {d.unit}")
    unique 0.000, synergy 0.000 bit
    unique 0.000, synergy 0.500 bit
    unique 0.000, synergy 0.000 bit
    """
    table = validation.check_sources(joint)
    found = []
    for m in range(table.ndim - 1):
        each = np.moveaxis(table, m, 0)
        two = each.reshape(each.shape[0], -1, each.shape[-1])
        # The rest has as many states as its sources have combinations; most never occur in a
        # sparse table, and the solver's work and memory would grow with them.
        found.append(decompose(two[:, two.any(axis=(0, 2))], **options))
    return tuple(found)


def decompose_pairs(
    joint: ArrayLike, **options: Unpack[Options]
) -> dict[tuple[int, int], Decomposition]:
    """Decompose the information of each pair of several sources, with the others summed out.

    Pairs do not contain information that needs three or more sources: for the parity of three
    bits, all atoms of all pairs are 0.

    Parameters
    ----------
    joint : array_like
        (n1, …, nM, C) with M ≥ 2, counts or probabilities of (x₁, …, x_M, y).
    **options
        As in `decompose`, for each result.

    Returns
    -------
    dict of (int, int) to Decomposition
        Keyed by the axes (a, b) of the two sources in `joint`, a < b; source 1 is the one of
        axis a. In the unit of `base`.

    Raises
    ------
    InputError, Interrupted
        As `decompose`.

    Examples
    --------
    >>> from modalprism.pid.gates import three_source_gate
    >>> pairs = decompose_pairs(three_source_gate("and_duplicate").joint)
    >>> {pair: f"{d.synergy:z.3f} {d.unit}" for pair, d in pairs.items()}
    {(0, 1): '0.500 bit', (0, 2): '0.000 bit', (1, 2): '0.500 bit'}
    """
    table = validation.check_sources(joint)
    n_sources = table.ndim - 1
    return {
        pair: decompose(
            table.sum(axis=tuple(m for m in range(n_sources) if m not in pair)),
            **options,
        )
        for pair in combinations(range(n_sources), 2)
    }


def decompose_conditional(joint: ArrayLike, **options: Unpack[Options]) -> Decomposition:
    """Decompose I(X₁X₂;Y|Z), the information of two sources about a target given Z.

    Every quantity is the mean over z, with weights p(z), of its value in p(x₁,x₂,y|z). So are the
    two bounds, which are thus bounds on min I_q(X₁X₂;Y|Z) over all q with q(x₁,y,z) = p(x₁,y,z)
    and q(x₂,y,z) = p(x₂,y,z). The atoms keep every sum of the chain rule: R + U₁ = I(X₁;Y|Z),
    R + U₂ = I(X₂;Y|Z), and all four make I(X₁X₂;Y|Z) = I(X₁X₂Z;Y) − I(Z;Y).

    Conditioning removes information shared with Z and adds information available only together with
    Z, so an atom may be smaller or larger than without Z. It differs from the decomposition of
    (X₁,Z) and (X₂,Z), where a coupling may give the two a different z. `contribution` and `share`
    are those of the mean atoms. Counts of few examples for a z have the bias of a table of these
    few.

    Parameters
    ----------
    joint : array_like
        (n1, n2, C, nZ), counts or probabilities of (x₁, x₂, y, z); a z that never occurs is left
        out.
    **options
        As in `decompose`, for each z. The result has converged if the mean gap is within `tol`.

    Returns
    -------
    Decomposition
        In the unit of `base`; `iterations` is the sum over all z, and `solver` names each
        solver that ran.

    Raises
    ------
    InputError, Interrupted
        As `decompose`.

    Examples
    --------
    >>> import numpy as np
    >>> from modalprism.pid.gates import gate
    >>> switch = np.stack([gate("rdn").joint, gate("xor").joint], axis=-1)  # z picks the gate
    >>> d = decompose_conditional(switch)
    >>> f"R {d.redundancy:.3f}, S {d.synergy:.3f} {d.unit}"
    'R 0.500, S 0.500 bit'
    """
    table = validation.check_joint(joint, ("n1", "n2", "C", "nZ"))
    p_z = table.sum((0, 1, 2))
    used = np.flatnonzero(p_z)
    given = [decompose(table[..., z], **options) for z in used]
    weights = p_z[used] / p_z[used].sum()

    def mean(values: list[float]) -> float:
        return float(weights @ values)

    lower, upper = mean([d.lower for d in given]), mean([d.upper for d in given])
    within = upper - lower <= options.get("tol", 1e-6)
    open_ends = [d.stopped for d in given if not d.converged]
    return Decomposition(
        information=mean([d.information for d in given if d.information is not None]),
        marginal_information=(
            mean([d.marginal_information[0] for d in given]),
            mean([d.marginal_information[1] for d in given]),
        ),
        lower=lower,
        upper=upper,
        stopped=open_ends[0] if open_ends and not within else Reason.CONVERGED,
        solver=" and ".join(sorted({d.solver for d in given})),
        iterations=sum(d.iterations for d in given),
        unit=given[0].unit,
    )

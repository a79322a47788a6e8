"""The union information as an exponential-cone program, in the form that the solvers like best.

    minimise −Σ t   over t, q on the support and r on the pairs (x₁,x₂)
    with     q e^{t/q} ≤ r(x₁,x₂)             an exponential cone for every (x₁,x₂,y), and
             Σ_y q = r, Σ_{x₂} q = p(x₁,y), Σ_{x₁} q = p(x₂,y)

At the optimum −Σ t = Σ q ln(q/r) = −H_q(Y|X₁X₂), so that I_Q = H(Y) + the value. This is the
program of Makkeh, Theis and Vicente (2018, doi:10.3390/e20040271) with one variable r for a pair
instead of one for every (x₁,x₂,y), and without the marginal equations that follow from the others:
the same optimum with fewer variables, and faster with both Clarabel and ECOS.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from problems import Problem, Table
from scipy import sparse


@dataclass(frozen=True, eq=False)
class ConeProgram:
    """Minimise ``cost @ z`` over z = (t, q, r) with equations and exponential cones.

    Parameters
    ----------
    cells, pairs : int
        Number of cells (x₁,x₂,y) in the support, and of pairs (x₁,x₂).
    cost : ndarray
        (2·cells + pairs,).
    equations, right : csr_array and ndarray
        ``equations @ z == right``.
    cones : csr_array
        (3·cells, 2·cells + pairs): rows 3i, 3i+1 and 3i+2 pick t, q and r of cell i.
    entropy : float
        H(Y) in nats, to be added to the value.
    marginals, targets : csr_array and ndarray
        ``marginals @ q == targets``: the part of the equations that is not Σ_y q = r.
    pair_of : ndarray
        (cells,), the pair of each cell.
    """

    cells: int
    pairs: int
    cost: Table
    equations: sparse.csr_array
    right: Table
    cones: sparse.csr_array
    entropy: float
    marginals: sparse.csr_array
    targets: Table
    pair_of: NDArray[np.intp]


def assemble(problem: Problem) -> ConeProgram:
    """Assemble the cone program of a problem, vectorised, on its support only."""
    first, second = problem.p_x1y, problem.p_x2y
    (n1, n_classes), n2 = first.shape, second.shape[0]
    y, x1, x2 = np.nonzero((first.T > 0)[:, :, None] & (second.T > 0)[:, None, :])
    cells = len(y)
    used, pair_of = np.unique(x1 * n2 + x2, return_inverse=True)
    pairs = len(used)

    def sums(group: NDArray[np.intp], groups: int) -> sparse.csr_array:
        ones = np.ones(cells)
        return sparse.csr_array((ones, (group, np.arange(cells))), shape=(groups, cells))

    rows_1 = np.flatnonzero(first.ravel() > 0)
    rows_2 = np.flatnonzero(second.ravel() > 0)
    # Σ_{x₂} q fixes p(y), so one of the equations for Σ_{x₁} q follows in every class.
    rows_2 = np.delete(rows_2, np.unique(rows_2 % n_classes, return_index=True)[1])
    marginals = sparse.vstack(
        [
            sums(x1 * n_classes + y, n1 * n_classes)[rows_1],
            sums(x2 * n_classes + y, n2 * n_classes)[rows_2],
        ],
        format="csr",
    )
    targets = np.concatenate([first.ravel()[rows_1], second.ravel()[rows_2]])

    mixture = sums(pair_of, pairs)
    equations = sparse.block_array(
        [
            [sparse.csr_array((pairs, cells)), mixture, -sparse.eye_array(pairs)],
            [None, marginals, None],
        ],
        format="csr",
    )
    cone = np.arange(3 * cells)
    variable = np.stack([np.arange(cells), cells + np.arange(cells), 2 * cells + pair_of], axis=1)
    variables = 2 * cells + pairs
    p_y = first.sum(0)
    p_y = p_y[p_y > 0]
    return ConeProgram(
        cells=cells,
        pairs=pairs,
        cost=np.concatenate([-np.ones(cells), np.zeros(cells + pairs)]),
        equations=equations,
        right=np.concatenate([np.zeros(pairs), targets]),
        cones=sparse.csr_array(
            (np.ones(3 * cells), (cone, variable.ravel())), shape=(3 * cells, variables)
        ),
        entropy=float(-(p_y * np.log(p_y)).sum()),
        marginals=marginals,
        targets=targets,
        pair_of=pair_of,
    )

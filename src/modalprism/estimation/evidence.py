"""Evidence of an analysis: the informations of every replicate and of every row.

Atoms are sums of four informations: of each source, of both, and the union information. Their
replicates give the interval of a difference between two analyses. Their rows rank the examples by
redundancy, unique information or synergy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from modalprism.estimation.atoms import RowTerms, split_information

Array = NDArray[np.float64]
Stored = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Evidence:
    """Replicates and rows of an analysis, in its unit.

    The four informations are those of the first source, of the second, of both, and the union
    information.

    Attributes
    ----------
    resampled : ndarray of float32, shape (4, R)
        Changes of the informations when groups are resampled. Analyses of the same examples with
        the same seed draw the same resamples: replicate r of one matches replicate r of the other.
    learnt : ndarray of float32, shape (4, R)
        Changes with other and more training rows; drawn for each analysis separately.
    rows : ndarray of float32, shape (n, 4), optional
        Pointwise informations. Their means are the informations; only nearly for the union, because
        each row's target replaces its posterior.
    resolution : float
        Detection limit for n rows, see `resolution_of`.
    """

    resampled: Stored
    learnt: Stored
    rows: Stored | None = None
    resolution: float = 0.0

    @classmethod
    def of(
        cls, resampled: Array, learnt: Array, rows: Array | None, resolution: float, nat: float
    ) -> Evidence:
        """Convert replicates of atoms, shape (8, R), from nats; keep the four informations."""
        informations = [5, 6, 4, 7]
        return cls(
            (resampled[informations] / nat).astype(np.float32),
            (learnt[informations] / nat).astype(np.float32),
            None if rows is None else (rows / nat).astype(np.float32),
            resolution / nat,
        )

    def swapped(self) -> Evidence:
        """Return the evidence with the sources in the other order."""
        order = [1, 0, 2, 3]
        rows = None if self.rows is None else self.rows[:, order]
        return replace(self, resampled=self.resampled[order], learnt=self.learnt[order], rows=rows)

    @property
    def row_atoms(self) -> Array:
        """Redundancy, unique atoms and synergy of every row, shape (n, 4).

        Raises
        ------
        ValueError
            If the estimator has no rows.
        """
        if self.rows is None:
            raise ValueError("this estimator computes atoms of the sample, not of its rows")
        atoms: Array = split_information(*self.rows.T.astype(np.float64))[:4].T
        return atoms


def row_informations(terms: RowTerms) -> Array:
    """Return the pointwise informations of each row, shape (n, 4), in nats.

    log p(y|x₁)/p(y), log p(y|x₂)/p(y), log p(y|x₁,x₂)/p(y), and α' + β − log p(y), of the union's
    dual potentials: pointwise informations under the optimal coupling, whose pairs need not occur
    in the sample.
    """
    informations: Array = np.stack(
        [
            terms.surprise - terms.loss_1,
            terms.surprise - terms.loss_2,
            terms.surprise - terms.loss_joint,
            terms.surprise + terms.potential,
        ],
        axis=1,
    )
    return informations

r"""Atoms of a sample, and their first-order changes under resampling.

With the union information's dual potentials (α, β), every quantity is an entropy plus a mean over
rows, and the entropy is to first order such a mean as well. Let α' = α + ln p(y). Then

.. math::

   I_Q(p) = H(Y) + \max_{(\alpha',\beta) \in D}
            \sum p(x_1,y)\,\alpha' + \sum p(x_2,y)\,\beta,
   \qquad D = \{\textstyle\sum_y e^{\alpha'+\beta} \le 1\},

is a support function whose gradient is the optimal (α', β) (Danskin's theorem). A resample
re-weights the rows; its union information is, to first order, the same means under the new weights.
A thousand bootstrap replicates of every atom thus cost one matrix product and no further solve.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from modalprism.estimation.states import States
from modalprism.pid.information import mutual_information
from modalprism.pid.solve import solve_union_information
from modalprism.results.quantities import AMOUNTS, keys

Array = NDArray[np.float64]

ATOMS: Final = tuple("_".join(filter(None, key)) for key in keys(AMOUNTS, ("1", "2")))
"""Redundancy, unique_1, unique_2, synergy, and the informations behind them."""
MOST_ITERATIONS: Final = 2_000
_NOTHING: Final = 1e-9  # nats


@dataclass(frozen=True)
class RowTerms:
    """Terms of every row whose means give the atoms, in nats.

    Attributes
    ----------
    surprise : ndarray, shape (n,)
        −Σ_y target · ln p(y), whose mean is H(Y); rows of the target sum to 1.
    loss_1, loss_2, loss_joint : ndarray, shape (n,)
        Cross-entropy of the target under p(y|x₁), p(y|x₂) and p(y|x₁,x₂).
    potential : ndarray, shape (n,)
        Σ_y target · (α' + β) of the row's states. The target replaces the posteriors, because
        calibration has matched their moments. A resample then changes the union information and
        the held-out information alike, and a unique atom of zero does not change.
    """

    surprise: Array
    loss_1: Array
    loss_2: Array
    loss_joint: Array
    potential: Array

    @classmethod
    def of(
        cls, target: Array, log_posteriors: Sequence[Array], potential: Array, frequency: Array
    ) -> RowTerms:
        """Compute the terms of some rows.

        Parameters
        ----------
        target : ndarray, shape (b, C)
            Rows sum to 1.
        log_posteriors : three of ndarray, shape (b, C)
            log p(y|x₁), log p(y|x₂) and log p(y|x₁,x₂).
        potential : ndarray, shape (b, C)
            See `Coupling.potential`.
        frequency : ndarray, shape (C,)
            p(y) of all rows.
        """
        one, other, joint = (-(target * log_p).sum(1) for log_p in log_posteriors)
        surprise = -(target @ np.log(frequency))
        return cls(surprise, one, other, joint, (target * potential).sum(1))

    @classmethod
    def joined(cls, blocks: Iterable[RowTerms]) -> RowTerms:
        """Concatenate the terms of several blocks of rows."""
        columns = zip(*(astuple(block) for block in blocks), strict=True)
        return cls(*(np.concatenate(column) for column in columns))

    def atoms(self, union: float) -> Array:
        """Return the `ATOMS` of these rows, shape (8,), in nats, given the union information."""
        losses = (self.loss_1, self.loss_2, self.loss_joint)
        one, other, both = (np.asarray(self.surprise.mean() - loss.mean()) for loss in losses)
        return split_information(one, other, both, np.asarray(union))


@dataclass(frozen=True)
class Coupling:
    """Optimal coupling of two sources' states, in nats.

    Attributes
    ----------
    states : two of States
    alpha, beta : ndarray, shapes (states, C)
        α' and β, the dual potentials of the two sources' states.
    information : float
        The union information, `merge_correction` included.
    gap : float
        Proven bound on the solver's error in the union information.
    loss : float
        Information lost by merging rows into states, of both sources together.
    merge_correction : float
        Part of `loss` added to the union information, see `_merge_correction`.
    """

    states: tuple[States, States]
    alpha: Array
    beta: Array
    information: float
    gap: float
    loss: float
    merge_correction: float

    def potential(self, rows: slice | NDArray[np.int64]) -> Array:
        """Return α' + β of some rows' states, shape (b, C).

        These are the log-odds of the coupling, the best predictor without synergy.
        """
        first, second = self.states
        found: Array = self.alpha[first.of_row[rows]] + self.beta[second.of_row[rows]]
        return found


def split_information(
    information_1: Array, information_2: Array, both: Array, union: Array
) -> Array:
    """Return the stacked `ATOMS`, without clipping; the four atoms sum to `both`."""
    return np.stack(
        [
            information_1 + information_2 - union,
            union - information_2,
            union - information_1,
            both - union,
            both,
            information_1,
            information_2,
            union,
        ]
    )


def couple(states: tuple[States, States], *, tol: float) -> Coupling:
    """Compute the optimal coupling of two sources' states.

    Parameters
    ----------
    states : two of States
    tol : float
        Bound on the solver's gap, in nats.
    """
    first, second = states
    p_y = (first.joint.sum(0) + second.joint.sum(0)) / 2
    joint_1, joint_2 = (source.joint * (p_y / source.joint.sum(0)) for source in states)
    union = solve_union_information(joint_1, joint_2, tol=tol, max_iter=MOST_ITERATIONS)
    correction = _merge_correction(union.upper, (joint_1, joint_2), (first.loss, second.loss))
    return Coupling(
        states=states,
        # A cell without mass has potential −∞ and contributes 0·(−∞) = 0.
        alpha=np.where(np.isfinite(union.alpha), union.alpha + np.log(p_y), 0.0),
        beta=np.where(np.isfinite(union.beta), union.beta, 0.0),
        information=union.upper + correction,
        gap=union.upper - union.lower,
        loss=first.loss + second.loss,
        merge_correction=correction,
    )


def _merge_correction(
    union: float, joints: tuple[Array, Array], losses: tuple[float, float]
) -> float:
    """Return the part of the merging loss to add to the union information, in nats.

    The union information of all rows is at least that of their states (data processing). Its loss
    equals a source's loss if that information is unique, and 0 if the other source has it too. Loss
    m has weight U_m / (U_m + min(R, U_other)): 1 for the only informative source, 0 for a source
    whose information the other contains, and ½ for equal sources. docs/method.md compares this with
    unmerged rows.
    """
    one, other = (mutual_information(joint) for joint in joints)
    unique = (max(union - other, 0.0), max(union - one, 0.0))
    redundancy = max(one + other - union, 0.0)
    parts = []
    for mine, others in (unique, unique[::-1]):
        whole = mine + min(redundancy, others)
        parts.append(mine / whole if whole > _NOTHING else 0.5)
    return parts[0] * losses[0] + parts[1] * losses[1]


def replicate_atoms(terms: RowTerms, batches: Iterable[Array]) -> Array:
    """Return the first-order change of every atom under every weighting, in nats.

    Parameters
    ----------
    terms : RowTerms
    batches : iterable of ndarray, shape (some replicates, n)
        Nonnegative weights; every replicate has a positive sum.

    Returns
    -------
    ndarray, shape (8, replicates)
        Differences from equal weights, in the order of `ATOMS`.
    """
    return np.concatenate([_moved(terms, weights) for weights in batches], axis=1)


def _moved(terms: RowTerms, weights: Array) -> Array:
    n = weights.shape[1]
    weights = np.concatenate([np.full((1, n), 1 / n), weights / weights.sum(1, keepdims=True)])
    # H(Y) to first order, like the other terms. A refit to the resample would cancel the
    # curvature of H(Y), because it uses the resample's own class frequencies.
    entropy = weights @ terms.surprise
    moved = split_information(
        entropy - weights @ terms.loss_1,
        entropy - weights @ terms.loss_2,
        entropy - weights @ terms.loss_joint,
        entropy + weights @ terms.potential,
    )
    difference: Array = moved[:, 1:] - moved[:, :1]
    return difference

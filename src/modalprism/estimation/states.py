"""Few states instead of many rows: alike posteriors are merged before they are coupled.

Every row is a state of its own source, and p(y|x) is all that the decomposition sees of it. Merging
rows can only lose information (data processing), and how much is known exactly: I(rows;Y) −
I(states;Y), the mean divergence of the rows from their state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr
from sklearn.cluster import KMeans

MOST_STATES: Final = 300


@dataclass(frozen=True)
class States:
    """A source's rows, merged into states.

    Attributes
    ----------
    joint : ndarray of float64, shape (states, C)
        p(state, y); sums to 1.
    of_row : ndarray of int64, shape (n,)
        Which state a row belongs to.
    loss : float
        I(rows;Y) − I(states;Y) ≥ 0, in nats.
    """

    joint: NDArray[np.float64]
    of_row: NDArray[np.int64]
    loss: float


def merge_rows(posterior: NDArray[np.float64], *, most: int = MOST_STATES, seed: int = 0) -> States:
    """Merge rows p(y|x) of equal weight into at most `most` states.

    Equal rows are one state. Further merging is by k-means on the square roots, whose squared
    distance (Hellinger) is the divergence to second order.

    Parameters
    ----------
    posterior : ndarray of float64, shape (n, C)
        Rows sum to 1.
    most : int
    seed : int

    Examples
    --------
    >>> import numpy as np
    >>> states = merge_rows(np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8]]))
    >>> states.joint.shape, states.loss
    ((2, 2), 0.0)
    """
    n, classes = posterior.shape
    unique, of_row = np.unique(posterior.round(12), axis=0, return_inverse=True)
    if len(unique) > most:
        weight = np.bincount(of_row)
        clusters = KMeans(most, init="k-means++", n_init=1, max_iter=20, random_state=seed)
        of_row = clusters.fit_predict(np.sqrt(unique), sample_weight=weight)[of_row]
    _, of_row = np.unique(of_row, return_inverse=True)
    joint = np.zeros((int(of_row.max()) + 1, classes))
    np.add.at(joint, of_row, posterior / n)
    centre = joint / joint.sum(1, keepdims=True)
    loss = float(rel_entr(posterior, centre[of_row]).sum() / n)
    return States(joint, of_row.astype(np.int64), max(loss, 0.0) if len(unique) > most else 0.0)

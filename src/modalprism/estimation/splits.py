"""Assignment of rows to folds and roles, for probes fitted to a part of the sample.

Most rows are only predicted. Whole connected components of rows, chosen at random, train models:
some fit the probes of each source, others choose between families and fit the maps that recalibrate
them. The rest fit the joint probe, whose inputs are held-out log-odds. The models of a fold are
fitted to rows of the other folds, so no prediction depends on its own row or group.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from modalprism.errors import InputError
from modalprism.estimation.folds import assign_folds, connected_groups, connected_sets
from modalprism.estimation.sample import Sample
from modalprism.estimation.streaming import Streaming

READ, PROBE, CHOICE, JOINT = range(4)
FEWEST_ROWS: Final = 30
PARTS: Final = (0.4, 0.3, 0.3)
"""Shares of the training rows for probes, for choices and maps, and for the joint probe."""


@dataclass(frozen=True)
class Splits:
    """Fold and role of every row.

    Attributes
    ----------
    folds : int
        K.
    fold : ndarray of int16, shape (n,)
    role : ndarray of int8, shape (n,)
        `READ` for a row that is only predicted; `PROBE`, `CHOICE` or `JOINT`.
    tested : ndarray of int64
        Rows behind p-values and the learning curve, in the order of the sample: random whole
        components that train no model.
    half : ndarray of bool, shape (n,)
        A random half of the components.
    """

    folds: int
    fold: NDArray[np.int16]
    role: NDArray[np.int8]
    tested: NDArray[np.int64]
    half: NDArray[np.bool_]

    @property
    def training(self) -> NDArray[np.int64]:
        """Indices of the rows that models are fitted to."""
        return np.flatnonzero(self.role != READ)

    @classmethod
    def of(cls, sample: Sample, folds: int, streaming: Streaming, seed: int) -> Splits:
        """Assign folds and roles to the rows of a sample.

        Raises
        ------
        InputError
            If the groups leave too few folds.
        """
        n = len(sample)
        component = connected_groups(sample.groups, n)
        size = np.bincount(component)
        first, second = sample.sources
        most = streaming.learning_from(n, (int(first.rows.shape[1]), int(second.rows.shape[1])))
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(size))
        role_of = np.zeros(len(size), dtype=np.int8)
        role_of[order] = _roles(size[order])
        learnt = np.flatnonzero(role_of[component])
        kept = rng.permutation(len(learnt))[:most]
        role = np.zeros(n, dtype=np.int8)
        role[learnt[kept]] = role_of[component[learnt[kept]]]
        unseen = order[role_of[order] == READ]
        unseen = unseen[np.cumsum(size[unseen]) <= max(streaming.looked_at, size[unseen[0]])]
        looked = np.zeros(len(size), dtype=np.bool_)
        looked[unseen] = True
        half = rng.random(len(size)) < 0.5
        splits = cls(
            folds=folds,
            fold=assign_folds(component, sample.target, folds, seed).astype(np.int16),
            role=role,
            tested=np.flatnonzero(looked[component])[: streaming.looked_at],
            half=half[component],
        )
        splits._check(len(size))
        return splits

    def _check(self, components: int) -> None:
        counts = np.zeros((4, self.folds), dtype=np.int64)
        np.add.at(counts, (self.role, self.fold), 1)
        if (counts.sum(1, keepdims=True) - counts)[1:].min() < FEWEST_ROWS:
            n = len(self.fold)
            why = f"{n:,} rows"
            if components < n:
                why += f", which the groups tie into {connected_sets(components)},"
            advice = ", or name fewer group columns" if components < n else ""
            raise InputError(
                f"{why} are too few to be streamed: a probe would be fitted to fewer than "
                f"{FEWEST_ROWS} rows; analyse them in memory, Streaming(above={n}){advice}",
                parameter="streaming",
            )


def _roles(size: NDArray[np.int64]) -> NDArray[np.int8]:
    """Assign roles to components in random order; half of the rows train models."""
    n = size.sum()
    role = np.zeros(len(size), dtype=np.int8)
    # A component with a tenth of all rows would fill a role; it is only predicted.
    small = np.flatnonzero(size <= max(n // 10, 1))
    chosen = small[np.cumsum(size[small]) <= n / 2]
    share = np.cumsum(size[chosen]) / max(int(size[chosen].sum()), 1)
    role[chosen] = 1 + np.searchsorted(np.cumsum(PARTS)[:2], share - 1e-9, side="right")
    return role

"""Plans: which rows probes are fitted to, chosen and calibrated by, and which they predict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from modalprism.estimation.analysis import Estimate
from modalprism.estimation.crossfit import CrossFit
from modalprism.estimation.folds import assign_folds, connected_groups
from modalprism.estimation.joint import joint_logits
from modalprism.estimation.learning import Logits
from modalprism.estimation.probes import Features, NestedLogits, unimodal_logits
from modalprism.estimation.readout import HeldOut
from modalprism.estimation.sample import Sample
from modalprism.estimation.source import Source
from modalprism.estimation.threads import one_by_one, side_by_side

MANY_ROWS: Final = 3_000
"""Rows from which on both sources are probed at once."""


@dataclass(frozen=True)
class Predictions:
    """Predictions of rows by probes that have not seen them.

    Attributes
    ----------
    held_out : HeldOut
        Of all rows.
    tested : ndarray of int64, shape (m,)
        Rows behind p-values and the learning curve, in the order of the sample.
    fold : ndarray of int64, shape (m,)
        Folds of the tested rows.
    fewer : list of ndarray of float32, shape (m, 4, C)
        Log-odds of the tested rows by probes that were fitted to fewer rows.
    folds : int
        Those rows are to those of `held_out` as K−2 is to K−1: see `learning_of`.
    families : dict of str to tuple of str
        What was chosen for each modality and for ``both``, one a fold.
    diagnostics : dict of str to Estimate
    """

    held_out: HeldOut
    tested: NDArray[np.int64]
    fold: NDArray[np.int64]
    fewer: list[Logits]
    folds: int
    families: dict[str, tuple[str, ...]]
    diagnostics: dict[str, Estimate] = field(default_factory=dict)


class Plan(Protocol):
    """How probes are fitted, and how finely what they predict is coupled."""

    @property
    def states(self) -> int:
        """Each source's rows are merged into at most so many."""

    @property
    def tolerance(self) -> float:
        """Bound on the solver's gap, in nats."""

    @property
    def bounds_merging(self) -> bool:
        """Whether the gap of an analysis also bounds what merging may have lost."""

    def predictions(self, sample: Sample, seed: int) -> AbstractContextManager[Predictions]:
        """Fit probes and predict all rows; files that hold predictions last as long."""


@dataclass(frozen=True)
class Nested:
    """Nested cross-fitting: K (K+1) / 2 fits that leave out one or two folds.

    Every row is fitted to, chosen and calibrated by, and predicted, in the turns of different
    folds. All rows are in memory.

    Attributes
    ----------
    folds : int
        K.
    """

    folds: int
    states: int = 300
    tolerance: float = 2e-3
    bounds_merging: bool = False

    @contextmanager
    def predictions(self, sample: Sample, seed: int) -> Iterator[Predictions]:
        """Cross-fit the probes of a sample.

        Raises
        ------
        InputError
            If the groups leave too few folds.
        """
        n = len(sample)
        fold = assign_folds(connected_groups(sample.groups, n), sample.target, self.folds, seed)
        soft_target = torch.from_numpy(sample.target.whole).float()
        plan = CrossFit.of(fold)

        def probed(source: Source) -> tuple[NestedLogits, Features]:
            return unimodal_logits(source.whole(), soft_target, plan, seed)

        # Neither source knows of the other; of few rows, two threads only wait for each other.
        at_once = side_by_side if n >= MANY_ROWS else one_by_one
        probes, features = zip(*at_once(probed, sample.sources), strict=True)
        joint, interaction = joint_logits(
            (probes[0], probes[1]), (features[0], features[1]), soft_target, plan
        )
        three = (*probes, joint)

        def stacked(read: Sequence[torch.Tensor]) -> Logits:
            return torch.stack([*read, interaction], 1).numpy()

        yield Predictions(
            held_out=HeldOut(stacked([probe.held_out for probe in three]), sample.target),
            tested=np.arange(n),
            fold=fold,
            fewer=[
                stacked([probe.with_fewer_rows(turn, plan) for probe in three])
                for turn in range(1, plan.folds)
            ],
            folds=plan.folds,
            families=dict(
                zip((*sample.modalities, "both"), (probe.family for probe in three), strict=True)
            ),
        )

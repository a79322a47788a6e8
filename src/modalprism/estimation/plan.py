"""Plans: which rows probes are fitted to, chosen and calibrated by, and which they predict."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from modalprism.estimation.learning import Logits
from modalprism.estimation.readout import HeldOut
from modalprism.estimation.sample import Sample
from modalprism.progress import Step, no_step
from modalprism.results.estimate import Estimate


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

    def steps(self, sample: Sample) -> int:
        """Return how many steps `predictions` reports."""

    def predictions(
        self, sample: Sample, seed: int, step: Step = no_step
    ) -> AbstractContextManager[Predictions]:
        """Fit probes and predict all rows; files that hold predictions last as long."""

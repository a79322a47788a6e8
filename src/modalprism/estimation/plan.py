"""Plans: the rows for fitting, choosing and calibrating probes, and the rows to predict."""

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
    """Held-out predictions of rows.

    Attributes
    ----------
    held_out : HeldOut
        Predictions of all rows.
    tested : ndarray of int64, shape (m,)
        Rows behind p-values and the learning curve, in the order of the sample.
    fold : ndarray of int64, shape (m,)
        Folds of the tested rows.
    fewer : list of ndarray of float32, shape (m, 4, C)
        Log-odds of the tested rows by probes fitted to fewer rows.
    folds : int
        K: `fewer` and `held_out` have training rows in the ratio (K−2) : (K−1); see `learning_of`.
    freedom : tuple of float
        Effective dimensions of each source, per row that its probes are fitted to.
    families : dict of str to tuple of str
        Families chosen for each modality and for ``both``, one per fold.
    diagnostics : dict of str to Estimate
    """

    held_out: HeldOut
    tested: NDArray[np.int64]
    fold: NDArray[np.int64]
    fewer: list[Logits]
    folds: int
    freedom: tuple[float, float]
    families: dict[str, tuple[str, ...]]
    diagnostics: dict[str, Estimate] = field(default_factory=dict)


class Plan(Protocol):
    """Protocol: how probes are fitted, and the precision of the coupling."""

    @property
    def states(self) -> int:
        """Largest number of states per source after merging."""

    @property
    def tolerance(self) -> float:
        """Bound on the solver's gap, in nats."""

    @property
    def bounds_merging(self) -> bool:
        """Whether the gap of an analysis includes the loss from merging."""

    def steps(self, sample: Sample) -> int:
        """Return the number of steps that `predictions` reports."""

    def predictions(
        self, sample: Sample, seed: int, step: Step = no_step
    ) -> AbstractContextManager[Predictions]:
        """Fit probes and predict all rows; temporary files last as long as the context."""

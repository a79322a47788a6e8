"""Posterior estimator: usable information of cross-fitted calibrated probes.

The held-out information of a probe from a stated family (Xu et al. 2020, arXiv:2002.10689) is a
lower bound on the information in an embedding. The probes' posteriors are the marginals of the
decomposition: every row is a state, and factored IPFP couples the states.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Final

import numpy as np

from modalprism.errors import InputError
from modalprism.estimation.analysis import Analysis
from modalprism.estimation.atoms import Coupling, replicate_atoms
from modalprism.estimation.bootstrap import weights_in_batches
from modalprism.estimation.evidence import row_informations
from modalprism.estimation.exchange import Exchange, exchangeable_blocks
from modalprism.estimation.learning import Array, Logits, learning_of, unread_information
from modalprism.estimation.nested import Nested
from modalprism.estimation.plan import Plan, Predictions
from modalprism.estimation.readout import HeldOut, read_out
from modalprism.estimation.sample import Sample
from modalprism.estimation.significance import p_values_of
from modalprism.estimation.split import Split
from modalprism.estimation.streaming import Streaming
from modalprism.estimation.summary import resolution_of, summarize
from modalprism.estimation.target import Target
from modalprism.estimation.threads import one_thread
from modalprism.estimation.trees import EFFORTS
from modalprism.progress import Step, Track, counted_steps, silent
from modalprism.results.estimate import Estimate

_STEPS: Final = 4
"""Steps besides those of a plan: read-out, learning curve, intervals, and p-values."""


@dataclass(frozen=True)
class PosteriorEstimator:
    """Estimate atoms from held-out predictions of calibrated probes.

    Attributes
    ----------
    folds : int
        Folds of the cross-fit, at least 3.
    replicates : int
        Bootstrap replicates behind each interval.
    permutations : int
        Draws behind each p-value.
    base : float
        Base of the logarithm: 2 for bits.
    effort : {"fast", "default", "thorough"}
        Which learners may be tried, see `modalprism.estimation.trees.trees_of`.
    seed : int
    streaming : Streaming
        Options for samples of many rows.
    plan : Plan, optional
        Rows for fitting and for prediction. By default `Nested`, and `Split`
        for samples of more than ``streaming.above`` rows.
    track : Track
        Reports progress; see `modalprism.progress.tracking`.

    Notes
    -----
    I(X_m;Y) and I(X₁X₂;Y) are held-out: H(Y) minus the cross-entropy of calibrated probes. The
    union information is that of the calibrated posteriors' marginals, with rows merged into states.
    `calibration` explains why the two agree, and `states` bounds the loss from merging.

    Examples
    --------
    >>> from modalprism.estimation.sample import check_sample
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=120)
    >>> embeddings = {"image": rng.normal(size=(120, 3)), "text": y[:, None] + 0.0}
    >>> estimate = PosteriorEstimator(folds=3, replicates=100, permutations=19)
    >>> round(estimate(check_sample(embeddings, y, None, folds=3)).unique[1].value, 1)
    1.0
    """

    version: ClassVar[int] = 3
    """Increased with every change of results; studies then recompute their cached results."""

    folds: int = 5
    replicates: int = 1000
    permutations: int = 199
    base: float = 2
    effort: str = "default"
    seed: int = 0
    streaming: Streaming = field(default_factory=Streaming)
    plan: Plan | None = None
    track: Track = silent

    def __post_init__(self) -> None:
        if self.effort not in EFFORTS:
            names = ", ".join(map(repr, EFFORTS))
            raise InputError(f"effort is {self.effort!r}: pass one of {names}", parameter="effort")

    def __call__(self, sample: Sample) -> Analysis:
        """Analyse a checked sample in one thread.

        Raises
        ------
        InputError
            If the groups leave too few folds, or the disk is full.
        """
        many = len(sample) > self.streaming.above
        plan = self.plan or (
            Split(self.folds, self.streaming, effort=self.effort)
            if many
            else Nested(self.folds, effort=self.effort)
        )
        steps = plan.steps(sample) + _STEPS
        names = " and ".join(sample.modalities)
        with (
            one_thread(),
            counted_steps(self.track, steps, f"analysing {names}") as step,
            plan.predictions(sample, self.seed, step) as predictions,
        ):
            return replace(self._analysis(sample, plan, predictions, step), seed=self.seed)

    def _analysis(
        self, sample: Sample, plan: Plan, predictions: Predictions, step: Step
    ) -> Analysis:
        """Compute, resample, test and summarize the atoms of predictions."""
        held_out, tested, seed = predictions.held_out, predictions.tested, self.seed
        n, classes = len(sample), sample.target.classes
        reading = read_out(held_out, states=plan.states, tol=plan.tolerance, seed=seed)
        value, coupling = reading.value, reading.coupling
        step()
        few = Nested(self.folds)
        some = Target.of_rows(sample.target.rows(tested))
        of_tested = {name: column[tested] for name, column in sample.groups.items()}
        blocks = exchangeable_blocks(of_tested, len(tested))
        # Rows of one group may be alike, and crossing columns are as independent as the finest.
        independent = max((len(np.unique(c)) for c in sample.groups.values()), default=n)
        logits = held_out.logits[tested]

        def atoms_of(scores: Logits) -> Array:
            few_rows = HeldOut(scores, some)
            return read_out(few_rows, states=few.states, tol=few.tolerance, seed=seed).value

        ceiling = sample.target.ceiling()
        weights = weights_in_batches(sample.groups, n, self.replicates, seed)
        resampled = replicate_atoms(reading.terms, weights)
        step()
        learning = learning_of(
            value if len(tested) == n else atoms_of(logits),
            predictions.fewer,
            atoms_of,
            folds=predictions.folds,
            ceiling=ceiling,
            unread=unread_information(
                value,
                resampled,
                [each * n / independent for each in predictions.freedom],
                n=independent,
                classes=classes,
                ceiling=ceiling,
            ),
        )
        learnt = learning.replicate(self.replicates, seed)
        step()
        p_values = p_values_of(
            logits.astype(np.float64),
            some.whole,
            coupling.potential(tested),
            coupling.gap,
            value,
            resampled + learnt,
            Exchange(predictions.fold, blocks),
            permutations=self.permutations,
            seed=seed,
        )
        step()
        nat = float(np.log(self.base))
        diagnostics = {
            "state_loss": Estimate(coupling.loss / nat),
            "calibration_difference": Estimate(reading.difference / nat),
            "matching_distance": Estimate(reading.distance),
        }
        if sample.target.soft and ceiling > 1e-9:
            diagnostics |= {
                "information_ceiling": Estimate(ceiling / nat),
                "recovered": Estimate(float(value[4]) / ceiling),
            }
        analysis = summarize(
            value,
            resampled,
            learnt=learnt,
            rows=row_informations(reading.terms),
            modalities=sample.modalities,
            target=sample.target.title,
            base=self.base,
            n=n,
            gap=coupling.gap,
            loss=coupling.loss,
            merge_correction=coupling.merge_correction,
            classes=classes,
            resolution=resolution_of(classes, n),
            ceiling=ceiling,
            estimator="posterior",
            diagnostics=diagnostics | predictions.diagnostics,
            families=predictions.families,
            p_values=p_values,
        )
        return _with_bounds(analysis, coupling, nat) if plan.bounds_merging else analysis


def _with_bounds(analysis: Analysis, coupling: Coupling, nat: float) -> Analysis:
    """Bound the union information of all rows by the solver's gap and the loss from merging."""
    of_states = coupling.information - coupling.merge_correction
    upper, lower = of_states + coupling.loss, of_states - coupling.gap
    bounds = {
        "solver_gap": Estimate(coupling.gap / nat),
        "union_lower": Estimate(lower / nat),
        "union_upper": Estimate(upper / nat),
    }
    return replace(analysis, gap=(upper - lower) / nat, diagnostics=analysis.diagnostics | bounds)

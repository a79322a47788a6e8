"""The posterior estimator: usable information, read by cross-fitted calibrated probes.

What a probe of a stated family reads from an embedding on rows that it has not seen (Xu et al.
2020, arXiv:2002.10689) is a lower bound on the information there. The probes' posteriors are the
decomposition's marginals: every row is a state, and the states are coupled by factored IPFP.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from modalprism.estimation.analysis import Analysis, Estimate
from modalprism.estimation.atoms import replicate_atoms
from modalprism.estimation.bootstrap import weights_in_batches
from modalprism.estimation.crossfit import CrossFit
from modalprism.estimation.evidence import row_informations
from modalprism.estimation.exchange import exchangeable_blocks
from modalprism.estimation.folds import assign_folds, connected_groups
from modalprism.estimation.joint import joint_logits
from modalprism.estimation.learning import Array, Logits, learning_of
from modalprism.estimation.probes import Features, NestedLogits, unimodal_logits
from modalprism.estimation.readout import HeldOut, Reading, read_out
from modalprism.estimation.significance import Exchange, p_values_of
from modalprism.estimation.streamed.target import Target
from modalprism.estimation.summary import resolution_of, summarize
from modalprism.estimation.threads import one_by_one, side_by_side
from modalprism.estimation.validation import Sample

GAP_TOLERANCE: Final = 2e-3
"""Bound asked of the solver, in nats: well below what a sample of thousands can resolve."""
STATES: Final = 300
MANY_ROWS = 3_000
"""Rows from which on both sources are probed at once."""


def analyze_posterior(
    sample: Sample,
    *,
    target: str,
    base: float,
    folds: int,
    replicates: int,
    permutations: int,
    seed: int,
) -> Analysis:
    """Probe, calibrate, couple, and resample a checked sample, in one thread.

    Parameters
    ----------
    sample : Sample
    target, base, folds, replicates, permutations, seed
        As in `modalprism.analyze`.

    Returns
    -------
    Analysis
        In the order of the sample's modalities.

    Raises
    ------
    InputError
        If the groups leave too few folds.

    Notes
    -----
    I(X_m;Y) and I(X₁X₂;Y) are held-out: H(Y) minus the cross-entropy of calibrated probes. The
    union information is that of the calibrated posteriors' marginals (`calibration` says why the
    two agree), with rows merged into at most 300 states (`states` says what that loses).
    """
    n = len(sample.target)
    component = connected_groups(sample.groups, n)
    fold = assign_folds(component, sample.target, folds, seed)

    soft_target = torch.from_numpy(sample.target).float()
    plan = CrossFit.of(fold)

    def probed(block: Array) -> tuple[NestedLogits, Features]:
        return unimodal_logits(block, soft_target, plan, seed)

    # Neither source knows of the other; of few rows, two threads only wait for each other.
    at_once = side_by_side if n >= MANY_ROWS else one_by_one
    probes, features = zip(*at_once(probed, sample.embeddings), strict=True)
    joint, interaction = joint_logits(
        (probes[0], probes[1]), (features[0], features[1]), soft_target, plan
    )

    def stacked(read: Sequence[torch.Tensor]) -> Logits:
        return torch.stack([*read, interaction], 1).numpy()

    three = (*probes, joint)
    predictions = Predictions(
        held_out=HeldOut(
            stacked([probe.held_out for probe in three]), Target.of_rows(sample.target)
        ),
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
    analysis, _ = analysis_of(
        predictions,
        sample.modalities,
        sample.groups,
        states=STATES,
        tol=GAP_TOLERANCE,
        soft=sample.soft,
        target=target,
        base=base,
        replicates=replicates,
        permutations=permutations,
        seed=seed,
    )
    return analysis


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


def analysis_of(
    predictions: Predictions,
    modalities: tuple[str, str],
    groups: Mapping[str, NDArray[Any]],
    *,
    states: int,
    tol: float,
    soft: bool,
    target: str,
    base: float,
    replicates: int,
    permutations: int,
    seed: int,
) -> tuple[Analysis, Reading]:
    """Read predictions out, resample and test the atoms, and summarize them.

    Parameters
    ----------
    predictions : Predictions
    modalities : (str, str)
    groups : mapping of column name to ndarray, shape (n,)
    states : int
        Each source's rows are merged into at most so many.
    tol : float
        Bound on the solver's gap, in nats.
    soft : bool
        Whether the target was given as distributions.
    target, base, replicates, permutations, seed
        As in `modalprism.analyze`.
    """
    held_out, tested = predictions.held_out, predictions.tested
    n, classes = len(held_out.target), held_out.target.classes
    reading = read_out(held_out, states=states, tol=tol, seed=seed)
    value, coupling = reading.value, reading.coupling
    some = Target.of_rows(held_out.target.rows(tested))
    logits = held_out.logits[tested]

    def atoms_of(scores: Logits) -> Array:
        return read_out(HeldOut(scores, some), states=STATES, tol=GAP_TOLERANCE, seed=seed).value

    ceiling = held_out.target.ceiling()
    learning = learning_of(
        value if len(tested) == n else atoms_of(logits),
        predictions.fewer,
        atoms_of,
        folds=predictions.folds,
        ceiling=ceiling,
    )
    resampled = replicate_atoms(reading.terms, weights_in_batches(groups, n, replicates, seed))
    learnt = learning.replicate(replicates, seed)
    of_tested = {name: column[tested] for name, column in groups.items()}
    p_values = p_values_of(
        logits.astype(np.float64),
        some.rows(slice(None)),
        coupling.potential(tested),
        coupling.gap,
        value,
        resampled + learnt,
        Exchange(predictions.fold, exchangeable_blocks(of_tested, len(tested))),
        permutations=permutations,
        seed=seed,
    )
    nat = float(np.log(base))
    diagnostics = {
        "state_loss": Estimate(coupling.loss / nat),
        "calibration_difference": Estimate(reading.difference / nat),
        "matching_distance": Estimate(reading.distance),
    }
    if soft and ceiling > 1e-9:
        diagnostics |= {
            "information_ceiling": Estimate(ceiling / nat),
            "recovered": Estimate(float(value[4]) / ceiling),
        }
    analysis = summarize(
        value,
        resampled,
        learnt=learnt,
        rows=row_informations(reading.terms),
        modalities=modalities,
        target=target,
        base=base,
        n=n,
        gap=coupling.gap,
        loss=coupling.loss,
        merge_correction=coupling.merge_correction,
        classes=classes,
        resolution=resolution_of(classes, n),
        estimator="posterior",
        diagnostics=diagnostics | predictions.diagnostics,
        families=predictions.families,
        p_values=p_values,
    )
    return analysis, reading

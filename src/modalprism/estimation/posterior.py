"""The posterior estimator: usable information, read by cross-fitted calibrated probes.

What a probe of a stated family reads from an embedding on rows that it has not seen (Xu et al.
2020, arXiv:2002.10689) is a lower bound on the information there. The probes' posteriors are the
decomposition's marginals: every row is a state, and the states are coupled by factored IPFP.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import entr
from torch import Tensor

from modalprism.estimation.analysis import Analysis, Estimate
from modalprism.estimation.atoms import SampleAtoms, couple, replicate_atoms, sample_atoms
from modalprism.estimation.bootstrap import weights_in_batches
from modalprism.estimation.calibration import (
    calibrate,
    fit_nonnegative,
    information_difference,
    matching_distance,
)
from modalprism.estimation.crossfit import CrossFit
from modalprism.estimation.evidence import row_informations
from modalprism.estimation.exchange import exchangeable_blocks
from modalprism.estimation.folds import assign_folds, connected_groups
from modalprism.estimation.joint import joint_logits
from modalprism.estimation.learning import Array, Logits, learning_of
from modalprism.estimation.probes import Features, NestedLogits, unimodal_logits
from modalprism.estimation.significance import Exchange, p_values_of
from modalprism.estimation.states import merge_rows
from modalprism.estimation.summary import resolution_of, summarize
from modalprism.estimation.threads import one_by_one, side_by_side
from modalprism.estimation.validation import Sample

GAP_TOLERANCE = 2e-3
MANY_ROWS = 3_000
"""Bound asked of the solver, in nats: well below what a sample of thousands can resolve."""


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

    def logits_of(one: Tensor, other: Tensor, both: Tensor) -> Logits:
        return (one.double().numpy(), other.double().numpy(), both.double().numpy())

    held_out = logits_of(*(probe.held_out for probe in (*probes, joint)))
    atoms, calibrated = read_sample(held_out, sample.target, seed)
    coupled = atoms.coupled
    turns = [
        logits_of(*(probe.with_fewer_rows(turn, plan) for probe in (*probes, joint)))
        for turn in range(1, plan.folds)
    ]
    ceiling = float(entr(sample.target.mean(0)).sum() - entr(sample.target).sum(1).mean())
    learning = learning_of(
        atoms.value,
        turns,
        lambda logits: read_sample(logits, sample.target, seed)[0].value,
        folds=plan.folds,
        ceiling=ceiling,
    )
    weights = weights_in_batches(sample.groups, n, replicates, seed)
    resampled = replicate_atoms(atoms.terms, weights)
    learnt = learning.replicate(replicates, seed)
    p_values = p_values_of(
        held_out,
        interaction.numpy().astype(np.float64),
        sample.target,
        coupled,
        atoms.value,
        resampled + learnt,
        Exchange(fold, exchangeable_blocks(sample.groups, n)),
        permutations=permutations,
        seed=seed,
    )

    differences = [abs(information_difference(log_p, sample.target)) for log_p in calibrated]
    distances = [matching_distance(*pair) for pair in zip(held_out[:2], calibrated, strict=True)]
    diagnostics = {
        "state_loss": Estimate(coupled.loss / np.log(base)),
        "calibration_difference": Estimate(max(differences) / np.log(base)),
        "matching_distance": Estimate(max(distances)),
    }
    if sample.soft and ceiling > 1e-9:
        diagnostics |= {
            "information_ceiling": Estimate(ceiling / np.log(base)),
            "recovered": Estimate(float(atoms.value[4]) / ceiling),
        }
    return summarize(
        atoms.value,
        resampled,
        learnt=learnt,
        rows=row_informations(atoms.terms),
        modalities=sample.modalities,
        target=target,
        base=base,
        n=n,
        gap=coupled.gap,
        loss=coupled.loss,
        regained=coupled.regained,
        classes=sample.target.shape[1],
        resolution=resolution_of(sample.target.shape[1], n),
        estimator="posterior",
        diagnostics=diagnostics,
        families={
            sample.modalities[0]: probes[0].family,
            sample.modalities[1]: probes[1].family,
            "both": joint.family,
        },
        p_values=p_values,
    )


def read_sample(
    logits: Logits, target: Array, seed: int
) -> tuple[SampleAtoms, tuple[Array, Array]]:
    """Calibrate scores of held-out rows, couple both sources, and let the joint add to them.

    Returns the atoms, and log p(y|x₁) and log p(y|x₂).
    """
    log_p1, log_p2 = (calibrate(scores, target) for scores in logits[:2])
    coupled = couple(
        (merge_rows(np.exp(log_p1), seed=seed), merge_rows(np.exp(log_p2), seed=seed)),
        tol=GAP_TOLERANCE,
    )
    scores = [log_p1, log_p2, logits[2], coupled.potential]
    log_joint = fit_nonnegative(scores, target).log_probabilities(scores)
    return sample_atoms(target, (log_p1, log_p2, log_joint), coupled), (log_p1, log_p2)

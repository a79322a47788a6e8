"""The posterior estimator: usable information, read by cross-fitted calibrated probes.

What a probe of a stated family reads from an embedding on rows that it has not seen (Xu et al.
2020, arXiv:2002.10689) is a lower bound on the information there. The probes' posteriors are the
decomposition's marginals: every row is a state, and the states are coupled by factored IPFP.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.special import entr

from modalprism.errors import InputError
from modalprism.estimation.analysis import Analysis, Estimate
from modalprism.estimation.atoms import replicate_atoms, sample_atoms
from modalprism.estimation.bootstrap import pigeonhole_weights
from modalprism.estimation.calibration import calibrate
from modalprism.estimation.folds import assign_folds, connected_groups
from modalprism.estimation.probes import joint_logits, unimodal_logits
from modalprism.estimation.states import merge_rows
from modalprism.estimation.summary import summarize
from modalprism.estimation.threads import one_thread
from modalprism.estimation.validation import Sample, check_options, check_sample

GAP_TOLERANCE = 2e-3
"""Bound asked of the solver, in nats: well below what a sample of thousands can resolve."""


def analyze(
    embeddings: Mapping[str, ArrayLike],
    y: ArrayLike,
    *,
    groups: Mapping[str, ArrayLike] | None = None,
    target: str = "target",
    base: float = 2,
    estimator: str = "posterior",
    folds: int = 5,
    replicates: int = 1000,
    seed: int = 0,
) -> Analysis:
    """Split what two embeddings tell about a target into atoms, with intervals.

    Parameters
    ----------
    embeddings : mapping of modality name to array_like, shapes (n, d1) and (n, d2)
        Two modalities; row i of both is example i. Any float or integer dtype.
    y : array_like, shape (n,) or (n, C)
        Labels, or a model's answer probabilities (rows sum to 1).
    groups : mapping of column name to array_like, shape (n,), optional
        Rows that share a value in any column never straddle folds.
    target : str
        What `y` is, in words; it travels into every output.
    base : float
        Of the logarithm: 2 for bits, ``math.e`` for nats.
    estimator : {"posterior"}
    folds : int
        At least 3.
    replicates : int
        Bootstrap replicates behind each interval.
    seed : int
        The same seed gives the same result, in whatever order the modalities are.

    Returns
    -------
    Analysis
        The bootstrap resamples groups with the probes as they were fitted, so the intervals speak
        of other examples, not of other probes.

    Raises
    ------
    InputError
        If the sample cannot be used; the message says why and what to do.

    Notes
    -----
    I(X_m;Y) and I(X₁X₂;Y) are held-out: H(Y) minus the cross-entropy of calibrated probes. The
    union information is that of the calibrated posteriors' marginals (`calibration` says why the
    two agree), with rows merged into at most 300 states (`states` says what that loses).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=400)
    >>> image = rng.normal(size=(400, 8))
    >>> text = np.eye(2)[y] @ rng.normal(size=(2, 8)) * 3 + rng.normal(size=(400, 8))
    >>> a = analyze({"image": image, "text": text}, y, target="label")
    >>> a.unique[1].value > 0.8, round(a.contribution[1].value, 1)
    (True, 1.0)
    """
    if estimator != "posterior":
        raise InputError(f"there is no estimator {estimator!r}; choose posterior")
    check_options(base, replicates, seed)
    # In the order of their names, so that their order in the mapping decides no bit.
    sample = check_sample(embeddings, y, groups, folds).sorted()
    with one_thread():
        analysis = _decompose(sample, target, base, estimator, folds, replicates, seed)
    first, second = map(str, embeddings)
    return analysis.in_order((first, second))


def _decompose(
    sample: Sample,
    target: str,
    base: float,
    estimator: str,
    folds: int,
    replicates: int,
    seed: int,
) -> Analysis:
    """Probe, calibrate, couple, and resample."""
    n = len(sample.target)
    component = connected_groups(sample.groups, n)
    fold = assign_folds(component, sample.target, folds, seed)

    soft_target = torch.from_numpy(sample.target).float()
    probes, components = zip(
        *(unimodal_logits(block, soft_target, fold, seed) for block in sample.embeddings),
        strict=True,
    )
    joint, joint_family = joint_logits(
        (probes[0], probes[1]), (components[0], components[1]), soft_target, fold
    )
    logits = (probes[0].held_out, probes[1].held_out, joint)
    log_p1, log_p2, log_joint = (
        calibrate(block.numpy().astype(np.float64), sample.target) for block in logits
    )
    states = (merge_rows(np.exp(log_p1), seed=seed), merge_rows(np.exp(log_p2), seed=seed))
    atoms = sample_atoms(sample.target, (log_p1, log_p2, log_joint), states, tol=GAP_TOLERANCE)
    weights = pigeonhole_weights(sample.groups, n, replicates, seed)

    diagnostics = {}
    if sample.soft:
        ceiling = float(entr(sample.target.mean(0)).sum() - entr(sample.target).sum(1).mean())
        if ceiling > 1e-9:
            diagnostics = {
                "information_ceiling": Estimate(ceiling / np.log(base)),
                "recovered": Estimate(float(atoms.value[4]) / ceiling),
            }
    return summarize(
        atoms.value,
        replicate_atoms(atoms.terms, weights),
        modalities=sample.modalities,
        target=target,
        base=base,
        n=n,
        gap=atoms.gap,
        loss=atoms.loss,
        regained=atoms.regained,
        classes=sample.target.shape[1],
        estimator=estimator,
        diagnostics=diagnostics,
        families={
            sample.modalities[0]: probes[0].family,
            sample.modalities[1]: probes[1].family,
            "both": joint_family,
        },
    )

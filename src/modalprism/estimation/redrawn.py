"""Decomposition of a model's answers to re-paired inputs, without probes.

Every first input is run with m second inputs drawn from other examples, and every second with m
firsts. Then p(y|x₁) = E_{x₂} p(y|x₁,x₂) and p(y|x₂) come from the model itself, with a Monte Carlo
error only. An average of m draws out of N partners has a bias: I(X₁;Y), I(X₂;Y) and the union
information are too large by c (1/m − 1/N), to first order (Miller 1955, with the finite
population's correction). The bias of a random half of the draws is c (2/m − 1/N). The bias is thus
(1 − m/N) times the excess of the halves' mean over the whole, and is subtracted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modalprism.errors import InputError
from modalprism.estimation.analysis import Analysis
from modalprism.estimation.atoms import Coupling, RowTerms, couple, replicate_atoms
from modalprism.estimation.bootstrap import weights_in_batches
from modalprism.estimation.inputs import check_index, read_labels, read_numbers
from modalprism.estimation.states import merge_rows
from modalprism.estimation.summary import summarize
from modalprism.estimation.threads import one_thread
from modalprism.estimation.validation import Seed, check_options, seed_number
from modalprism.results.estimate import Estimate

Array = NDArray[np.float64]

GAP_TOLERANCE = 2e-3
STATES = 300
_FLOOR = 1e-12  # keeps the logarithms of a saturated model's probabilities finite


def _average(code: NDArray[np.int64], probability: Array) -> Array:
    """Return p(y|x) of every row's input: the mean over the rows that share it."""
    total = np.zeros((int(code.max()) + 1, probability.shape[1]))
    np.add.at(total, code, probability)
    mean: Array = (total / np.bincount(code)[:, None])[code]
    return mean


def _atoms(
    codes: tuple[NDArray[np.int64], NDArray[np.int64]], probability: Array
) -> tuple[Array, RowTerms, Coupling]:
    """Return the atoms, (8,), the terms of their replicates, and the coupling."""
    one, other = (_average(code, probability) for code in codes)
    coupling = couple(
        (merge_rows(one, most=STATES), merge_rows(other, most=STATES)), tol=GAP_TOLERANCE
    )
    logs = (np.log(one), np.log(other), np.log(probability))
    potential = coupling.potential(slice(None))
    terms = RowTerms.of(probability, logs, potential, probability.mean(0))
    return terms.atoms(coupling.information), terms, coupling


def _codes(column: NDArray[Any]) -> NDArray[np.int64]:
    return np.unique(column, return_inverse=True)[1].astype(np.int64)


def _random_half(code: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """Choose a random half of every input's runs, shape (n,)."""
    order = np.random.default_rng(seed).permutation(len(code))
    order = order[np.argsort(code[order], kind="stable")]  # shuffled within each input
    half = np.empty(len(code), dtype=np.bool_)
    half[order] = np.arange(len(code)) % 2 == 0
    return half


def _unseen(codes: tuple[NDArray[np.int64], ...], half: NDArray[np.bool_]) -> float:
    """Return the bias of the whole in units of the halves' excess over it: 1 − m/N if balanced.

    The ratio of inputs to runs is the mean of 1/m, weighted by the runs of each input.
    """
    code, other = codes
    whole = (code.max() + 1) / len(code)
    halves = [len(np.unique(code[rows])) / rows.sum() for rows in (half, ~half)]
    return float((whole - 1 / (other.max() + 1)) / (np.mean(halves) - whole))


def analyze_redrawn(
    probability: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    *,
    modalities: tuple[str, str],
    target: str = "the model's answer",
    base: float = 2,
    replicates: int = 1000,
    seed: Seed = 0,
) -> Analysis:
    """Decompose a model's answer on re-paired inputs.

    Parameters
    ----------
    probability : array_like, shape (n, C)
        Answer probabilities of the model, one row per run.
    first, second : array_like, shape (n,)
        Input of each modality in each run; every input has several partners, drawn
        independently of both.
    modalities : (str, str)
    target : str
    base : float
    replicates, seed : int
        For the bootstrap over inputs of both modalities; the seed also draws the halves.

    Returns
    -------
    Analysis

    Raises
    ------
    InputError
        If shapes differ, a probability is invalid, or an input was run with one partner only.
    """
    seed = seed_number(seed)
    if modalities[0] > modalities[1]:  # independent of their order
        return analyze_redrawn(
            probability,
            second,
            first,
            modalities=(modalities[1], modalities[0]),
            target=target,
            base=base,
            replicates=replicates,
            seed=seed,
        ).in_order(modalities)
    check_options(base, replicates)
    check_index({"redrawn probabilities": probability, "first": first, "second": second})
    p = read_numbers("redrawn probabilities", probability)
    if p.dtype.kind not in "fiu":
        raise InputError(f"redrawn probabilities are {p.dtype}, not numbers")
    p = p.astype(np.float64)
    columns = [
        read_labels(f"which {modality} was given", column)
        for modality, column in zip(modalities, (first, second), strict=True)
    ]
    if p.ndim != 2 or p.size == 0 or any(column.shape != p.shape[:1] for column in columns):
        shapes = ", ".join(str(column.shape) for column in columns)
        raise InputError(f"redrawn pairs need one row per run; got {p.shape} with columns {shapes}")
    if not np.isfinite(p).all() or (p < 0).any() or (np.abs(p.sum(1) - 1) > 1e-3).any():
        raise InputError("every row of redrawn probabilities must be finite, >= 0 and sum to 1")
    p = np.maximum(p, _FLOOR)
    p /= p.sum(1, keepdims=True)
    codes = (_codes(columns[0]), _codes(columns[1]))
    for modality, other, code in zip(modalities, modalities[::-1], codes, strict=True):
        if np.bincount(code).min() < 2:
            raise InputError(
                f"some {modality} was run with one {other} only; "
                "draw every input with at least two partners"
            )
    constant = [m for m, code in zip(modalities, codes, strict=True) if not code.any()]
    half = _random_half(codes[0], seed)
    with one_thread():
        value, terms, coupling = _atoms(codes, p)
        halves = [
            _atoms((_codes(codes[0][rows]), _codes(codes[1][rows])), p[rows])
            for rows in (half, ~half)
        ]
        excess = (halves[0][0] + halves[1][0]) / 2 - value
        half_gap = (halves[0][2].gap + halves[1][2].gap) / 2
        part = (_unseen(codes, half) + _unseen(codes[::-1], half)) / 2
        weights = weights_in_batches(
            {modalities[0]: codes[0], modalities[1]: codes[1]}, len(p), replicates, seed
        )
        moved = replicate_atoms(terms, weights)
    analysis = summarize(
        value - part * excess,
        moved,
        modalities=modalities,
        target=target,
        base=base,
        n=len(p),
        gap=coupling.gap + part * (coupling.gap + half_gap),
        loss=coupling.loss,
        merge_correction=coupling.merge_correction,
        classes=p.shape[1],
        resolution=0.0,  # the model's own probabilities, without a sampled target
        estimator="model",
        diagnostics={"state_loss": Estimate(coupling.loss / np.log(base))}
        | {f"constant_source/{modality}": Estimate(1.0) for modality in constant},
        families={},
    )
    said = (
        f"every run has the same {modality}, so it has no information about the answer by "
        "construction: a contribution of 0 is an artefact; draw from several"
        for modality in constant
    )
    return replace(analysis, seed=seed, cautions=tuple(said))

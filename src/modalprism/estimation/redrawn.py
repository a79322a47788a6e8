"""The model's own function on independently drawn inputs: no probe at all.

Every first input is run with m second inputs drawn from other examples, and every second with m
firsts. Then p(y|x₁) = E_{x₂} p(y|x₁,x₂) and p(y|x₂) come from the model itself; only the
Monte-Carlo error is left. An average of m draws out of N partners looks more telling of x₁ than it
is: I(X₁;Y), I(X₂;Y) and the union information are biased upward by c (1/m − 1/N), to first order
(Miller 1955, with the finite population's correction). Half the draws are biased by c (2/m − 1/N),
so (1 − m/N) times the excess of the halves' mean over the whole is the bias, and is taken away.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modalprism.errors import InputError
from modalprism.estimation.analysis import Analysis
from modalprism.estimation.atoms import SampleAtoms, replicate_atoms, sample_atoms
from modalprism.estimation.bootstrap import pigeonhole_weights
from modalprism.estimation.states import MOST_STATES, States, merge_rows
from modalprism.estimation.summary import summarize
from modalprism.estimation.threads import one_thread
from modalprism.estimation.validation import check_options, read_array

Array = NDArray[np.float64]

GAP_TOLERANCE = 2e-3
_FLOOR = 1e-12  # keeps logarithms of a saturated model's probabilities finite


def _average(code: NDArray[np.int64], probability: Array) -> Array:
    """Return p(y|x) of every row's input: the mean over the rows that share it."""
    total = np.zeros((int(code.max()) + 1, probability.shape[1]))
    np.add.at(total, code, probability)
    mean: Array = (total / np.bincount(code)[:, None])[code]
    return mean


def _atoms(codes: tuple[NDArray[np.int64], NDArray[np.int64]], probability: Array) -> SampleAtoms:
    averages = [_average(code, probability) for code in codes]
    states: list[States] = [merge_rows(average, most=MOST_STATES) for average in averages]
    return sample_atoms(
        probability,
        (np.log(averages[0]), np.log(averages[1]), np.log(probability)),
        (states[0], states[1]),
        tol=GAP_TOLERANCE,
    )


def analyze_redrawn(
    probability: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    draw: ArrayLike,
    *,
    modalities: tuple[str, str],
    target: str = "the model's answer",
    base: float = 2,
    replicates: int = 1000,
    seed: int = 0,
) -> Analysis:
    """Decompose a model's answer on redrawn pairs.

    Parameters
    ----------
    probability : array_like, shape (n, C)
        The model's answer probabilities, a row a run.
    first, second : array_like, shape (n,)
        Which input of each modality the run was given.
    draw : array_like of int, shape (n,)
        Number of the draw, 0 … m−1. Even and odd draws are the halves of the bias correction, so
        every input must occur in both.
    modalities : (str, str)
    target : str
    base : float
    replicates, seed : int
        Of the bootstrap over inputs of both modalities.

    Returns
    -------
    Analysis

    Raises
    ------
    InputError
        If shapes differ, a probability is invalid, or an input lacks even or odd draws.
    """
    if modalities[0] > modalities[1]:  # in the order of their names: their order decides no bit
        return analyze_redrawn(
            probability,
            second,
            first,
            draw,
            modalities=(modalities[1], modalities[0]),
            target=target,
            base=base,
            replicates=replicates,
            seed=seed,
        ).in_order(modalities)
    check_options(base, replicates, seed)
    p = read_array("redrawn probabilities", probability)
    if p.dtype.kind not in "fiu":
        raise InputError(f"redrawn probabilities are {p.dtype}, not numbers")
    p = p.astype(np.float64)
    columns: list[NDArray[Any]] = [np.asarray(column) for column in (first, second, draw)]
    if p.ndim != 2 or p.size == 0 or any(column.shape != p.shape[:1] for column in columns):
        shapes = ", ".join(str(column.shape) for column in columns)
        raise InputError(f"redrawn pairs need one row a run; got {p.shape} with columns {shapes}")
    if not np.isfinite(p).all() or (p < 0).any() or (np.abs(p.sum(1) - 1) > 1e-3).any():
        raise InputError("every row of redrawn probabilities must be finite, >= 0 and sum to 1")
    p = np.maximum(p, _FLOOR)
    p /= p.sum(1, keepdims=True)
    if columns[2].dtype.kind not in "iu":
        raise InputError(f"the draws of redrawn pairs are {columns[2].dtype}, not whole numbers")
    codes = [np.unique(column, return_inverse=True)[1] for column in columns[:2]]
    halves = [columns[2] % 2 == parity for parity in (0, 1)]
    for half, parity in zip(halves, ("even", "odd"), strict=True):
        for modality, code in zip(modalities, codes, strict=True):
            if len(np.unique(code[half])) != len(np.unique(code)):
                raise InputError(
                    f"some {modality} has no {parity} draw; "
                    "draw every input with at least two partners"
                )
    drawn = float(
        np.mean(
            [len(p) / (code.max() + 1) / (other.max() + 1) for code, other in (codes, codes[::-1])]
        )
    )  # m/N
    with one_thread():
        whole = _atoms((codes[0], codes[1]), p)
        even, odd = (_atoms((codes[0][half], codes[1][half]), p[half]) for half in halves)
        bias = (1 - drawn) * ((even.value + odd.value) / 2 - whole.value)
        weights = pigeonhole_weights(
            {modalities[0]: codes[0], modalities[1]: codes[1]}, len(p), replicates, seed
        )
        moved = replicate_atoms(whole.terms, weights)
    return summarize(
        whole.value - bias,
        moved,
        modalities=modalities,
        target=target,
        base=base,
        n=len(p),
        gap=whole.gap + (whole.gap + (even.gap + odd.gap) / 2) * (1 - drawn),
        loss=whole.loss,
        classes=p.shape[1],
        estimator="model",
        diagnostics={},
        families={},
    )

"""The paper's protocol (Amit et al. 2025, arXiv:2511.19470), as far as it is public.

One example is a handful of tokens: the tokens of one modality, those of the other, and the fused
states. Their rows are normalised, reduced by PCA to d dimensions and coded by k-means with k = d
= L // 2 + 1; the L triples of codes are counted, and that table is decomposed by IPFP. A dataset's
score is the mean of its examples' scores.

These samples have no tokens. Rows are taken for tokens: L of them, as they come, are an example,
as the tokens of a sequence are, and the label's unit vector stands for the fused state. The
sequences are of one length already, so that none has to be cut.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
from numpy.typing import NDArray
from plug_in import count
from problems import Sample
from scipy.special import xlogy
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning

TOKENS = 18  # L: k = d = 10, a thousand cells
MOST_EXAMPLES = 60
_OUTER, _INNER, _TOLERANCE = 50, 100, 1e-8
_TINY = 1e-300

Table = NDArray[np.float64]


def decompose_examples(sample: Sample, seed: int) -> tuple[float, float, float, float, float]:
    """Return the means over examples of R, U₁, U₂, S, in bits, and of C₁."""
    fused = np.eye(sample.y.max() + 1)[sample.y]
    scores = []
    for start in range(0, len(fused) - TOKENS + 1, TOKENS)[:MOST_EXAMPLES]:
        rows = slice(start, start + TOKENS)
        codes = [_code(block[rows], seed) for block in (sample.x1, sample.x2, fused)]
        atoms = ipfp_atoms(count(*codes))
        unique = atoms[1] + atoms[2]
        scores.append((*atoms, atoms[1] / unique if unique > _TOLERANCE else math.nan))
    table = np.array(scores)
    told = table[np.isfinite(table[:, 4]), 4]
    return *table[:, :4].mean(0).tolist(), float(told.mean()) if len(told) else math.nan


def ipfp_atoms(table: Table) -> tuple[float, float, float, float]:
    """Return R, U₁, U₂ and S of a table (n1, n2, C) in bits by the paper's alternating projections.

    Examples
    --------
    >>> xor = np.zeros((2, 2, 2))
    >>> xor[[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0]] = 1
    >>> [round(abs(atom), 6) for atom in ipfp_atoms(xor)]
    [0.0, 0.0, 0.0, 1.0]
    """
    joint = table / table.sum()
    p_x1y, p_x2y = joint.sum(1), joint.sum(0)
    coupling = _project(p_x1y, p_x2y)
    first, second = _information(p_x1y), _information(p_x2y)
    union = _information(coupling.reshape(-1, joint.shape[2]))
    whole = _information(joint.reshape(-1, joint.shape[2]))
    return first + second - union, union - second, union - first, whole - union


def _project(p_x1y: Table, p_x2y: Table) -> Table:
    """Return the coupling that the alternating projections end at.

    Q⁰ = p(x₁|y) p(x₂|y) p(y); then A = Q(x₁,x₂)/|Y|, and every slice Q(·,·,y) becomes the
    projection of A onto p(x₁,y) and p(x₂,y) by Sinkhorn's scalings, until KL(Q‖A) stands still.
    """
    p_y = p_x1y.sum(0)
    coupling = p_x1y[:, None] * p_x2y[None] / np.maximum(p_y, _TINY)
    before = np.inf
    for _ in range(_OUTER):
        mean = coupling.sum(2) / len(p_y)
        u, v = np.ones_like(p_x1y), np.ones_like(p_x2y)
        for _ in range(_INNER):
            u = p_x1y / np.maximum(mean @ v, _TINY)
            v = p_x2y / np.maximum(mean.T @ u, _TINY)
            if np.abs(u * (mean @ v) - p_x1y).max() < _TOLERANCE:
                break
        coupling = u[:, None] * mean[..., None] * v[None]
        ratio = coupling / np.maximum(mean, _TINY)[..., None]
        divergence = xlogy(coupling, np.maximum(ratio, _TINY)).sum()
        if abs(before - divergence) < _TOLERANCE:
            break
        before = divergence
    return coupling


def _information(p_xy: Table) -> float:
    """I(X;Y) in bits of a table (n, C)."""
    independent = p_xy.sum(1, keepdims=True) * p_xy.sum(0)
    used = p_xy > 0
    return float((p_xy[used] * np.log2(p_xy[used] / independent[used])).sum())


def _code(rows: Table, seed: int) -> NDArray[np.int64]:
    """Normalise, reduce and code the tokens of one example."""
    size = TOKENS // 2 + 1
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _TINY)
    if not np.ptp(unit, axis=0).any():  # as the labels of a rare class are: nothing to reduce
        return np.zeros(len(rows), dtype=np.int64)
    reduced = PCA(min(size, *unit.shape), svd_solver="full").fit_transform(unit)
    with warnings.catch_warnings():
        # Fewer different rows than clusters, as the labels are: some clusters stay empty.
        warnings.simplefilter("ignore", ConvergenceWarning)
        codes = KMeans(size, n_init=1, random_state=seed).fit_predict(reduced)
    return codes.astype(np.int64)

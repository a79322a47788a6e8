r"""Calibration that equates held-out information and the information of the marginals.

Given held-out scores z_k (n, C) of one or several probes, and targets t (n, C), fit one slope per
score and C biases,

.. math:: p_i(y) \propto \exp\bigl(\textstyle\sum_k s_k\,z_{k,iy} + b_y\bigr),

by maximum likelihood. This is an exponential family, so at the optimum the moments match: the mean
of the rows p_i is the class frequency, exactly, and the mean of :math:`\sum_y t_{iy} z_{k,iy}` is
that of :math:`\sum_y p_{iy} z_{k,iy}`. Hence, for held-out rows,

- all sources share one p(y), as the decomposition's marginals must;
- the mean log-loss equals the mean entropy of the rows. The information in held-out rows is thus
the
  information of the marginals, and neither overconfidence nor underconfidence adds to synergy.

Only the slope is optimistic, by ½/n nat: the biases' optimism equals that of the plug-in H(Y), and
cancels. A slope below 0 means that the probe is uninformative; it is set to 0, which gives
information 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Stack:
    """Slopes of several scores, and biases.

    Attributes
    ----------
    slopes : ndarray of float64, shape (K,)
    biases : ndarray of float64, shape (C,)
    """

    slopes: Array
    biases: Array

    def log_probabilities(self, scores: Sequence[Array]) -> Array:
        """Return log p_i(y), shape (n, C), of K scores (n, C)."""
        weighted = sum(s * z for s, z in zip(self.slopes, scores, strict=True))
        log_p: Array = log_softmax(weighted + self.biases, axis=1)
        return log_p


def fit_stack(scores: Sequence[Array], target: Array, *, tolerance: float = 1e-9) -> Stack:
    """Fit slopes and biases by maximum likelihood (Newton, in a trust region).

    Parameters
    ----------
    scores : K ndarrays of float64, shape (n, C)
    target : ndarray of float64, shape (n, C)
        Rows sum to 1; every class has mass.
    tolerance : float
        Largest difference of the moments.

    Returns
    -------
    Stack
    """
    centred = np.stack([z - z.mean(1, keepdims=True) for z in scores])
    scale = np.maximum(centred.std((1, 2)), 1e-12)
    centred /= scale[:, None, None]
    return most_likely([(centred, target)], scale, tolerance=tolerance)


def most_likely(
    blocks: Iterable[tuple[Array, Array]],
    scale: Array,
    *,
    tolerance: float = 1e-9,
    start: Stack | None = None,
) -> Stack:
    """Fit slopes and biases to blocks of rows; see `fit_stack`.

    Parameters
    ----------
    blocks : iterable of two ndarrays of float64, shapes (K, b, C) and (b, C)
        Scores, centred in every row and divided by `scale`, and targets. Every value, gradient or
        curvature of the likelihood is one pass over them, with one block in memory.
    scale : ndarray of float64, shape (K,)
    tolerance : float
    start : Stack, optional
        Fit to some of the rows, from which few steps remain.
    """
    count = len(scale)

    def total(of: Callable[[Array, Array], Array]) -> Array:
        return reduce(add, (of(centred, target) for centred, target in blocks))

    masses = total(lambda _, target: target.sum(0, keepdims=True))[0]
    n, classes = round(float(masses.sum())), len(masses)
    frequency = masses / n
    fit = total(lambda centred, target: np.einsum("kny,ny->k", centred, target)) / n

    def log_p_of(parameters: Array, centred: Array) -> Array:
        weighted = np.tensordot(parameters[:count], centred, axes=1)
        log_p: Array = log_softmax(weighted + parameters[count:], axis=1)
        return log_p

    def loss(parameters: Array) -> tuple[float, Array]:
        def parts(centred: Array, target: Array) -> Array:
            log_p = log_p_of(parameters, centred)
            p = np.exp(log_p)
            moments = np.einsum("kny,ny->k", centred, p)
            return np.concatenate([[(target * log_p).sum()], moments, p.sum(0)])

        sums = total(parts) / n
        slope = np.concatenate([sums[1 : 1 + count] - fit, sums[1 + count :] - frequency])
        return -float(sums[0]), slope

    def curvature(parameters: Array) -> Array:
        def parts(centred: Array, target: Array) -> Array:  # noqa: ARG001
            p = np.exp(log_p_of(parameters, centred))
            deviation = centred - np.einsum("kny,ny->kn", centred, p)[:, :, None]
            hessian = np.empty((count + classes, count + classes))
            hessian[:count, :count] = np.einsum("kny,lny,ny->kl", deviation, deviation, p)
            hessian[:count, count:] = np.einsum("kny,ny->ky", deviation, p)
            hessian[count:, :count] = 0.0
            hessian[count:, count:] = p.T @ p
            # The last row has the mean probabilities.
            return np.vstack([hessian, np.pad(p.sum(0), (count, 0))])

        sums = total(parts) / n
        hessian, mean = sums[:-1], sums[-1, count:]
        hessian[count:, :count] = hessian[:count, count:].T
        # Add curvature in the direction of equal biases, which has none.
        hessian[count:, count:] = np.diag(mean) - hessian[count:, count:] + 1.0 / classes
        # Collinear scores leave their difference free.
        hessian[:count, :count] += 1e-9 * np.eye(count)
        return hessian

    # A class may be absent from the rows of a fold: start it as rare, not as impossible.
    begin = np.concatenate([np.zeros(count), np.log(np.maximum(frequency, 1e-12))])
    if start is not None:
        begin = np.concatenate([start.slopes * scale, start.biases])
    found = minimize(
        loss, begin, jac=True, hess=curvature, method="trust-exact", options={"gtol": tolerance}
    ).x
    return Stack(found[:count] / scale, found[count:])


def fit_nonnegative(scores: Sequence[Array], target: Array) -> Stack:
    """Fit nonnegative slopes.

    The fit could put all weight on one score, so its loss is at most that of any single score. The
    estimated information of both sources is therefore at least that of each.

    Parameters
    ----------
    scores : K ndarrays of float64, shape (n, C)
        Held-out scores.
    target : ndarray of float64, shape (n, C)
        Rows sum to 1; every class has mass.

    Returns
    -------
    Stack
        Slopes of negatively related scores are 0.

    Examples
    --------
    >>> import numpy as np
    >>> target = np.repeat(np.eye(2), 50, axis=0)
    >>> one = target + np.random.default_rng(0).normal(size=(100, 2))
    >>> (fit_nonnegative([one, -one], target).slopes > 0).tolist()
    [True, False]
    """
    return most_likely_nonnegative(
        len(scores), lambda used: fit_stack([scores[k] for k in used], target), target.mean(0)
    )


def most_likely_nonnegative(
    count: int, fit: Callable[[list[int]], Stack], frequency: Array
) -> Stack:
    """Drop the score with the lowest slope until none is negative; see `fit_nonnegative`.

    Parameters
    ----------
    count : int
        K.
    fit : callable
        Function from the indices of scores to their `Stack`.
    frequency : ndarray of float64, shape (C,)
        Class frequencies.
    """
    used = list(range(count))
    slopes = np.zeros(count)
    while used:
        stack = fit(used)
        if stack.slopes.min() >= 0:
            slopes[used] = stack.slopes
            return Stack(slopes, stack.biases)
        del used[int(stack.slopes.argmin())]
    return Stack(slopes, np.log(frequency))


def information_difference(log_p: Array, target: Array) -> float:
    """Return held-out information minus the information of the posteriors, in nats.

    It is 0, up to the tolerance of the fit, for posteriors calibrated by this module.

    Parameters
    ----------
    log_p : ndarray of float64, shape (n, C)
    target : ndarray of float64, shape (n, C)
        Rows sum to 1.

    Examples
    --------
    >>> import numpy as np
    >>> target, sure = np.eye(2)[[0, 1, 1, 0]], np.log([[0.9, 0.1], [0.1, 0.9]])
    >>> round(information_difference(sure[[0, 1, 1, 0]], target), 2)
    0.22
    """
    p = np.exp(log_p)
    return float(((target - p) * log_p).sum() / len(log_p))


def matching_distance(logits: Array, log_p: Array) -> float:
    """Return the mean total variation, from 0 to 1, between p(y|x) before and after calibration.

    Parameters
    ----------
    logits, log_p : ndarray of float64, shape (n, C)
        Before and after.

    Examples
    --------
    >>> import numpy as np
    >>> even = np.log([[0.5, 0.5], [0.5, 0.5]])
    >>> round(matching_distance(even, np.log([[0.75, 0.25], [0.5, 0.5]])), 3)
    0.125
    """
    moved = np.exp(log_p) - np.exp(log_softmax(logits, axis=1))
    return float(np.abs(moved).sum(1).mean() / 2)

r"""Calibration that makes held-out information and information in the marginals the same number.

Given held-out logits z (n, C) and targets t (n, C), fit one temperature and C biases,

.. math:: p_i(y) \propto \exp(s\,z_{iy} + b_y),\qquad s \ge 0,

by maximum likelihood over the held-out rows. This is an exponential family, so at the optimum the
moments match: the mean of the rows p_i is the class frequency, exactly, and the mean of
:math:`\sum_y t_{iy} z_{iy}` is that of :math:`\sum_y p_{iy} z_{iy}`. Hence

- all sources share one p(y), as the decomposition's marginals must;
- the mean log-loss equals the mean entropy of the rows: the information that a held-out row *has*
  is the information that the marginals *claim*, and neither confidence nor modesty leaks into
  synergy.

Only the slope is optimistic, by ½/n nat: the biases' optimism is that of the plug-in H(Y), and
cancels. The slope never falls below 0, so that a probe that knows nothing reads exactly nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

Array = NDArray[np.float64]


def calibrate(logits: Array, target: Array) -> Array:
    """Return calibrated log-probabilities of held-out rows.

    Parameters
    ----------
    logits : ndarray of float64, shape (n, C)
        Out of fold: no row was seen by the probe that made it.
    target : ndarray of float64, shape (n, C)
        Rows sum to 1; every class occurs.

    Returns
    -------
    ndarray of float64, shape (n, C)
        log p_i(y), in nats.

    Examples
    --------
    >>> import numpy as np
    >>> target = np.repeat(np.eye(2), 50, axis=0)
    >>> noise = np.random.default_rng(0).normal(size=(100, 2))
    >>> p = np.exp(calibrate(noise, target))
    >>> bool(np.allclose(p.mean(0), [0.5, 0.5], atol=1e-6))
    True
    """
    n, classes = logits.shape
    frequency = target.mean(0)
    centred = logits - logits.mean(1, keepdims=True)
    scale = centred.std() or 1.0
    centred = centred / scale
    fit = (target * centred).sum() / n

    def loss(parameters: Array) -> tuple[float, Array]:
        scores = parameters[0] * centred + parameters[1:]
        log_p = log_softmax(scores, axis=1)
        p = np.exp(log_p)
        value = -float((target * log_p).sum() / n)
        slope = np.concatenate([[(p * centred).sum() / n - fit], p.mean(0) - frequency])
        return value, slope

    def curvature(parameters: Array) -> Array:
        p = np.exp(log_softmax(parameters[0] * centred + parameters[1:], axis=1))
        mean = (p * centred).sum(1, keepdims=True)
        cross = (p * (centred - mean)).mean(0)
        hessian = np.empty((classes + 1, classes + 1))
        hessian[0, 0] = (p * (centred - mean) ** 2).sum() / n
        hessian[0, 1:] = hessian[1:, 0] = cross
        hessian[1:, 1:] = np.diag(p.mean(0)) - p.T @ p / n
        # A constant added to every bias changes nothing: give that direction a curvature.
        hessian[1:, 1:] += 1.0 / classes
        return hessian

    start = np.concatenate([[0.0], np.log(frequency)])
    if loss(start)[1][0] >= 0:  # the loss is convex, so its minimum over s >= 0 stands at s = 0
        return np.tile(np.log(frequency), (n, 1))
    parameters = minimize(
        loss, start, jac=True, hess=curvature, method="trust-exact", options={"gtol": 1e-9}
    ).x
    log_p: Array = log_softmax(parameters[0] * centred + parameters[1:], axis=1)
    return log_p

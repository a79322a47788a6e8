"""A stack of off-the-shelf classifiers, for the information that a good reader finds.

Logistic regression on standardised columns at four ridges and on random Fourier features,
histogram gradient boosting and extremely randomised trees, of scikit-learn and with its defaults
wherever they do, are cross-fitted in five folds. Their log-probabilities are added with
non-negative weights, which are cross-fitted as well. Both sources together are read by all that
reads either source or their columns side by side.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from problems import Sample
from scipy.optimize import minimize
from scipy.special import log_softmax, xlogy
from sklearn.base import ClassifierMixin, clone
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
from sklearn.kernel_approximation import RBFSampler
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Rows = NDArray[np.float64]
FOLDS = 5
RIDGES = (1e-3, 1e-2, 1e-1, 1.0)  # inverse strengths
FEATURES, TREES = 300, 300
_LEAST = 1e-5  # probability


def informations(sample: Sample, seed: int) -> tuple[float, float, float]:
    """Return I(X₁;Y), I(X₂;Y) and I(X₁X₂;Y) in bits, as far as the stack reads them."""
    y = np.unique(sample.y, return_inverse=True)[1]
    split = _folds(sample, y, seed)
    first, second, both = (
        _held_out(x, y, split, seed)
        for x in (sample.x1, sample.x2, np.hstack([sample.x1, sample.x2]))
    )
    every = np.concatenate([first, second, both])
    return tuple(_information(scores, y, split) for scores in (first, second, every))


def classifiers(columns: int, seed: int) -> list[ClassifierMixin]:
    """Return the classifiers for so many columns, unfitted."""
    fourier = RBFSampler(gamma=1 / (2 * columns), n_components=FEATURES, random_state=seed)
    return [
        *(make_pipeline(StandardScaler(), LogisticRegression(C=ridge)) for ridge in RIDGES),
        make_pipeline(StandardScaler(), fourier, LogisticRegression()),
        HistGradientBoostingClassifier(random_state=seed),
        ExtraTreesClassifier(TREES, min_samples_leaf=3, random_state=seed),
    ]


def _folds(sample: Sample, y: NDArray, seed: int) -> list[tuple[NDArray, NDArray]]:
    """Return the folds, which keep the rows of a group together."""
    if sample.groups is None:
        return list(StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(y, y))
    ((_, groups),) = sample.groups.items()
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    return list(folds.split(y, y, groups))


def _held_out(x: Rows, y: NDArray, split: list[tuple[NDArray, NDArray]], seed: int) -> Rows:
    """Return log-probabilities of rows that a classifier has not seen, (L, n, C)."""
    models = classifiers(x.shape[1], seed)
    p = np.full((len(models), len(y), y.max() + 1), _LEAST)
    for fitted, held in split:
        for scores, model in zip(p, models, strict=True):
            model = clone(model).fit(x[fitted], y[fitted])
            found = model.predict_proba(x[held])
            scores[np.ix_(held, model.classes_)] = np.maximum(found, _LEAST)
    return np.log(p)


def _information(scores: Rows, y: NDArray, split: list[tuple[NDArray, NDArray]]) -> float:
    """Return H(Y) less the cross-entropy of the weighted sum of scores, in bits."""
    right = np.empty(len(y))
    for fitted, held in split:
        prior = np.log(np.bincount(y[fitted], minlength=scores.shape[2]) / len(fitted) + _LEAST)
        evidence = scores - prior
        weights = _weights(evidence[:, fitted], prior, y[fitted])
        log_p = log_softmax(prior + np.tensordot(weights, evidence[:, held], 1), axis=1)
        right[held] = log_p[np.arange(len(held)), y[held]]
    p_y = np.bincount(y) / len(y)
    return float((right.mean() - xlogy(p_y, p_y).sum()) / np.log(2))


def _weights(evidence: Rows, prior: Rows, y: NDArray) -> Rows:
    """Return the non-negative weights, (L,), of least cross-entropy."""
    rows = np.arange(len(y))

    def loss(weights: Rows) -> tuple[float, Rows]:
        log_p = log_softmax(prior + np.tensordot(weights, evidence, 1), axis=1)
        wrong = np.exp(log_p)
        wrong[rows, y] -= 1
        return -log_p[rows, y].mean(), np.tensordot(evidence, wrong, 2) / len(y)

    count = len(evidence)
    found = minimize(
        loss, np.full(count, 1 / count), jac=True, method="L-BFGS-B", bounds=[(0, None)] * count
    )
    return found.x

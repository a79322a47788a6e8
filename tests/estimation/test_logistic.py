"""Regressions fitted together are those that scikit-learn fits one by one."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from modalprism.estimation.logistic import fit_logistic


@pytest.fixture
def blocks():
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=120)
    embeddings = [np.eye(3)[y] @ rng.normal(size=(3, 5)) + rng.normal(size=(120, 5)) for _ in "ab"]
    return embeddings, torch.eye(3)[y]


@pytest.mark.parametrize("rows", [slice(None), slice(0, 80)])
def test_regressions_agree_with_scikit_learn(blocks, rows):
    (x, _), target = blocks
    features = torch.from_numpy(x).float()
    mask = torch.zeros(1, 120)
    mask[0, rows] = 1
    n, ridges = int(mask.sum()), torch.tensor([0.01, 0.1])
    fits = fit_logistic(features, target, mask, ridges, iterations=2000)
    for index, ridge in enumerate(ridges.tolist()):
        reference = LogisticRegression(C=1 / (ridge * n), tol=1e-8, max_iter=2000)
        reference.fit(x[rows], target.argmax(1)[rows])
        expected = torch.from_numpy(reference.predict_log_proba(x)).float()
        found = torch.log_softmax(fits.logits(features)[0, :, index], -1)
        torch.testing.assert_close(found, expected, atol=2e-3, rtol=0)

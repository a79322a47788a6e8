"""Samples of symbols: what the codebook estimator sees once the embeddings are coded."""

import numpy as np
import pytest

from modalprism.estimation.codebook.tables import Coded
from modalprism.estimation.sample import check_sample


@pytest.fixture(scope="session")
def symbols():
    """Make a `Sample` of two columns of symbols and labels."""

    def make(first, second, y, groups=None):
        columns = {"image": np.asarray(first)[:, None], "text": np.asarray(second)[:, None]}
        return check_sample(columns, y, groups, 3)

    return make


@pytest.fixture(scope="session")
def noise():
    """Make `Coded` rows in which nothing knows of anything."""

    def make(seed, n=200, k=5, classes=3, groups=None):
        rng = np.random.default_rng(seed)
        first, second = rng.integers(k, size=(2, n))
        return Coded.of(
            (first, second), np.eye(classes)[rng.integers(classes, size=n)], groups or {}
        )

    return make

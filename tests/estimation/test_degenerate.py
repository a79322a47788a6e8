"""Embeddings with few distinct rows, equal or constant columns, or extreme scales are analysed."""

import math

import numpy as np
import pytest

import modalprism as mp
from modalprism.estimation.streaming import Streaming

# A test of its own is on the warning of a constant embedding.
pytestmark = pytest.mark.filterwarnings("ignore:the embedding of:modalprism.errors.DataWarning")
N = 400
FEW = {"replicates": 9, "permutations": 9, "folds": 3}
RNG = np.random.default_rng(0)
Y = RNG.permutation(np.arange(N) % 3)
NOISE = RNG.normal(size=(N, 6))
WORDS = RNG.normal(size=(2, 64))[(Y == 0).astype(int)]

DEGENERATE = {
    "two distinct rows": WORDS,
    "two distinct rows, rounded": WORDS.astype(np.float32),
    "fifty equal columns": np.repeat(NOISE[:, :1], 50, axis=1),
    "rank one": np.outer(NOISE[:, 0], np.arange(1, 31)),
    "one distinct row": np.full((N, 1200), 2.5),
    "constant columns": np.c_[NOISE[:, :2], np.ones((N, 20))],
    "one column": NOISE[:, :1],
    "integers": RNG.integers(-2, 3, size=(N, 8)),
    "truth values": RNG.random((N, 1200)) < 0.1,
    "huge": NOISE * 1e80,
    "tiny": NOISE * 1e-80,
    "subnormal": NOISE * 1e-310,
    "rounding on an offset": 1e8 + 1e-7 * NOISE,
}


STREAMING = Streaming(above=1, learning_rows=400, states=64)
BESIDE = RNG.normal(size=(N, 3))


def is_finite(found):
    atoms = [found.redundancy, *found.unique, found.synergy, found.information]
    return all(abs(atom.value) < math.log2(3) + 0.2 for atom in atoms)


@pytest.mark.parametrize("estimator", ["posterior", "codebook"])
@pytest.mark.parametrize("case", list(DEGENERATE))
def test_degenerate_embeddings_are_analysed(case, estimator):
    rows = {"image": DEGENERATE[case][:120], "text": BESIDE[:120]}
    assert is_finite(mp.analyze(rows, Y[:120], estimator=estimator, **FEW))


@pytest.mark.parametrize("case", ["two distinct rows", "one distinct row", "truth values", "tiny"])
def test_degenerate_embeddings_are_streamed(case):
    rows = {"image": DEGENERATE[case], "text": BESIDE}
    assert is_finite(mp.analyze(rows, Y, streaming=STREAMING, **FEW))


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ["posterior", "codebook"])
@pytest.mark.parametrize("case", list(DEGENERATE))
def test_all_degenerate_embeddings_are_streamed(case, estimator):
    rows = {"image": DEGENERATE[case], "text": BESIDE}
    assert is_finite(mp.analyze(rows, Y, estimator=estimator, streaming=STREAMING, **FEW))


@pytest.mark.parametrize("share", [0.5, 0.05])
def test_two_distinct_rows_tell_all_that_they_know(share):
    known = np.random.default_rng(1).random(N) < share
    y = known.astype(int)
    texts = RNG.normal(size=(2, 64))[y]
    found = mp.analyze({"image": NOISE, "text": texts}, y, replicates=9, permutations=9)
    entropy = -(y.mean() * math.log2(y.mean()) + (1 - y.mean()) * math.log2(1 - y.mean()))
    assert found.information.value == pytest.approx(entropy, abs=0.05)

"""Codes of many rows: what memory finds, whatever the blocks are."""

import numpy as np
import pytest

import modalprism as mp
from modalprism.estimation.streaming import Streaming

FEW = {"replicates": 50, "permutations": 39, "estimator": "codebook"}


@pytest.mark.slow
@pytest.mark.parametrize("gate", ["unq", "and"])
def test_streaming_counts_what_memory_does(written, gate):
    sources, y = written(gate, 3000)
    streamed = mp.analyze(sources, y, streaming=Streaming(above=1000, looked_at=1000), **FEW)
    in_memory = mp.analyze(sources, y, **FEW)
    assert streamed.diagnostics["tested_rows"].value == 1000
    for name in ("redundancy", "synergy", "information"):
        ours, theirs = getattr(streamed, name), getattr(in_memory, name)
        assert ours.value == pytest.approx(theirs.value, abs=0.03)
    assert streamed.information.p_value <= 0.05


def test_symbols_and_groups():
    rng = np.random.default_rng(0)
    one, other = rng.integers(3, size=(2, 2000, 1))
    sources = {"image": one, "text": other.astype(float)}
    streaming = Streaming(above=1000, looked_at=400)
    groups = {"who": np.arange(2000) // 4}
    analysis = mp.analyze(
        sources, (one + other).ravel() % 3, groups=groups, streaming=streaming, **FEW
    )
    assert analysis.synergy.value == pytest.approx(np.log2(3), abs=0.02)
    assert analysis.families["image"] == ("3 codes",)

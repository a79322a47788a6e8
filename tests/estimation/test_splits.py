"""Groups straddle neither folds nor what is learnt from, and every row is read by strangers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modalprism.errors import InputError
from modalprism.estimation.sample import check_sample
from modalprism.estimation.splits import PARTS, READ, Splits
from modalprism.estimation.streaming import Streaming


def sample(n, groups=None, seed=0):
    rng = np.random.default_rng(seed)
    sources = {name: rng.normal(size=(n, 3)).astype(np.float16) for name in ("image", "text")}
    return check_sample(sources, rng.integers(2, size=n), groups, 3, block_numbers=1000)


@settings(derandomize=True, deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.integers(1, 12), st.integers(300, 900))
def test_groups_stay_together(seed, size, learning_rows):
    n = 2000
    group = np.random.default_rng(seed).integers(n // size, size=n)
    splits = Splits.of(sample(n, {"who": group}), 4, Streaming(learning_rows=learning_rows), seed)
    for number in np.unique(group):
        rows = np.flatnonzero(group == number)
        assert len(np.unique(splits.fold[rows])) == 1
        # Some rows of a group may be left over, but no two of its rows have two splits.
        assert len(set(splits.role[rows]) - {READ}) <= 1
        assert len(np.unique(splits.half[rows])) == 1
    learnt = set(group[splits.training])
    assert len(splits.training) <= learning_rows
    assert not learnt & set(group[splits.tested])


def test_folds_and_parts_are_as_large_as_they_are_meant_to_be():
    splits = Splits.of(sample(10_000), 5, Streaming(learning_rows=4000, looked_at=500), 0)
    assert np.bincount(splits.fold).tolist() == pytest.approx([2000] * 5, abs=10)
    counts = np.bincount(splits.role)
    assert counts[1:].tolist() == pytest.approx([4000 * part for part in PARTS], abs=150)
    assert len(splits.tested) == 500


def test_groups_that_leave_nothing_to_learn_from_are_refused():
    with pytest.raises(
        InputError,
        match="tie into 4 connected sets, are too few to be streamed",
    ):
        Splits.of(sample(2000, {"who": np.arange(2000) % 4}), 3, Streaming(), 0)


def test_options_that_leave_nothing_are_refused():
    with pytest.raises(InputError, match=r"Streaming\(learning_rows=3\) is too small"):
        Streaming(learning_rows=3)

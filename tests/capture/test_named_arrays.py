"""Rows in parts are those of the whole, however they are sliced."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modalprism.capture.named_arrays import MappedArray


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=6),
    st.integers(-3, 30),
    st.integers(-3, 30),
)
def test_any_slice_is_that_of_the_whole(sizes, start, stop):
    whole = torch.arange(2.0 * sum(sizes)).reshape(-1, 2).half()
    rows = MappedArray(torch.split(whole, sizes))
    assert rows.shape == tuple(whole.shape)
    np.testing.assert_array_equal(rows[start:stop], whole.numpy()[start:stop])
    np.testing.assert_array_equal(np.asarray(rows), whole.numpy())


def test_other_keys_and_types():
    whole = torch.arange(8.0).reshape(4, 2).bfloat16()
    rows = MappedArray([whole[:1], whole[1:]])
    assert rows.dtype == np.float32
    assert len(rows) == 4
    np.testing.assert_array_equal(rows[np.array([3, 0])], [[6, 7], [0, 1]])
    np.testing.assert_array_equal(rows[::2], [[0, 1], [4, 5]])
    assert np.asarray(rows, dtype=np.float64).dtype == np.float64
    with pytest.raises(ValueError, match="without a copy"):
        np.array(rows, copy=False)

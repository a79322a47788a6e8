import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modalprism.capture.reading import POOLS

STATE = torch.tensor([[[1.0, 5.0], [3.0, -1.0], [8.0, 2.0]]])


@pytest.mark.parametrize(
    ("name", "expected"), [("mean", [2.0, 2.0]), ("last", [3.0, -1.0]), ("max", [3.0, 5.0])]
)
def test_only_the_span_counts(name, expected):
    mask = torch.tensor([[True, True, False]])
    assert POOLS[name](STATE, mask).tolist() == [expected]


@pytest.mark.parametrize("name", POOLS)
def test_an_empty_span_is_nan(name):
    assert POOLS[name](STATE, torch.zeros(1, 3, dtype=torch.bool)).isnan().all()


@pytest.mark.parametrize("name", POOLS)
@given(padding=st.integers(0, 4), left=st.booleans())
def test_padding_changes_nothing(name, padding, left):
    mask = torch.ones(1, 3, dtype=torch.bool)
    expected = POOLS[name](STATE, mask)
    beside = torch.full((1, padding, 2), torch.inf)
    outside = torch.zeros(1, padding, dtype=torch.bool)
    state = torch.cat([beside, STATE] if left else [STATE, beside], 1)
    wider = torch.cat([outside, mask] if left else [mask, outside], 1)
    assert torch.equal(POOLS[name](state, wider), expected)


def test_half_precision_is_averaged_in_single():
    state = torch.full((1, 4000, 1), 60.0, dtype=torch.float16)  # their sum is beyond float16
    assert POOLS["mean"](state, torch.ones(1, 4000, dtype=torch.bool)).item() == 60.0

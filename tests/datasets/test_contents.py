import numpy as np
import pandas as pd
import pytest

from modalprism.datasets.contents import is_empty, text_of
from modalprism.errors import InputError


@pytest.mark.parametrize(
    "value",
    [
        None, float("nan"), np.float16("nan"), pd.NaT, pd.NA, np.datetime64("NaT"), "", "  ",
        "\t\n", "\u3000", b"", b" ",
    ],
)  # fmt: skip
def test_what_is_missing_is_empty(value):
    assert is_empty(value)
    with pytest.raises(InputError, match="it is empty"):
        text_of(value)


@pytest.mark.parametrize("value", [0, False, np.int64(0), 0.0, "0", "nan", b"x", [], {}, [""]])
def test_what_is_there_is_not_empty(value):
    assert not is_empty(value)


def test_an_array_is_not_empty():
    assert not is_empty(np.array([np.nan, 1.0]))

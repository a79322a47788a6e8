"""Strict JSON: whatever the content, no reader meets NaN."""

import json
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from modalprism.strict_json import dumps

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
KEYS = st.text() | st.floats() | st.integers()
CONTENT = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(KEYS, inner)
)


def strictly(text):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


@given(CONTENT)
def test_whatever_is_written_is_json(content):
    strictly(dumps(content))


@given(st.recursive(st.text() | st.floats(allow_nan=False, allow_infinity=False), st.lists))
def test_what_json_can_say_is_said_as_python_says_it(content):
    assert dumps(content) == json.dumps(content)


def test_numbers_of_numpy_are_numbers():
    content = {"a": np.float32("nan"), "b": np.arange(2), "c": np.array([1, np.inf])}
    assert strictly(dumps(content)) == {"a": None, "b": [0, 1], "c": [1, None]}
    assert math.isfinite(strictly(dumps(np.float64(0.1))))

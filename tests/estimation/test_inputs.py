"""Arrays, tables and lists are read as what they are, or refused."""

import datetime
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from modalprism.errors import InputError
from modalprism.estimation.inputs import (
    check_index,
    named_columns,
    read_array,
    read_labels,
    read_numbers,
)

WORDS = ["yes", "no", "nan", "None", " two words "]
MISSING_WORDS = {
    "a list": ["a", "b", math.nan],
    "a tuple": ("a", "b", math.nan),
    "a list with None": ["a", "b", None],
    "a list with NaT": ["a", "b", pd.NaT],
    "a list with <NA>": ["a", "b", pd.NA],
    "a list with NumPy's NaN": ["a", "b", np.float32("nan")],
    "a column of lists": [["a"], ["b"], [math.nan]],
    "objects": np.array(["a", "b", math.nan], dtype=object),
    "an array of such a list": np.array(["a", "b", math.nan]),
    "a column": pd.Series(["a", "b", None]),
    "a frame": pd.DataFrame({"label": ["a", "b", None]}),
    "categories": pd.Series(["a", "b", None], dtype="category"),
    "an Arrow column": pa.array(["a", "b", None]),
    "a pandas column of Arrow": pd.Series(["a", "b", None], dtype=pd.ArrowDtype(pa.string())),
    "variable width": np.array(
        ["a", "b", math.nan], dtype=np.dtypes.StringDType(na_object=math.nan)
    ),
    "an array of bytes and NaN": np.array([b"a", b"b", math.nan]),
    "empty text": ["a", "b", ""],
    "empty text in an array": np.array(["a", "b", ""]),
    "blank text": np.array(["a", "b", " \t"]),
    "blank objects": pd.Series(["a", "b", "  "], dtype=object),
    "empty bytes": np.array([b"a", b"b", b""]),
    "numbers": [1.0, 2.0, math.nan],
    "integers and None": [1, 2, None],
    "integers that may be missing": pd.Series([1, 2, None], dtype="Int64"),
    "truth values": pd.Series([True, False, None], dtype="boolean"),
    "times": np.array(["2020-01-01", "2020-01-02", "NaT"], dtype="M8[D]"),
    "dates": [datetime.date(2020, 1, 1), datetime.date(2020, 1, 2), None],
}


@pytest.mark.parametrize("kind", list(MISSING_WORDS))
def test_missing_labels_are_refused(kind):
    with pytest.raises(InputError, match=r"the target is (missing|'nan') in row 2.* remove"):
        read_labels("the target", MISSING_WORDS[kind])


@pytest.mark.parametrize("make", [list, tuple, np.array, pd.Series, pa.array])
def test_words_that_look_missing_are_words(make):
    assert read_labels("the target", make(WORDS)).tolist() == WORDS


@pytest.mark.parametrize("mixed", [["1", 1], [True, "a"], [b"a", "b"], [1.5, "a"]])
def test_a_list_of_values_without_a_common_order_is_refused(mixed):
    with pytest.raises(InputError, match="the target mixes values that cannot be ordered"):
        read_labels("the target", mixed)


@pytest.mark.parametrize(
    "values", [np.ma.masked_array([1, 2], [0, 1]), list(np.ma.masked_array([1, 2], [0, 1]))]
)
def test_masked_values_are_refused(values):
    with pytest.raises(InputError, match="the target has masked values; fill them in"):
        read_labels("the target", values)


@pytest.mark.parametrize(
    "dtype",
    [
        "bfloat16",
        "float8_e4m3fn",
        "float8_e4m3fnuz",
        "float8_e5m2",
        "float8_e5m2fnuz",
        "float16",
        "float64",
        "bool",
        "uint8",
        "int64",
    ],
)
def test_tensors_of_every_dtype_are_read_exactly(dtype):
    tensor = torch.tensor([[0.0, 1.0], [0.0, 1.0]]).to(getattr(torch, dtype))
    if tensor.is_floating_point():
        tensor = tensor.requires_grad_()
    assert read_array("x", tensor).tolist() == [[0, 1], [0, 1]]
    assert read_array("x", list(tensor)).tolist() == [[0, 1], [0, 1]]


class Exchanged:
    """An array of another library, which NumPy does not convert by itself."""

    def __init__(self, tensor):
        self._tensor = tensor

    def __dlpack__(self, **options):
        return self._tensor.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._tensor.__dlpack_device__()


class OnDevice(Exchanged):
    """Refuses to be converted, as arrays on a GPU do."""

    dtype = np.dtype(np.float32)

    def __array__(self, *_args, **_options):
        raise TypeError("implicit conversion to a NumPy array is not allowed")


@pytest.mark.parametrize("kind", [Exchanged, OnDevice])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_arrays_are_exchanged(kind, dtype):
    assert read_array("x", kind(torch.eye(2, dtype=dtype))).tolist() == [[1, 0], [0, 1]]


def test_numbers_kept_as_objects_are_numbers():
    found = read_numbers("x", np.array([[1, 2.5], [None, 4]], dtype=object))
    assert found.dtype == np.float64
    assert np.array_equal(found, [[1, 2.5], [math.nan, 4]], equal_nan=True)


def test_text_kept_as_objects_is_not_parsed():
    assert read_numbers("x", np.array([["1", "2"]], dtype=object)).dtype == object


X = pd.DataFrame({"a": [1.0, 2.0, 3.0]}, index=["u", "v", "w"])
INDICES = {
    "another order": (["w", "v", "u"], r"\(row 0 is 'u' in one and 'w'.* another order.*y.loc"),
    "other labels": (["u", "v", "x"], r"\(row 2 is 'w' in one and 'x'.*reset_index.*select"),
    "repeated labels": (["u", "v", "v"], r"\(row 2 is.*reset_index.*key without duplicates"),
    "numbered anew": (range(3), r"\(row 0 is 'u' in one and 0 in the other\).*reset_index"),
}


@pytest.mark.parametrize("case", list(INDICES))
@pytest.mark.parametrize("make", [pd.Series, lambda *a, **k: pd.Series(*a, **k).to_frame()])
def test_indices_that_disagree_are_refused(case, make):
    index, message = INDICES[case]
    with pytest.raises(InputError, match=f"image and y have different indices {message}"):
        check_index({"image": X, "text": np.zeros(3), "y": make([0, 1, 0], index=index)})


@pytest.mark.parametrize(
    "index",
    [["u", "v", "w"], pd.Index(["u", "v", "w"], name="id"), pd.CategoricalIndex(list("uvw"))],
)
def test_indices_that_agree_are_accepted(index):
    check_index({"image": X, "y": pd.Series([0, 1, 0], index=index)})


@pytest.mark.parametrize("other", [X.index, pd.RangeIndex(3), pd.Index(["u", "w", "v"])])
def test_an_index_of_levels_that_disagrees_is_refused(other):
    levels = pd.MultiIndex.from_arrays([["u", "v", "w"], [1, 2, 3]])
    for one, two in ((levels, other), (other, levels)):
        with pytest.raises(InputError, match=r"different indices .*reset_index"):
            check_index({"image": X.set_axis(one), "y": pd.Series([0, 1, 0], index=two)})


def test_truth_values_and_numbers_in_one_frame_are_numbers():
    frame = pd.DataFrame({"seen": [True, False], "size": [0.5, 2], "n": pd.array([1, None])})
    np.testing.assert_array_equal(read_numbers("X", frame), [[1, 0.5, 1], [0, 2, np.nan]])


@pytest.mark.parametrize(
    "labels",
    [
        ["a", "a\0"],
        [b"a", b"a\0"],
        [2**53 + 1, 2.0**53],
        [2**63, 2**63 + 1, -1],
        [["a"], ["a\0"]],
    ],
)
def test_labels_of_a_list_that_differ_stay_different(labels):
    assert len(np.unique(read_labels("y", labels))) == len(labels)


@pytest.mark.parametrize("labels", [[1, 0, True], ["a", "b"], [1.5, 2], [b"x"], [(1,), (2,)]])
def test_labels_of_a_list_keep_a_plain_dtype(labels):
    assert read_labels("y", labels).dtype.kind != "O"


def test_repeated_labels_in_one_order_agree():
    twice = ["u", "u", "v"]
    check_index({"image": X.set_axis(twice), "y": pd.Series([0, 1, 0], index=twice)})


def test_arrays_have_no_index():
    check_index({"image": X, "text": np.zeros((3, 1)), "y": [0, 1, 0]})


def test_group_columns_have_names():
    ids = np.array([1, 1, 2])
    assert named_columns(None) == {}
    assert list(named_columns(ids)) == ["group"]
    assert list(named_columns(pd.Series(ids, name="patient"))) == ["patient"]
    assert list(named_columns(pd.DataFrame({"patient": ids, 7: ids}))) == ["patient", "7"]
    with pytest.raises(InputError, match="two group columns have the same name"):
        named_columns({7: ids, "7": ids})

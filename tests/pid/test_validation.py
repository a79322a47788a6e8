"""Every bad input is refused with a sentence that says what to do."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from modalprism.errors import InputError
from modalprism.pid import (
    decompose,
    decompose_marginals,
    decompose_marginals_batch,
    decompose_pairs,
    validation,
)

GOOD = np.ones((2, 3, 2)) / 12


def with_cell(value):
    table = GOOD.copy()
    table[1, 2, 0] = value
    return table


@pytest.mark.parametrize(
    ("joint", "message"),
    [
        (np.ones((2, 2)), r"joint has shape \(2, 2\): pass a table of shape \(n1, n2, C\)"),
        (np.ones((2, 0, 2)), "at least one cell"),
        (with_cell(-0.5), r"joint\[1, 2, 0\] is -0.5"),
        (with_cell(math.nan), r"joint\[1, 2, 0\] is nan: pass finite"),
        (with_cell(math.inf), r"joint\[1, 2, 0\] is inf: pass finite"),
        (np.zeros((2, 2, 2)), "zero everywhere"),
        (np.full((2, 2, 2), "a"), "pass real numbers"),
        (np.ones((2, 2, 2)) * 1j, "complex128: pass real numbers"),
        ([[[1, 2], [3]]], "cannot be read as an array"),
        (None, "pass numbers of shape"),
        (np.ma.masked_less(np.arange(8.0).reshape(2, 2, 2), 3), "joint has masked values"),
        ([np.ma.masked_equal(np.eye(2), 1), np.eye(2)], "joint has masked values"),
        (torch.ones(2, 2, 2).to_sparse(), "joint is a sparse matrix"),
        (torch.ones(2, 2, 2, device="meta"), "joint is a tensor without values"),
        ({(0, 0, 0): 1}, r"joint is of type dict, not an array; pass numbers of shape \(n1, n2, C"),
    ],
)
def test_joint_is_refused(joint, message):
    with pytest.raises(InputError, match=message):
        decompose(joint)


@pytest.mark.parametrize(
    "joint",
    [
        torch.tensor(GOOD, requires_grad=True),
        torch._neg_view(torch.tensor(-GOOD)),
        list(torch.tensor(GOOD, requires_grad=True)),
        list(torch.tensor(GOOD).bfloat16().float().bfloat16()),
    ],
    ids=["gradients", "a negative view", "a list of tensors", "a list of bfloat16"],
)
def test_tensors_are_read_as_they_are(joint):
    plain = torch.stack(joint) if isinstance(joint, list) else joint
    plain = plain.detach().double().resolve_neg().numpy()
    assert decompose(joint).synergy == decompose(plain).synergy


@pytest.mark.parametrize("dtype", ["Float32", "float32", "Sparse[float32]", "Int64", "category"])
def test_marginals_in_frames_of_every_dtype_are_read(dtype):
    joint = np.random.default_rng(0).integers(1, 90, (4, 5, 3)) / (1 if dtype == "Int64" else 7)
    frames = [pd.DataFrame(joint.sum(axis)).astype(dtype) for axis in (1, 0)]
    expected = decompose_marginals(joint.sum(1), joint.sum(0))
    assert decompose_marginals(*frames).redundancy == pytest.approx(expected.redundancy, abs=1e-5)


def test_the_coarsest_column_of_a_frame_sets_the_tolerance():
    frame = pd.DataFrame([[0.1, 0.2], [0.3, 0.4]])
    assert decompose_marginals(frame.astype({0: "float32"}), frame).gap < 1e-6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base": 1}, "base is 1: pass a number above 1"),
        ({"base": 0.5}, "base is 0.5"),
        ({"base": math.inf}, "base is inf"),
        ({"base": "2"}, "base is '2'"),
        ({"tol": 0}, "tol is 0: pass a positive number"),
        ({"tol": -1e-3}, "tol is -0.001"),
        ({"tol": math.nan}, "tol is nan"),
        ({"max_iter": 0}, "max_iter is 0: pass a whole number of at least 1"),
        ({"max_iter": 2.5}, "max_iter is 2.5"),
        ({"max_iter": True}, "max_iter is True"),
        ({"solver": "cvxpy"}, "there is no solver 'cvxpy': choose one of 'auto', 'newton'"),
        ({"device": "meta"}, "device 'meta' cannot be used"),
        ({"time_limit": 0}, "time_limit is 0: pass seconds above 0"),
        ({"time_limit": "5"}, "time_limit is '5'"),
        ({"solver": None}, "solver is None: pass one of 'auto', 'newton', 'ipfp', or an object"),
        ({"device": "nowhere"}, "device 'nowhere' cannot be used"),
        ({"device": 1.5}, "device 1.5 cannot be used"),
    ],
)
def test_options_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        decompose(GOOD, **options)
    with pytest.raises(InputError, match=message):
        decompose_marginals(GOOD.sum(1), GOOD.sum(0), 0.1, **options)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (np.ones((2, 2)), np.ones((2, 3)), "2 classes and p_x2y has 3"),
        (np.ones(2), np.ones((2, 2)), r"p_x1y has shape \(2,\)"),
        (
            np.ones((2, 2)),
            np.ones((2, 2)) / 4,
            "sums to 4 and p_x2y to 1, which differ by 0.75 .*marginal_tolerance is 1e-09",
        ),
        (np.eye(2), np.array([[1.0, 0.0], [0.9, 0.1]]), r"differs .* by 0.45 at class [01]"),
        (np.eye(2), np.array([[1.0, -0.1], [0.9, 0.1]]), r"p_x2y\[0, 1\] is -0.1"),
        (np.zeros((2, 2)), np.eye(2), "p_x1y is zero everywhere"),
    ],
)
def test_marginals_are_refused(first, second, message):
    with pytest.raises(InputError, match=message):
        decompose_marginals(first, second)


def test_a_difference_in_p_y_names_the_option_that_allows_it():
    first, second = np.diag([0.5, 0.5]), np.diag([0.51, 0.49])
    with pytest.raises(InputError, match=r"by 0.01 .*marginal_tolerance is 1e-09"):
        decompose_marginals(first, second)
    d = decompose_marginals(first, second, marginal_tolerance=0.02)
    assert d.redundancy == pytest.approx(1, abs=1e-4)
    assert d.unique == pytest.approx((0, 0), abs=1e-12)


def test_a_class_within_tolerance_that_one_marginal_lacks_is_left_out():
    first, second = np.diag([0.5, 0.5, 0.0]), np.diag([0.5, 0.4999, 0.0001])
    d = decompose_marginals(first, second, marginal_tolerance=1e-3)
    assert d.redundancy == pytest.approx(1, abs=1e-6)
    assert d.gap <= 1e-6


@pytest.mark.parametrize("tolerance", [-1, 1, math.nan, "a"])
def test_marginal_tolerance_is_refused(tolerance):
    with pytest.raises(InputError, match="marginal_tolerance is"):
        decompose_marginals(np.eye(2), np.eye(2), marginal_tolerance=tolerance)


@pytest.mark.parametrize("information", [math.nan, math.inf, "1"])
def test_information_is_refused(information):
    with pytest.raises(InputError, match="information is"):
        decompose_marginals(np.eye(2), np.eye(2), information)


def test_what_cannot_fit_is_refused_before_it_is_allocated():
    n = 2_000_000
    table = np.ones((n, 1))
    with pytest.raises(InputError, match=r"2,000,000 × 2,000,000 states takes 89,\d+.\d GiB"):
        decompose_marginals(table, table)


@pytest.mark.parametrize("make", [np.ndarray.tolist, torch.as_tensor, np.float32, np.asarray])
def test_tables_of_many_kinds_are_read(make):
    assert decompose(make(GOOD)).information == pytest.approx(0, abs=1e-6)


def test_whole_numbers_and_booleans_count():
    counts = np.eye(2)[:, :, None] * np.eye(2)[None]
    assert decompose(counts.astype(bool)).redundancy == pytest.approx(1)
    assert decompose(counts.astype(np.uint8) * 200).redundancy == pytest.approx(1)


def test_counts_that_overflowed_are_recognised():
    counts = np.full((2, 2, 2), 100, dtype=np.int8)
    counts += counts
    with pytest.raises(InputError, match="counts beyond 127 overflow int8"):
        decompose(counts)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64, np.float32])
def test_sums_of_large_counts_do_not_overflow(dtype):
    largest = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1e30
    counts = np.zeros((2, 2, 2), dtype=dtype)
    counts[0, 0, 0] = counts[0, 1, 1] = counts[1, 0, 1] = counts[1, 1, 0] = largest
    assert decompose(counts).synergy == pytest.approx(1, abs=1e-6)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_no_gpu_where_one_is_asked_for():
    with pytest.raises(InputError, match="device 'cuda' needs a GPU, and torch finds none on this"):
        decompose(np.ones((2, 2, 2)), device="cuda")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_auto_takes_the_gpu_with_most_memory_free(monkeypatch):
    free = {0: 8 << 30, 1: 40 << 30, 2: 24 << 30}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(free))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda gpu: (free[gpu.index], 80 << 30))
    assert validation.check_device("auto") == torch.device("cuda", 1)


def test_an_unknown_kind_of_device_is_refused_without_torchs_list_of_all():
    with pytest.raises(InputError, match="unknown kind of device") as refused:
        validation.check_device("gpu")
    assert len(str(refused.value)) < 120


def test_auto_falls_back_to_the_processor_and_says_so_once(caplog):
    validation._warn_that_there_is_no_gpu.cache_clear()
    joint = np.arange(1.0, 9.0).reshape(2, 2, 2)
    for _ in range(2):
        assert decompose(joint, device="auto").upper == decompose(joint).upper
    (line,) = caplog.records
    assert line.name == "modalprism.pid"
    assert "no GPU is available" in line.message


@pytest.mark.parametrize(
    ("dtype", "error"),
    [("f4", 1e-7), ("f2", 1e-3), (torch.float32, 1e-7), (torch.bfloat16, 1e-2), ("f8", 1e-12)],
)
@pytest.mark.parametrize("seed", range(5))
def test_marginals_of_one_joint_are_taken_in_any_type(dtype, error, seed):
    joint = np.random.default_rng(seed).dirichlet(np.ones(120)).reshape(5, 6, 4)
    right = decompose_marginals(joint.sum(1), joint.sum(0), tol=1e-9)

    def rounded(p):
        return torch.tensor(p, dtype=dtype) if isinstance(dtype, torch.dtype) else p.astype(dtype)

    first, second = rounded(joint.sum(1)), rounded(joint.sum(0))
    d = decompose_marginals(first, second, tol=1e-9)
    assert d.upper == pytest.approx(right.upper, abs=error)
    stack = torch.stack if isinstance(first, torch.Tensor) else np.stack
    (d,) = decompose_marginals_batch(stack([first]), stack([second]))
    assert d.upper == pytest.approx(right.upper, abs=max(error, 1e-6))


def test_marginals_of_different_examples_are_refused_in_any_type():
    first, second = (np.random.default_rng(seed).dirichlet(np.ones(20)) for seed in (0, 1))
    for dtype in ("f4", "f2"):
        with pytest.raises(InputError, match=r"p\(y\) differs .* marginal_tolerance is"):
            decompose_marginals(
                first.reshape(5, 4).astype(dtype), second.reshape(5, 4).astype(dtype)
            )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.int64])
def test_torch_tensors_of_any_type_are_read(dtype):
    counts = torch.tensor([[[1, 0], [0, 1]], [[0, 1], [1, 0]]], dtype=dtype)
    counts.requires_grad_(dtype.is_floating_point)
    assert decompose(counts).synergy == pytest.approx(1, abs=1e-6)


def observations():
    rows = pd.DataFrame({"image": [*"aabb"], "text": [0, 1, 0, 1], "answer": [*"yxxy"]})
    return pd.concat([rows, rows])


def test_a_series_of_counts_is_a_joint():
    for normalize in (False, True):
        counts = observations().value_counts(normalize=normalize)
        assert decompose(counts).synergy == pytest.approx(1, abs=1e-6)
    assert decompose(observations().groupby([*counts.index.names]).size()).synergy > 0.99
    assert decompose_pairs(counts)[0, 1].synergy == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "bool", "float16", "Int64"])
def test_counts_of_one_key_add_up_beyond_their_dtype(dtype):
    counts = observations().value_counts()
    counts = pd.concat([counts] * 200 + [counts[:1]] * 700)
    ones = (counts > 0).astype(dtype)
    assert decompose(ones).synergy == decompose(ones.astype(float)).synergy


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda rows: rows, r"joint is a DataFrame: pass its counts, joint.value_counts\(\)"),
        (lambda rows: rows.value_counts().to_frame(), "joint is a DataFrame"),
        (lambda rows: rows[["text", "answer"]].value_counts(), "index has 2 levels: pass one of 3"),
        (lambda rows: rows.replace("a", None).value_counts(dropna=False), "missing values in its"),
        (lambda rows: rows.value_counts().astype(str), "pass counts or probabilities"),
        (lambda rows: rows["text"], "joint has shape"),
    ],
)
def test_other_pandas_objects_are_refused_with_advice(make, message):
    with pytest.raises(InputError, match=message):
        decompose(make(observations()))


def test_marginals_of_pandas_name_the_same_classes():
    rows = observations()
    first = pd.crosstab(rows["image"], rows["answer"])
    second = pd.crosstab(rows["text"], rows["answer"])
    assert decompose_marginals(first, second).redundancy == pytest.approx(0, abs=1e-6)
    with pytest.raises(InputError, match="different classes, or the same classes in another order"):
        decompose_marginals(first, second[["y", "x"]])


@pytest.mark.parametrize("huge", [10**400, -(10**400), 10**5000], ids=["plus", "minus", "longer"])
@pytest.mark.parametrize("option", ["base", "tol", "time_limit", "information"])
def test_integers_beyond_float64_are_refused(option, huge):
    table = np.ones((2, 2, 2))
    marginals = (table.sum(1), table.sum(0))
    arguments, ask = (
        (marginals, decompose_marginals) if option == "information" else ((table,), decompose)
    )
    with pytest.raises(InputError, match=f"{option} is a whole number of .* bits"):
        ask(*arguments, **{option: huge})


def test_any_number_of_iterations_is_read():
    assert decompose(np.ones((2, 2, 2)), max_iter=10**5000).gap < 1e-6

"""Every bad input is refused with a sentence that says what to do."""

import math

import numpy as np
import pytest
import torch

from modalprism.errors import InputError
from modalprism.pid import decompose, decompose_marginals, validation

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
        (np.full((2, 2, 2), 1e308), "more than float64 holds"),
        (np.full((2, 2, 2), "a"), "pass real numbers"),
        (np.ones((2, 2, 2)) * 1j, "complex128: pass real numbers"),
        ([[[1, 2], [3]]], "cannot be read as an array"),
        (None, "pass real numbers"),
    ],
)
def test_joint_is_refused(joint, message):
    with pytest.raises(InputError, match=message):
        decompose(joint)


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
        ({"solver": "cvxpy"}, '\'cvxpy\' is not available: choose one of "auto", "newton"'),
        ({"device": "meta"}, "device 'meta' cannot be used"),
        ({"time_limit": 0}, "time_limit is 0: pass seconds above 0"),
        ({"time_limit": "5"}, "time_limit is '5'"),
        ({"solver": None}, "solver None is not available"),
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
        (np.ones((2, 2)), np.ones((2, 2)) / 4, "sums to 4 and p_x2y to 1"),
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
    with pytest.raises(InputError, match=r"by 0.01 .*marginal_tolerance="):
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
    with pytest.raises(InputError, match="device 'cuda' asks for a GPU and torch finds none here"):
        decompose(np.ones((2, 2, 2)), device="cuda")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_auto_takes_the_gpu_with_most_memory_free(monkeypatch):
    free = {0: 8 << 30, 1: 40 << 30, 2: 24 << 30}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(free))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda gpu: (free[gpu.index], 80 << 30))
    assert validation.check_device("auto") == torch.device("cuda", 1)


def test_an_unknown_kind_of_device_is_refused_without_torchs_list_of_all():
    with pytest.raises(InputError, match="there is no such kind") as refused:
        validation.check_device("gpu")
    assert len(str(refused.value)) < 120


def test_auto_falls_back_to_the_processor_and_says_so_once(caplog):
    validation._say_that_there_is_no_gpu.cache_clear()
    joint = np.arange(1.0, 9.0).reshape(2, 2, 2)
    for _ in range(2):
        assert decompose(joint, device="auto").upper == decompose(joint).upper
    (line,) = caplog.records
    assert line.name == "modalprism.pid"
    assert "no GPU here" in line.message

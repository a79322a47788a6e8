import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from modalprism.errors import InputError
from modalprism.estimation.codebook import coding
from modalprism.estimation.codebook.coding import (
    FEWEST_CODES,
    MOST_CODES,
    ROWS_A_CELL,
    code_count,
    code_source,
    code_sources,
    symbols_of,
)
from modalprism.estimation.sample import check_sample
from modalprism.estimation.source import check_source


def clusters(n=3000, width=24, seed=0):
    rng = np.random.default_rng(seed)
    label = rng.integers(6, size=n)
    return 4 * rng.normal(size=(6, width))[label] + rng.normal(size=(n, width)), label


def code_rows(rows, count, block_numbers=10**6):
    return code_source(check_source("image", rows, block_numbers)[0], count, seed=0)


def test_clusters_are_found():
    rows, label = clusters()
    assert adjusted_rand_score(code_rows(rows, 6), label) > 0.99


def test_centres_of_some_rows_that_move_with_all_are_those_of_all(monkeypatch):
    rows, label = clusters(n=9000)
    monkeypatch.setattr(coding, "FIRST_ROWS", 1000)
    assert adjusted_rand_score(code_rows(rows, 6), label) > 0.99


@pytest.mark.parametrize("first_rows", [1000, 20_000])
def test_blocks_decide_no_code(first_rows, monkeypatch):
    monkeypatch.setattr(coding, "FIRST_ROWS", first_rows)
    rows = clusters(n=9000)[0].astype(np.float16)
    np.testing.assert_array_equal(*(code_rows(rows, 6, size) for size in (5000, 10**6)))


def test_equal_rows_have_one_code_and_few_different_ones_as_many():
    assert code_rows(np.ones((60, 3)), 5).max() == 0
    assert code_rows(np.eye(3)[np.arange(60) % 3], 5).max() == 2


@given(st.integers(50, 100_000), st.integers(2, 20))
def test_cells_stay_filled(n, classes):
    count = code_count(n, classes)
    assert FEWEST_CODES <= count <= MOST_CODES
    assert count == FEWEST_CODES or n / (count**2 * classes) >= ROWS_A_CELL


@pytest.mark.parametrize(
    "column",
    [
        np.array([3, 1, 3, 2]),
        np.array([[3], [1], [3], [2]], dtype=np.uint8),
        np.array([[3.0], [1.0], [3.0], [2.0]]),
        np.array(["c", "a", "c", "b"]),
    ],
)
def test_symbols_are_used_as_they_are(column):
    assert symbols_of("colour", column).tolist() == [2, 0, 2, 1]


def test_truth_values_are_symbols_and_measurements_are_not():
    assert symbols_of("seen", np.array([True, False])).tolist() == [1, 0]
    assert symbols_of("height", np.array([[1.5], [2.0]])) is None
    assert symbols_of("day", np.arange(100.0)[:, None]) is None
    assert symbols_of("picture", np.eye(3)) is None


def test_too_many_symbols_are_refused():
    with pytest.raises(InputError, match=r"'word' has 100 different symbols.*merge the rare"):
        symbols_of("word", np.arange(100))
    with pytest.raises(InputError, match="no order"):
        symbols_of("word", np.array(["a", 1, None], dtype=object))


def test_the_partner_of_symbols_has_as_many_codes_as_they_leave_room_for():
    rows, label = clusters()
    sources = {"image": label[:, None] % 2, "text": rows}
    sample = check_sample(sources, np.arange(3000) % 50, None, 5)
    first, second = code_sources(sample, seed=0)
    assert first.max() + 1 == 2
    assert second.max() + 1 == code_count(3000, 50, symbols=2) > code_count(3000, 50)


@pytest.mark.parametrize("first_rows", [100, 20_000])
@pytest.mark.parametrize("scale", [2.0**-900, 2.0**-60, 2.0**300])
def test_codes_do_not_hang_on_the_scale(scale, first_rows, monkeypatch):
    monkeypatch.setattr(coding, "FIRST_ROWS", first_rows)
    rows = np.random.default_rng(0).normal(size=(400, 5))
    codes, same = (code_rows(array, 6) for array in (rows, rows * scale))
    assert codes.tolist() == same.tolist()


def test_a_row_far_off_leaves_two_codes():
    rows = np.random.default_rng(0).normal(size=(100, 5))
    rows[3] = 1e30
    assert np.bincount(code_rows(rows, 6)).tolist() in ([99, 1], [1, 99])

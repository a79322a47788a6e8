import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from modalprism.errors import InputError
from modalprism.estimation.codebook.coding import (
    FEWEST_CODES,
    MOST_CODES,
    ROWS_A_CELL,
    code_count,
    code_embedding,
    code_sources,
    symbols_of,
)


def clusters(n=3000, width=24, seed=0):
    rng = np.random.default_rng(seed)
    label = rng.integers(6, size=n)
    return 4 * rng.normal(size=(6, width))[label] + rng.normal(size=(n, width)), label


def test_clusters_are_found():
    rows, label = clusters()
    assert adjusted_rand_score(code_embedding(rows, 6), label) > 0.99


def test_data_read_in_blocks_are_coded_as_data_in_memory(tmp_path):
    rows, _ = clusters(n=9000)
    mapped = np.memmap(tmp_path / "rows", np.float32, "w+", shape=rows.shape)
    mapped[:] = rows
    streamed = code_embedding(mapped, 6, most_in_memory=1000)
    assert adjusted_rand_score(streamed, code_embedding(rows, 6)) > 0.99


def test_equal_rows_have_one_code_and_few_different_ones_as_many():
    assert code_embedding(np.ones((60, 3)), 5).max() == 0
    assert code_embedding(np.eye(3)[np.arange(60) % 3], 5).max() == 2


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
    first, second = code_sources(("kind", "image"), (label % 2, rows), classes=50)
    assert first.max() + 1 == 2
    assert second.max() + 1 == code_count(3000, 50, symbols=2) > code_count(3000, 50)


@pytest.mark.parametrize("most_in_memory", [1 << 20, 100])
@pytest.mark.parametrize("scale", [2.0**-900, 2.0**-60, 2.0**300])
def test_codes_do_not_hang_on_the_scale(scale, most_in_memory):
    rows = np.random.default_rng(0).normal(size=(400, 5))
    codes, same = (
        code_embedding(array, 6, most_in_memory=most_in_memory) for array in (rows, rows * scale)
    )
    assert codes.tolist() == same.tolist()


def test_a_row_far_off_leaves_two_codes():
    rows = np.random.default_rng(0).normal(size=(100, 5))
    rows[3] = 1e30
    assert np.bincount(code_embedding(rows, 6)).tolist() in ([99, 1], [1, 99])

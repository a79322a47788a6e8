"""Rows that depend on each other without a group are noticed, and others are not."""

import numpy as np
import pytest

import modalprism as mp
from modalprism.errors import DataWarning
from modalprism.estimation.dependence import dependence_of

N = 800
PICTURE = np.arange(N) // 8


def found(rows, component=None, label=None):
    rng = np.random.default_rng(1)
    _, hashes = np.unique(rows, axis=0, return_inverse=True)
    return dependence_of(
        rows,
        hashes.astype(np.int64),
        np.arange(N) if component is None else component,
        rng.integers(2, size=N) if label is None else label,
    )


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_independent_rows_are_no_reason_for_a_word(rng):
    for rows in (rng.normal(size=(N, 40)), rng.normal(size=(N, 1)), rng.integers(3, size=(N, 4))):
        assert found(rows).cautions("image", N) == []


def test_categories_and_rounded_numbers_repeat_without_being_one_example(rng):
    ages = rng.integers(18, 90, size=(N, 1))
    for rows in (np.eye(30)[rng.integers(30, size=N)], ages, rng.normal(size=(N, 2)).round(1)):
        assert found(rows).repeats == found(rows).near == 0


def test_a_picture_in_eight_rows_is_named_with_its_rows(rng):
    rows = rng.normal(size=(100, 16))[PICTURE]
    assert found(rows).repeats == N
    (sentence,) = found(rows).cautions("image", N)
    assert sentence.startswith("800 of 800 rows have an embedding of 'image' that other rows have")
    assert found(rows, component=PICTURE).cautions("image", N) == []


@pytest.mark.parametrize("shuffled", [False, True])
def test_nearly_equal_rows_are_found_in_any_order(rng, shuffled):
    rows = rng.normal(size=(100, 16))[PICTURE] + 0.01 * rng.normal(size=(N, 16))
    order = rng.permutation(N) if shuffled else np.arange(N)
    assert found(rows[order]).near == N
    assert found(rows[order], component=PICTURE[order]).near == 0


def test_a_slow_series_is_told_from_rows_that_are_sorted_by_class(rng):
    series = rng.normal(size=(N, 16)).cumsum(0)
    assert found(series).neighbours < 0.1
    label = np.sort(rng.integers(2, size=N))
    assert found(rng.normal(size=(N, 16)) + 5 * label[:, None], label=label).neighbours == 1


def test_an_analysis_warns_of_repeats_that_no_group_ties(rng):
    embeddings = {"image": rng.normal(size=(100, 16))[PICTURE], "text": rng.normal(size=(N, 4))}
    y = rng.integers(2, size=100)[PICTURE]
    few = {"effort": "fast", "replicates": 20, "permutations": 9}
    with pytest.warns(DataWarning, match="800 of 800 rows have an embedding of 'image'"):
        alone = mp.analyze(embeddings, y, **few)
    assert alone.diagnostics["dependent_rows/image"].value == 1
    tied = mp.analyze(embeddings, y, groups={"picture": PICTURE}, **few)
    assert not tied.cautions
    assert tied.information.value < 0.1 < alone.information.value

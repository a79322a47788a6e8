"""Bootstrap weights: groups move whole, and crossed groups multiply."""

import numpy as np
import pytest

from modalprism.estimation import bootstrap
from modalprism.estimation.bootstrap import pigeonhole_weights, weights_in_batches

PICTURE = np.repeat(np.arange(12), 5)
NAME = np.tile(np.arange(5), 12)


def test_rows_without_groups_are_resampled_themselves():
    weights = pigeonhole_weights({}, 40, 300, seed=0)
    assert weights.shape == (300, 40)
    assert (weights.sum(1) == 40).all()
    assert weights.var() == pytest.approx(1, abs=0.1)


def test_a_group_moves_whole():
    weights = pigeonhole_weights({"picture": PICTURE}, 60, 50, seed=0)
    by_picture = weights.reshape(50, 12, 5)
    assert (by_picture == by_picture[:, :, :1]).all()
    assert (by_picture[:, :, 0].sum(1) == 12).all()


def test_crossed_groups_multiply():
    weights = pigeonhole_weights({"picture": PICTURE, "name": NAME}, 60, 50, seed=0)
    for table in weights.reshape(50, 12, 5):
        assert np.linalg.matrix_rank(table) == 1
        assert table.sum() == 60


def test_columns_that_part_the_rows_alike_count_once():
    once = pigeonhole_weights({"picture": PICTURE}, 60, 50, seed=3)
    renamed = np.array([*"fedcbalkjihg"])[PICTURE]
    twice = pigeonhole_weights({"picture": PICTURE, "kin": renamed, "again": PICTURE}, 60, 50, 3)
    np.testing.assert_array_equal(once, twice)


def test_no_replicate_is_empty_and_the_seed_decides():
    two = {"a": np.array([0, 1] * 10), "b": np.array([0] * 10 + [1] * 10)}
    weights = pigeonhole_weights(two, 20, 500, seed=0)
    assert (weights.sum(1) > 0).all()
    np.testing.assert_array_equal(weights, pigeonhole_weights(two, 20, 500, seed=0))
    assert not np.array_equal(weights, pigeonhole_weights(two, 20, 500, seed=1))


def test_batches_draw_what_all_replicates_at_once_do(monkeypatch):
    monkeypatch.setattr(bootstrap, "BATCH_WEIGHTS", 90)
    groups = {"who": np.arange(40) // 2}
    batches = list(weights_in_batches(groups, 40, 7, seed=1))
    assert [len(batch) for batch in batches] == [2, 2, 2, 1]
    np.testing.assert_array_equal(np.concatenate(batches), pigeonhole_weights(groups, 40, 7, 1))

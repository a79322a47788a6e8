import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modalprism.errors import InputError
from modalprism.estimation.atoms import split_information
from modalprism.estimation.codebook.nulls import permuted_target
from modalprism.estimation.codebook.tables import (
    GAP_TOLERANCE,
    Coded,
    adjust,
    informations,
)
from modalprism.estimation.exchange import exchangeable_blocks


def random_rows(seed, n=60, k=4, classes=3):
    rng = np.random.default_rng(seed)
    first, second = (np.unique(rng.integers(k, size=n), return_inverse=True)[1] for _ in range(2))
    return first, second, rng.dirichlet(np.ones(classes), n)


def test_parts_of_a_row_count_as_fractions():
    first, second, target = random_rows(0)
    table = Coded.of((first, second), target, {}).table()
    for label in range(3):
        assert np.isclose(table[0, :, label].sum(), target[first == 0, label].sum())
    assert np.isclose(table.sum(), 60)


def test_the_ceiling_is_what_the_rows_tell():
    first, second, target = random_rows(0)
    hard = Coded.of((first, second), np.eye(3)[target.argmax(1)], {})
    soft = Coded.of((first, second), target, {})
    assert np.isclose(hard.ceiling, hard.entropy)
    assert 0 < soft.ceiling < soft.entropy


def test_weights_count_rows_as_often():
    first, second, target = random_rows(1)
    coded = Coded.of((first, second), target, {})
    assert np.allclose(coded.table(np.full(60, 2.0)), 2 * coded.table())


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**16), st.integers(1, 12))
def test_a_permutation_moves_every_row_once(seed, size):
    coded = Coded.of(
        (np.arange(60), np.arange(60)),
        np.eye(2)[np.arange(60) % 2],
        {"picture": np.arange(60) // min(size, 3)},
    )
    order = coded.permutation(np.random.default_rng(seed))
    assert sorted(order) == list(range(60))


def test_blocks_of_one_size_are_exchanged_whole():
    picture = np.repeat(np.arange(30), 2)
    coded = Coded.of((picture, picture), np.eye(2)[picture % 2], {"picture": picture})
    moved = picture[coded.permutation(np.random.default_rng(0))]
    assert (moved[::2] == moved[1::2]).all()


def test_groups_that_tie_everything_together_give_way_to_their_finest_column():
    crossing = {"picture": np.arange(120) % 40, "name": np.arange(120) // 40}
    assert len(exchangeable_blocks(crossing, 120)) == 40
    with pytest.raises(InputError, match="3 independent blocks of all 120 rows, too few"):
        exchangeable_blocks({"picture": np.arange(120) % 3}, 120)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**16))
def test_the_union_information_lies_between_its_bounds(seed):
    table = np.random.default_rng(seed).dirichlet(np.ones(24)).reshape(1, 4, 3, 2)
    (first, second, _, union), gap = informations(table)
    assert max(first[0], second[0]) <= union[0] + 1e-9
    assert union[0] <= first[0] + second[0] + gap


def test_every_table_of_many_is_solved_though_its_rows_are_few():
    rng = np.random.default_rng(88)
    y = rng.integers(10, size=(8, 50))
    first, second = (
        np.where(rng.random((8, 50)) < 0.4, y, rng.integers(10, size=(8, 50))) for _ in "ab"
    )
    tables = np.zeros((8, 10, 10, 10))
    np.add.at(tables, (np.arange(8)[:, None], first, second, y), 1)
    values, gap = informations(tables)
    assert np.isfinite(values).all()
    assert gap <= GAP_TOLERANCE


@pytest.mark.slow
def test_noise_in_a_thousand_cells_reads_as_nothing_on_average(noise):
    rng = np.random.default_rng(0)
    found = []
    for seed in range(30):
        coded = noise(seed, k=10, classes=10)
        level = informations(permuted_target(coded, 100, rng))[0].mean(1)
        plug = informations(coded.table()[None])[0][:, 0]
        found.append(split_information(*adjust(plug, level, coded.ceiling))[:4])
    error = np.std(found, axis=0) / np.sqrt(30)
    assert (np.abs(np.mean(found, axis=0)) < 0.01 * np.log(2) + 2.5 * error).all()


def test_what_the_codes_know_is_left_as_it_is():
    level, ceiling = np.full(4, 0.2), 0.7
    assert np.allclose(adjust(np.full((4, 3), ceiling), level, ceiling), ceiling)
    assert np.allclose(adjust(level, level, ceiling), 0)


def test_a_row_a_cell_tells_nothing():
    assert (adjust(np.full(4, 0.7), np.full(4, 0.7), 0.7) == 0).all()

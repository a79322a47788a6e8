"""Folds: nothing straddles them, and they are alike."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modalprism.errors import InputError
from modalprism.estimation.folds import assign_folds, connected_groups, deal_components
from modalprism.estimation.target import Target

LAWS = settings(derandomize=True, deadline=None, max_examples=40)


@st.composite
def columns(draw):
    n = draw(st.integers(20, 80))
    widths = draw(st.lists(st.integers(2, 200), min_size=1, max_size=3))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    return {f"column {i}": rng.integers(width, size=n) for i, width in enumerate(widths)}


@LAWS
@given(columns())
def test_components_are_the_finest_partition_that_no_value_straddles(groups):
    n = len(next(iter(groups.values())))
    component = connected_groups(groups, n)
    assert set(component) == set(range(component.max() + 1))
    for column in groups.values():
        for value in np.unique(column):
            assert len(set(component[column == value])) == 1
    # Finest: a walk over shared values reaches every row of a component.
    for number in range(component.max() + 1):
        members = np.flatnonzero(component == number)
        reached = {int(members[0])}
        for _ in members:
            for column in groups.values():
                reached |= set(np.flatnonzero(np.isin(column, column[list(reached)])).tolist())
        assert reached == set(members.tolist())


@LAWS
@given(columns(), st.integers(3, 6), st.integers(0, 1000))
def test_no_value_straddles_folds(groups, folds, seed):
    n = len(next(iter(groups.values())))
    component = connected_groups(groups, n)
    target = Target.of_rows(np.full((n, 2), 0.5))
    if component.max() + 1 < folds:
        with pytest.raises(InputError, match="too few for"):
            assign_folds(component, target, folds, seed)
        return
    fold = assign_folds(component, target, folds, seed)
    assert set(fold) == set(range(folds))
    for column in groups.values():
        for value in np.unique(column):
            assert len(set(fold[column == value])) == 1


def test_several_columns_connect_rows_that_none_connects_alone():
    groups = {"picture": np.array([0, 0, 1, 2, 3, 4]), "name": np.array([*"abbcde"])}
    assert connected_groups(groups, 6).tolist() == [0, 0, 0, 1, 2, 3]


def test_no_column_leaves_every_row_alone():
    assert connected_groups({}, 4).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("seed", range(3))
def test_folds_hold_alike_numbers_of_every_class(seed):
    rng = np.random.default_rng(seed)
    y = rng.choice(4, p=[0.55, 0.3, 0.1, 0.05], size=500)
    fold = assign_folds(np.arange(500), Target.of_rows(np.eye(4)[y]), 5, seed)
    counts = np.stack([np.bincount(y[fold == f], minlength=4) for f in range(5)])
    assert (np.ptp(counts, axis=0) <= 3).all()


def test_the_seed_decides_who_is_where():
    target = Target.of_rows(np.eye(2)[np.arange(40) % 2])
    first, same, other = (assign_folds(np.arange(40), target, 5, seed) for seed in (1, 1, 2))
    assert first.tolist() == same.tolist()
    assert first.tolist() != other.tolist()


def test_a_class_must_be_in_three_folds():
    """Nested fits leave out two, and would not know it."""
    component, target = np.arange(60) // 2, np.eye(2)[np.zeros(60, int)]
    target[:8] = [0, 1]
    target = Target.of_rows(target)
    assert assign_folds(component, target, 5, 0).max() == 4
    component[:8] = [0, 0, 0, 0, 1, 1, 1, 1]
    with pytest.raises(InputError, match=r"class number 2 of 2 .* into one or two folds"):
        assign_folds(np.unique(component, return_inverse=True)[1], target, 5, 0)


def test_a_class_of_hardly_any_mass_need_not_be_in_three_folds():
    target = np.eye(2)[np.zeros(60, int)]
    target[7] = [0.4, 0.6]
    assert assign_folds(np.arange(60), Target.of_rows(target), 5, 0).max() == 4


def test_one_group_may_not_hold_nearly_everything():
    component = np.concatenate([np.zeros(95, dtype=np.int64), np.arange(1, 6)])
    fold = assign_folds(component, Target.of_rows(np.eye(2)[np.arange(100) % 2]), 5, 0)
    assert len(np.unique(fold)) == 5
    assert len(set(fold[:95])) == 1


def test_many_components_fill_up_what_large_ones_leave():
    rng = np.random.default_rng(0)
    totals = np.concatenate([np.eye(4)[rng.integers(4, size=20_000)], np.ones((20_000, 1))], 1)
    large = np.array([[500, 500, 500, 500, 2000.0]] * 2)
    dealt = deal_components(np.concatenate([large, totals]), 5, seed=0, one_by_one=100)
    held = np.zeros((5, 5))
    np.add.at(held, dealt, np.concatenate([large, totals]))
    np.testing.assert_allclose(held[:, -1], 24_000 / 5, atol=20)
    np.testing.assert_allclose(held[:, :-1], held[:, :-1].mean(0)[None].repeat(5, 0), atol=250)

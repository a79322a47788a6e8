"""p-values of held-out scores: noise is found as often as it may be, and what is there is found."""

from collections import namedtuple

import numpy as np
import pytest
from scipy.special import entr

import modalprism as mp
from modalprism.estimation import significance
from modalprism.estimation.exchange import Exchange
from modalprism.estimation.significance import (
    _statistics,
    _tail,
    p_value,
    p_values_of,
)
from modalprism.pid.solve import solve_batch


def test_a_p_value_counts_the_sample_itself():
    assert p_value(np.array([0.0, 1.0, 2.0]), 1.5) == 0.5
    assert p_value(np.zeros(19), 0.0) == 1.0


def test_a_draw_far_from_its_bound_is_solved_by_the_other_method(monkeypatch):
    copies = np.array([[[0.4, 0.1], [0.1, 0.4]]] * 2)
    whole = _statistics(copies, copies)
    told = whole[0, 0]
    np.testing.assert_allclose(whole[2:], [[told] * 2, [0, 0], [0, 0], [0, 0]], atol=1e-6)

    bounds = namedtuple("bounds", "upper gap")
    asked = []

    def stopped(first, second, *, solver="auto", **options):
        asked.append((solver, len(first)))
        if solver == "newton":
            return solve_batch(first, second, solver=solver, **options)
        return [bounds(1.0, 1.0), bounds(told, 0.0)]

    monkeypatch.setattr(significance, "solve_batch", stopped)
    np.testing.assert_allclose(_statistics(copies, copies), whole, atol=1e-6)
    assert asked == [("auto", 2), ("newton", 1)]


def test_sparse_tables_have_unions_that_are_bounded():
    generator = np.random.default_rng(0)
    tables = np.zeros((100, 10, 10, 10))
    for table in tables:
        np.add.at(table, tuple(generator.integers(10, size=(3, 20))), 1 / 20)
    first, second = tables.sum(2), tables.sum(1)
    unions = significance._unions(first, second)
    assert np.isfinite(unions).all()
    assert (unions <= entr(first.sum(1)).sum(1) + 1e-6).all()  # no more than the target's entropy


def in_blocks(order, size):
    """Whether each stretch of an order is one block, turned."""
    blocks = order.reshape(-1, size)
    return (np.sort(blocks, axis=1) // size == blocks[:, :1] // size).all()


def test_many_blocks_change_places_within_their_folds():
    fold, blocks = np.arange(80) // 40, tuple(np.arange(80).reshape(40, 2))
    orders = Exchange(fold, blocks).permutations(30, np.random.default_rng(0))
    assert (fold[orders] == fold).all()
    assert all(in_blocks(order, 2) for order in orders)
    assert len({tuple(order) for order in orders}) == 30


def test_few_blocks_change_places_with_those_of_all_folds():
    fold, blocks = np.arange(24) // 12, tuple(np.arange(24).reshape(8, 3))
    orders = Exchange(fold, blocks).permutations(30, np.random.default_rng(0))
    assert (fold[orders] != fold).any()
    assert all(in_blocks(order, 3) for order in orders)


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ["posterior", "codebook"])
def test_blocks_of_the_same_answers_in_the_same_order_hide_nothing(written, estimator):
    # Every block is asked the same: five true pairs, then five false ones. Blocks that only change
    # places with their likes would make a null of what is there.
    embeddings, bit = written("rdn", 400)
    asked = [np.flatnonzero(bit == answer)[:150].reshape(30, 5) for answer in (1, 0)]
    rows = np.concatenate(asked, axis=1).ravel()
    a = mp.analyze(
        {name: block[rows] for name, block in embeddings.items()},
        bit[rows],
        groups={"block": np.arange(300) // 10},
        estimator=estimator,
        replicates=100,
        permutations=99,
    )
    assert a.redundancy.value > 0.8
    assert a.redundancy.p_value <= 0.05
    assert a.information.p_value <= 0.05


def test_what_seems_unique_of_two_that_tell_the_same_may_be_at_either_end():
    value = np.zeros(8)
    value[1] = 0.1
    moved = np.zeros((8, 39))
    moved[1] = np.linspace(-0.101, 0.3, 39)
    assert _tail(value, moved, "unique_1", 0.0) == 2 / 40
    assert _tail(value, moved, "determined", 0.0) == 4 / 40


@pytest.mark.parametrize("gate", ["and", "xor"])
def test_synergy_is_found_with_products_and_without(written, gate):
    """AND is additive in log-odds: no product adds to what both sources' weighed scores say."""
    embeddings, y = written(gate, 500)
    a = mp.analyze(embeddings, y, replicates=200, permutations=99)
    assert a.synergy.p_value <= 0.05
    assert all(unique.p_value > 0.01 for unique in a.unique)  # a true null, and two of them


@pytest.mark.slow
def test_scores_of_noise_are_found_to_tell_something_seldom():
    rng = np.random.default_rng(0)
    n, draws, found = 120, 40, []
    exchange = Exchange(np.arange(n) % 5, tuple(np.arange(n)[:, None]))
    potential = np.log(np.full((n, 2), 0.5))
    for _ in range(draws):
        target = np.eye(2)[rng.permutation(n) % 2]
        logits = rng.normal(size=(n, 4, 2))
        found.append(
            p_values_of(
                logits,
                target,
                potential,
                0.0,
                np.zeros(8),
                np.zeros((8, 20)),
                exchange,
                permutations=39,
                seed=int(rng.integers(1 << 30)),
            )
        )
    for name in found[0]:
        # Of 40 draws 2 are expected; more than 7 would be seen once in 1,500 times.
        assert sum(p[name] <= 0.05 for p in found) <= 7, name
    assert min(p["information"] for p in found) < 0.2

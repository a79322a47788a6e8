"""What probes still have to learn: the curve is followed to its end, and no further."""

import numpy as np
import pytest

from modalprism.estimation.atoms import split_information
from modalprism.estimation.learning import Learning, learning_of, unread_information

FOLDS = 5
NOTHING_UNREAD = np.zeros(2)
FULL, FEWER = (FOLDS - 1) / FOLDS, (FOLDS - 2) / FOLDS


def atoms(one, other, both, union):
    return split_information(*(np.asarray(float(value)) for value in (one, other, both, union)))


def turns_of(values):
    """Stand-ins for scores: `learning_of` only hands them on."""
    return [(np.array([value]),) * 3 for value in values]


@pytest.mark.parametrize(("power", "within"), [(1.0, 1.0), (0.5, 1e-9)])
def test_the_growth_is_at_least_what_the_law_promises(power, within):
    """Of one source: .6 nats at the end of the curve, less .1 · rows^−power."""

    def learnt(rows):
        return 0.6 - 0.1 * rows**-power

    found = learning_of(
        atoms(learnt(FULL), 0, learnt(FULL), learnt(FULL)),
        turns_of([learnt(FEWER)] * (FOLDS - 1)),
        lambda scores: atoms(*[scores[0][0], 0, scores[0][0], scores[0][0]]),
        folds=FOLDS,
        ceiling=10.0,
        unread=NOTHING_UNREAD,
    )
    promised = dict(zip(("unique_1", "information"), found.growth[[1, 4]], strict=True))
    missing = 0.6 - learnt(FULL)
    assert promised["unique_1"] == pytest.approx(promised["information"])
    assert missing - 1e-9 <= promised["information"] <= missing * (1 + 1.2 * within)
    assert found.growth[[0, 2, 3]] == pytest.approx(0, abs=1e-12)


def test_probes_that_read_no_more_of_more_rows_promise_nothing():
    found = learning_of(
        atoms(0.2, 0.1, 0.3, 0.25),
        turns_of([0.31, 0.33, 0.3, 0.32]),
        lambda scores: atoms(0.2, 0.1, scores[0][0], 0.25),
        folds=FOLDS,
        ceiling=10.0,
        unread=NOTHING_UNREAD,
    )
    assert not found.growth.any()
    assert found.deviations[4] == pytest.approx([-0.005, 0.015, -0.015, 0.005])
    assert found.deviations[5] == pytest.approx(0, abs=1e-12)


def test_no_more_is_promised_than_there_is_to_know():
    found = learning_of(
        atoms(0.5, 0.2, 0.6, 0.55),
        turns_of([0.4] * (FOLDS - 1)),
        lambda scores: atoms(0.1, 0.2, scores[0][0], 0.55),
        folds=FOLDS,
        ceiling=0.69,
        unread=NOTHING_UNREAD,
    )
    assert found.growth[4] == pytest.approx(0.09)
    assert found.growth[5] == pytest.approx(0.19)


def test_replicates_keep_the_atoms_adding_up():
    rng = np.random.default_rng(0)
    parts = rng.normal(size=(4, FOLDS - 1)) / 100
    deviations = split_information(*(part - part.mean() for part in parts))
    drawn = Learning(
        deviations, atoms(0.1, 0.1, 0.2, 0.1), unread=np.array([0.05, 0.02]), synergy=0.03
    ).replicate(500, seed=1)
    np.testing.assert_allclose(drawn[:4].sum(0), drawn[4], atol=1e-12)
    assert drawn[4].mean() == pytest.approx(0.1 + 0.035 / 2, abs=0.02)


@pytest.mark.parametrize("there", [0.002, 0.01, 0.03])
def test_a_weak_signal_is_within_what_may_be_unread(there):
    """The reading of a linear probe of 20 weights on 800 rows, at its expectation."""
    noise = 20 / (2 * 800)
    read = there**2 / (there + noise)
    value = atoms(read, 0, read, read)
    unread = unread_information(
        value, np.zeros((8, 2)), (20 / 800, 0.0), n=1000, classes=2, ceiling=np.log(2)
    )
    assert 0.95 * (there - read) <= unread[0] <= 0.05
    assert unread[1] == pytest.approx(2 * 1.96**2 / 1000)


def test_nothing_is_unread_beyond_the_ceiling():
    value = atoms(0.6, 0.0, 0.6, 0.6)
    unread = unread_information(
        value, np.full((8, 2), 0.2), (1.0, 1.0), n=100, classes=2, ceiling=0.65
    )
    assert unread[0] == pytest.approx(0, abs=0.05)
    assert (unread >= 0).all()

"""Atoms of a sample: consistent with the engine, and moving as the sample does."""

import numpy as np
import pytest
from scipy.special import log_softmax

from modalprism.estimation.atoms import (
    ATOMS,
    RowTerms,
    couple,
    replicate_atoms,
    split_information,
)
from modalprism.estimation.states import States, merge_rows
from modalprism.pid import decompose_marginals


def sample_atoms(target, logs, coupling):
    terms = RowTerms.of(target, logs, coupling.potential(slice(None)), target.mean(0))
    return terms.atoms(coupling.information), terms


@pytest.fixture(scope="module")
def posteriors():
    """Posteriors of sixty states a source, the joint's being sharper, all with one p(y)."""
    rng = np.random.default_rng(0)
    n = 60
    first = np.exp(log_softmax(1.5 * rng.normal(size=(n, 3)), 1))
    second = np.exp(log_softmax(1.5 * rng.normal(size=(n, 3)), 1))
    for table in (first, second):
        for _ in range(300):
            table *= (1 / 3) / table.mean(0)
            table /= table.sum(1, keepdims=True)
    return first, second


def test_the_union_information_is_that_of_the_engine(posteriors):
    first, second = posteriors
    n = len(first)
    logs = (np.log(first), np.log(second), np.log(first))
    coupled = couple((merge_rows(first, most=60), merge_rows(second, most=60)), tol=1e-6)
    value, _ = sample_atoms(first, logs, coupled)
    d = decompose_marginals(first / n, second / n, base=np.e, tol=1e-6)
    assert value[ATOMS.index("union_information")] == pytest.approx(d.upper, abs=2e-6)
    assert coupled.gap <= 1e-6
    assert coupled.loss == 0
    found = dict(zip(ATOMS, value, strict=True))
    assert found["marginal_information_1"] == pytest.approx(d.marginal_information[0], abs=1e-9)


def test_equal_weights_move_nothing_and_atoms_of_a_replicate_add_up(posteriors):
    first, second = posteriors
    logs = (np.log(first), np.log(second), np.log(first))
    coupled = couple((merge_rows(first, most=60), merge_rows(second, most=60)), tol=1e-4)
    _, terms = sample_atoms(first, logs, coupled)
    assert replicate_atoms(terms, [np.full((1, 60), 7.0)]) == pytest.approx(0, abs=1e-12)
    weights = np.random.default_rng(0).poisson(1, size=(20, 60)) + 0.1
    moved = replicate_atoms(terms, [weights[:7], weights[7:]])
    at = dict(zip(ATOMS, moved, strict=True))
    total = at["redundancy"] + at["unique_1"] + at["unique_2"] + at["synergy"]
    assert total == pytest.approx(at["information"], abs=1e-12)


def test_replicates_follow_what_solving_again_finds():
    """Two symbols a source: the target stands for the posteriors, as calibration sees to."""
    rng = np.random.default_rng(0)
    n = 4000
    x = rng.integers(2, size=(n, 2))
    y = (x[:, 0] & x[:, 1]) ^ (rng.random(n) < 0.1)
    target = np.eye(2)[y.astype(int)]

    def solve(weight):
        share = weight / weight.sum()
        states, logs = [], []
        for code in (x[:, 0], x[:, 1], 2 * x[:, 0] + x[:, 1]):
            joint = np.zeros((code.max() + 1, 2))
            np.add.at(joint, code, target * share[:, None])
            states.append(States(joint, code, 0.0))
            logs.append(np.log(joint / joint.sum(1, keepdims=True))[code])
        return sample_atoms(target, tuple(logs), couple((states[0], states[1]), tol=1e-7))

    value, terms = solve(np.ones(n))
    weight = 1 + 0.02 * np.where(x[:, 0] == 1, 1.0, -1.0) * rng.random(n)
    moved = replicate_atoms(terms, [weight[None]])[:, 0]
    again = dict(zip(ATOMS, solve(weight)[0], strict=True))["union_information"]
    index = ATOMS.index("union_information")
    change = again - value[index]
    assert abs(change) > 1e-4
    assert moved[index] == pytest.approx(change, abs=0.1 * abs(change))


def test_splitting_sums_to_the_information():
    atoms = split_information(*(np.asarray(v) for v in (0.5, 0.4, 0.9, 0.6)))
    assert atoms[:4] == pytest.approx([0.3, 0.2, 0.1, 0.3])
    assert atoms[:4].sum() == pytest.approx(atoms[4])


def merged_and_whole(first, second, most):
    """Union information and loss with few states, and the union information of all rows."""
    few, all_rows = (
        couple((merge_rows(first, most=k), merge_rows(second, most=k)), tol=1e-3)
        for k in (most, len(first))
    )
    return few, few.information, all_rows.information


def seen_through_noise(rng, position, centres, noise, label):
    """Posteriors of a label seen through noise, scaled so that every class is equally likely."""
    seen = position[label] + noise * rng.normal(size=(len(label), centres))
    scores = -((seen[:, None] - position) ** 2).sum(-1) / (2 * noise**2)
    table = np.exp(scores - scores.max(1, keepdims=True)) + 1e-6
    for _ in range(500):
        table /= table.mean(0)
        table /= table.sum(1, keepdims=True)
    return table


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("relation", ["one is weak", "one contains the other", "equals"])
def test_what_merging_took_from_the_union_is_given_back(seed, relation):
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(5), 80)
    position = 2 * np.eye(5)
    first = seen_through_noise(rng, position, 5, 1.0, label)
    if relation == "one is weak":
        second = seen_through_noise(rng, position, 5, 12.0, label)
    elif relation == "equals":
        second = seen_through_noise(rng, position, 5, 1.0, label)
    else:
        second = 0.6 * first + 0.4 / 5
    few, found, whole = merged_and_whole(first, second, 40)
    assert few.loss > 0.02
    uncorrected = found - few.merge_correction
    assert uncorrected <= whole + 2e-3
    assert abs(found - whole) < 0.25 * few.loss
    assert abs(found - whole) < abs(uncorrected - whole) + 2e-3
    assert whole <= found + (few.loss - few.merge_correction) + 2e-3


def test_equal_rows_lose_nothing_and_get_nothing_back(posteriors):
    first, _ = posteriors
    coupled = couple((merge_rows(first, most=60), merge_rows(first, most=60)), tol=1e-4)
    assert (coupled.loss, coupled.merge_correction) == (0, 0)

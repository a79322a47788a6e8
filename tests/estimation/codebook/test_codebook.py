import dataclasses

import numpy as np
import pytest

from modalprism.estimation.codebook.codebook import CodebookEstimator, decompose_coded
from modalprism.estimation.codebook.tables import Coded
from modalprism.estimation.sample import check_sample
from modalprism.estimation.target import Target

BIT = np.log(2)
ASKED = {"replicates": 40, "permutations": 40, "seed": 0}


def analyze_codebook(sample):
    return CodebookEstimator(**ASKED).count(sample)[0]


NOT_ZERO = {
    "rdn": {"information", "redundancy"},
    "unq": {"information", "unique_1", "determined", "imbalance"},
    "xor": {"information", "synergy"},
}


@pytest.mark.parametrize(("name", "atom"), [("rdn", 0), ("unq", 1), ("xor", 3)])
def test_gates_in_embeddings_are_read(written, name, atom):
    sources, y = written(name, n=600)
    result = analyze_codebook(check_sample(sources, y, None, 3))
    expected = np.zeros(4)
    expected[atom] = 1
    assert np.allclose(result.value[:4] / BIT, expected, atol=0.06)
    significant = {key for key, p in result.p_values.items() if p < 0.05}
    assert significant >= NOT_ZERO[name]
    low, high = np.quantile(result.replicates, [0.025, 0.975], axis=1)
    assert (low <= result.value + 1e-9).all()
    assert (result.value <= high + 1e-9).all()


def test_atoms_sum_to_the_information(symbols):
    rng = np.random.default_rng(0)
    y, first, second = rng.integers(3, size=(3, 300))
    result = analyze_codebook(symbols((y + first // 2) % 3, second, y))
    assert np.isclose(result.value[:4].sum(), result.value[4])
    assert np.allclose(result.replicates[:4].sum(0), result.replicates[4])
    assert result.value.shape == (8,)
    assert result.replicates.shape == (8, 40)


def test_swapping_the_sources_swaps_their_names(symbols):
    rng = np.random.default_rng(0)
    y, other = rng.integers(3, size=(2, 600))
    seen = np.where(rng.random(600) < 0.5, y, other)
    one, two = (analyze_codebook(symbols(*pair, y)) for pair in ((seen, other), (other, seen)))
    swap = [0, 2, 1, 3, 4, 6, 5, 7]
    assert np.allclose(one.value, two.value[swap], atol=0.005)
    assert np.isclose(one.p_values["unique_1"], two.p_values["unique_2"], atol=0.05)


@pytest.mark.slow
def test_a_distribution_as_target_that_is_a_label_is_one(symbols):
    rng = np.random.default_rng(0)
    y, first, second = rng.integers(3, size=(3, 200))
    sample = symbols(first, second, y)
    soft = dataclasses.replace(sample, target=Target.of_rows(0.8 * sample.target.whole + 0.2 / 3))
    hard, blurred = (analyze_codebook(each) for each in (sample, soft))
    assert blurred.ceiling < hard.ceiling
    assert (np.abs(blurred.plug_in) <= np.abs(hard.plug_in) + 1e-3).all()


def test_repeated_rows_in_groups_are_no_more_significant(symbols):
    rng = np.random.default_rng(3)
    first, second, y = rng.integers(4, size=(3, 60))
    repeated = [np.repeat(column, 5) for column in (first, second, y)]
    groups = {"picture": np.repeat(np.arange(60), 5)}
    alone, tied = (analyze_codebook(symbols(*repeated, given)) for given in (None, groups))
    assert alone.p_values["information"] < 0.05 < tied.p_values["information"]
    assert tied.value[4] < alone.value[4]
    assert tied.blocks == 60


@pytest.mark.slow
def test_p_values_are_about_uniform_on_noise(noise):
    found = []
    for seed in range(6):
        coded = noise(seed, n=100, k=3, classes=2)
        weights = np.random.default_rng(seed).multinomial(100, np.full(100, 1 / 100), size=20)
        result = decompose_coded(coded, weights.astype(float), 20, seed)
        found.append([result.p_values[key] for key in ("information", "imbalance", "determined")])
    p = np.array(found)
    assert (p < 0.1).mean(0).max() <= 0.5  # 4 of 6 have a probability of about 0.001
    assert 0.2 < p[:, 0].mean() < 0.8


def test_the_same_seed_gives_the_same_result(symbols):
    rng = np.random.default_rng(0)
    sample = symbols(*rng.integers(3, size=(3, 100)))
    one, two = (analyze_codebook(sample) for _ in range(2))
    assert (one.value == two.value).all()
    assert (one.replicates == two.replicates).all()
    assert one.p_values == two.p_values


@pytest.mark.parametrize("seed", [34, 36])
def test_sources_that_tell_the_same_by_themselves_have_nothing_unique(seed):
    rng = np.random.default_rng(seed)
    one, other = rng.integers(2, size=(2, 200))
    coded = Coded.of((one, other), np.eye(2)[one & other], {})
    weights = rng.multinomial(200, np.full(200, 1 / 200), size=60).astype(float)
    assert decompose_coded(coded, weights, 39, seed).p_values["determined"] > 0.1

"""What an analysis rests on agrees with what it says."""

import numpy as np
import pytest

import modalprism as mp


@pytest.fixture(scope="module")
def analysis(written):
    embeddings, y = written("and", 300)
    return mp.analyze(embeddings, y, replicates=200, permutations=9)


def test_rows_average_to_the_informations(analysis):
    means = analysis.evidence.rows.mean(0)
    both = analysis.information.value
    expected = [*(part.value for part in analysis.marginal_information), both]
    np.testing.assert_allclose(means[:3], expected, atol=1e-5)
    assert means[3] == pytest.approx(analysis.union_information.value, abs=0.02)
    atoms = analysis.evidence.row_atoms
    np.testing.assert_allclose(atoms.sum(1), analysis.evidence.rows[:, 2], atol=1e-6)
    assert atoms[:, 0].mean() == pytest.approx(analysis.redundancy.value, abs=0.02)


def test_replicates_spread_as_the_interval_does(analysis):
    moved = analysis.evidence.resampled[2] + analysis.evidence.learnt[2]
    low, high = np.quantile(moved, [0.025, 0.975]) + analysis.information.value
    interval = analysis.information
    assert low == pytest.approx(min(low, interval.low), abs=1e-6)
    assert interval.low - 0.02 < low
    at_the_ceiling = interval.high == pytest.approx(interval.value, abs=1e-3)
    assert high < interval.high + 1e-6 or at_the_ceiling


def test_swapping_the_modalities_swaps_the_evidence(written):
    embeddings, y = written("unq", 120)
    one = mp.analyze(embeddings, y, replicates=20, permutations=1)
    other = mp.analyze(dict(reversed(embeddings.items())), y, replicates=20, permutations=1)
    order = [1, 0, 2, 3]
    np.testing.assert_array_equal(one.evidence.rows, other.evidence.rows[:, order])
    np.testing.assert_array_equal(one.evidence.resampled, other.evidence.resampled[order])
    np.testing.assert_array_equal(one.evidence.learnt, other.evidence.learnt[order])


def test_codes_tell_atoms_of_the_sample_alone(written):
    embeddings, y = written("unq", 120)
    coded = mp.analyze(embeddings, y, estimator="codebook", replicates=20, permutations=1)
    assert coded.evidence.resampled.shape == (4, 20)
    assert not coded.evidence.learnt.any()
    with pytest.raises(ValueError, match="atoms of the sample, not of its rows"):
        coded.evidence.row_atoms  # noqa: B018

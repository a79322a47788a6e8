"""Features of embeddings: components of raw and of standardised columns, and smooth functions."""

import numpy as np
import pytest
import torch

from modalprism.estimation.features import FeatureMap, principal_components


def features_of(embedding, blocks=1, seed=0):
    parts = torch.from_numpy(embedding).chunk(blocks)
    return FeatureMap.fitted(lambda: parts, seed)


def up_to_signs(one, other):
    return one * torch.sign((one * other).sum(0))


@pytest.mark.parametrize(("n", "d"), [(80, 5), (80, 150), (60, 1_100)])
def test_components_are_those_of_the_columns(n, d):
    rng = np.random.default_rng(0)
    embedding = rng.normal(size=(n, d)) * np.geomspace(5, 1, d)
    features = features_of(embedding)[1]
    centred = embedding - embedding.mean(0)
    left, deviation, _ = np.linalg.svd(centred, full_matrices=False)
    expected = torch.from_numpy(left[:, :4] * np.sqrt(n * deviation[:4] / deviation[0])).float()
    torch.testing.assert_close(
        up_to_signs(features.components[:, :4], expected), expected, atol=1e-4, rtol=1e-4
    )
    standard = torch.from_numpy(centred / embedding.std(0)).float()
    # A rotation of the standardised columns: all inner products are as they were.
    torch.testing.assert_close(
        features.standard @ features.standard.T, standard @ standard.T, atol=2e-2, rtol=1e-3
    )


def test_standardised_components_are_uncorrelated():
    rng = np.random.default_rng(0)
    embedding = rng.normal(size=(200, 6)) @ rng.normal(size=(6, 6)) * np.geomspace(1e-3, 1e3, 6)
    standard = features_of(embedding)[1].standard.double()
    gram = standard.T @ standard / 200
    torch.testing.assert_close(gram, torch.diag(gram.diag()), atol=1e-5, rtol=0)
    assert float(gram.trace()) == pytest.approx(6, abs=1e-4)


def test_units_of_columns_change_no_standardised_feature():
    rng = np.random.default_rng(0)
    embedding = rng.normal(size=(150, 5)) + rng.normal(size=(150, 1))
    one, other = (features_of(embedding * units)[1] for units in (1.0, np.geomspace(1e-4, 1e5, 5)))
    torch.testing.assert_close(
        up_to_signs(one.standard, other.standard), other.standard, atol=1e-4, rtol=1e-4
    )


def test_columns_that_do_not_vary_are_left_out():
    rng = np.random.default_rng(0)
    embedding = np.concatenate([rng.normal(size=(200, 3)), np.full((200, 2), 7.0)], 1)
    features = features_of(embedding)[1]
    assert features.components.shape == features.standard.shape == (200, 3)


def test_a_constant_embedding_has_one_component_of_zeros():
    features = features_of(np.full((50, 3), 2.5))[1]
    for each in (features.components, features.standard, features.smooth):
        assert each.shape == (50, 1)
        assert not each.any()


def test_the_scale_of_an_embedding_does_not_matter():
    x = np.random.default_rng(0).normal(size=(100, 4)) * [4, 3, 2, 1]
    small, large = (features_of(x * scale)[1].components for scale in (1e-8, 1e8))
    torch.testing.assert_close(small, large)


def test_many_rows_of_many_dimensions_are_solved_by_sampling():
    rng = np.random.default_rng(0)
    embedding = rng.normal(size=(1500, 6)) @ rng.normal(size=(6, 1200)) * 9
    embedding += rng.normal(size=embedding.shape)
    large = features_of(embedding)[1].components[:, :6]
    # The same rows, turned so that all but a few dimensions are empty.
    axes = np.linalg.svd(embedding - embedding.mean(0), full_matrices=False)[2][:40]
    small = features_of(embedding @ axes.T)[1].components[:, :6]
    torch.testing.assert_close(up_to_signs(large, small), small, atol=0.02, rtol=0.02)


def test_blocks_and_new_rows_have_the_same_features():
    embedding = np.random.default_rng(0).normal(size=(90, 7)) * np.geomspace(3, 1, 7)
    whole, features = features_of(embedding)
    _, of_blocks = features_of(embedding, blocks=4)
    again = whole(torch.from_numpy(embedding[:10]))
    for name in ("columns", "standard", "components", "smooth", "smooth_standard"):
        torch.testing.assert_close(
            getattr(of_blocks, name), getattr(features, name), atol=1e-4, rtol=1e-3
        )
        torch.testing.assert_close(
            getattr(again, name), getattr(features, name)[:10], atol=1e-4, rtol=1e-3
        )


def test_few_components_are_the_leading_ones():
    embedding = np.random.default_rng(0).normal(size=(90, 7)) * np.geomspace(3, 1, 7)
    rows = torch.from_numpy(embedding)
    found = principal_components(lambda: [rows], 2, 0)(rows)
    wide = torch.linalg.svd(rows - rows.mean(0), full_matrices=False)
    expected = (wide.U[:, :2] * wide.S[:2]).float() / float(rows.std(0, correction=0).max())
    torch.testing.assert_close(up_to_signs(found, expected), expected, atol=1e-4, rtol=1e-4)

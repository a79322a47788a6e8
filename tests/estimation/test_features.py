"""Features are those of the rows that a fit sees, and of no other."""

import numpy as np
import pytest
import torch

from modalprism.estimation.crossfit import CrossFit
from modalprism.estimation.nested import nested_features


def principal_components(embedding, plan, count, seed):
    return nested_features(embedding, plan, seed, count).components


def plan_of(n, folds=4):
    return CrossFit.of(np.arange(n) % folds)


@pytest.mark.parametrize("dimensions", [5, 150])
def test_components_are_those_of_the_rows_that_are_seen(dimensions):
    rng = np.random.default_rng(0)
    embedding = rng.normal(size=(80, dimensions)) * np.geomspace(5, 1, dimensions)
    plan = plan_of(80)
    components = principal_components(embedding, plan, 4, 0)
    for fit, mask in enumerate(plan.masks.numpy() > 0):
        seen = embedding[mask]
        _, deviation, axes = np.linalg.svd(seen - seen.mean(0), full_matrices=False)
        expected = (embedding - seen.mean(0)) @ axes[:4].T / np.sqrt(deviation[:4] * deviation[0])
        expected *= np.sqrt(len(seen))
        signs = np.sign((expected * components[fit].numpy()).sum(0))
        np.testing.assert_allclose(components[fit], expected * signs, atol=1e-5)


def test_constant_directions_are_left_out():
    rng = np.random.default_rng(0)
    embedding = np.concatenate([rng.normal(size=(200, 3)), np.ones((200, 2))], 1)
    components = principal_components(embedding, plan_of(200), 48, 0)
    assert components.shape == (10, 200, 5)
    assert components[..., :3].any(1).all()
    assert not components[..., 3:].any()


def test_scale_of_an_embedding_does_not_matter():
    x = np.random.default_rng(0).normal(size=(100, 4)) * [4, 3, 2, 1]
    small, large = (principal_components(x * scale, plan_of(100), 48, 0) for scale in (1e-8, 1e8))
    torch.testing.assert_close(small, large)


def test_many_rows_of_many_dimensions_are_solved_by_sampling():
    rng = np.random.default_rng(0)
    embedding = rng.normal(size=(1500, 6)) @ rng.normal(size=(6, 1200)) * 9
    embedding += rng.normal(size=embedding.shape)
    plan = plan_of(1500)
    large = principal_components(embedding, plan, 6, 0)
    # The same rows, turned so that all but a few dimensions are empty.
    axes = np.linalg.svd(embedding - embedding.mean(0), full_matrices=False)[2][:40]
    small = principal_components(embedding @ axes.T, plan, 6, 0)
    for one, other in zip(large, small, strict=True):
        signs = torch.sign((one * other).sum(0))
        torch.testing.assert_close(one * signs, other, atol=0.02, rtol=0.02)


def test_a_constant_embedding_has_nothing_to_read():
    components = principal_components(np.full((50, 3), 2.5), plan_of(50), 48, 0)
    assert components.shape == (10, 50, 3)
    assert not components.any()


def test_rows_that_are_not_seen_change_no_feature_of_those_that_are():
    rng = np.random.default_rng(0)
    embedding = rng.normal(size=(120, 6))
    plan = plan_of(120)
    changed = embedding.copy()
    changed[plan.which == 1] *= -0.3
    fit, rows = plan.index(1, 2), plan.which != 1
    found = []
    for one in (embedding, changed):
        features = nested_features(one, plan, 0, 4)
        found.append(torch.cat([features.components, features.smooth], -1)[fit, rows])
    # The sign of a direction is free.
    signs = torch.sign((found[0] * found[1]).sum(0))
    torch.testing.assert_close(found[0] * signs, found[1], atol=1e-4, rtol=1e-4)

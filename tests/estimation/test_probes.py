"""Probes: what a held-out row's answer is, no probe that reads it has seen."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from modalprism.estimation.logistic import fit_logistic
from modalprism.estimation.probes import joint_logits, principal_components, unimodal_logits

FOLD = np.arange(120) % 4


@pytest.fixture(scope="module")
def blocks():
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=120)
    embeddings = [np.eye(3)[y] @ rng.normal(size=(3, 5)) + rng.normal(size=(120, 5)) for _ in "ab"]
    return embeddings, torch.eye(3)[y]


def held_out(embeddings, target):
    (first, a), (second, b) = (unimodal_logits(x, target, FOLD, 0) for x in embeddings)
    joint, families = joint_logits((first, second), (a, b), target, FOLD)
    assert len(first.family) == len(families) == 4
    return first, second, joint


@pytest.mark.parametrize("left_out", range(4))
def test_answers_of_a_fold_do_not_change_what_is_read_of_it(blocks, left_out):
    embeddings, target = blocks
    rows = torch.from_numpy(left_out == FOLD)
    changed = target.clone()
    changed[rows] = changed[rows].roll(1, 1)
    for before, after in zip(
        held_out(embeddings, target), held_out(embeddings, changed), strict=True
    ):
        if isinstance(before, torch.Tensor):
            assert torch.equal(before[rows], after[rows])
            assert not torch.equal(before[~rows], after[~rows])
        else:
            assert torch.equal(before.held_out[rows], after.held_out[rows])
            assert torch.equal(before.nested[left_out], after.nested[left_out])
            assert not torch.equal(before.held_out[~rows], after.held_out[~rows])


def test_components_are_ordered_and_constant_directions_left_out():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(200, 3)) * [9, 3, 1]
    embedding = np.concatenate(
        [scores @ np.linalg.qr(rng.normal(size=(3, 3)))[0], np.ones((200, 2))], 1
    )
    components = principal_components(embedding, 48, 0)
    assert components.shape == (200, 3)
    spread = components.std(0)
    assert (spread[:-1] > spread[1:]).all()
    assert components.mean(0).numpy() == pytest.approx(0, abs=1e-6)


def test_scale_of_an_embedding_does_not_matter():
    x = np.random.default_rng(0).normal(size=(100, 4)) * [4, 3, 2, 1]
    small, large = (principal_components(x * scale, 48, 0) for scale in (1e-8, 1e8))
    torch.testing.assert_close(small, large)


# scikit-learn's PCA divides by the total variance, which is zero here.
def test_a_constant_embedding_has_nothing_to_read():
    components = principal_components(np.full((50, 3), 2.5), 48, 0)
    assert components.shape == (50, 1)
    assert not components.any()


@pytest.mark.parametrize("rows", [slice(None), slice(0, 80)])
def test_regressions_agree_with_scikit_learn(blocks, rows):
    (x, _), target = blocks
    features = torch.from_numpy(x).float()
    mask = torch.zeros(1, 120)
    mask[0, rows] = 1
    n, ridges = int(mask.sum()), torch.tensor([0.01, 0.1])
    fits = fit_logistic(features, target, mask, ridges, iterations=2000)
    for index, ridge in enumerate(ridges.tolist()):
        reference = LogisticRegression(C=1 / (ridge * n), tol=1e-8, max_iter=2000)
        reference.fit(x[rows], target.argmax(1)[rows])
        expected = torch.from_numpy(reference.predict_log_proba(x)).float()
        found = torch.log_softmax(fits.logits(features)[0, :, index], -1)
        torch.testing.assert_close(found, expected, atol=2e-3, rtol=0)

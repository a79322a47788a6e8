"""Copies of an embedding are recognised, and what is no copy is not."""

import numpy as np
import pytest
import torch

from modalprism.estimation.copies import copied_modality

NAMES = ("image", "text")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 12)) + RNG.normal(size=(200, 1))
COPIES = {
    "itself": X,
    "scaled": -3 * X + 1,
    "column by column": X[:, ::-1] * RNG.normal(size=12) + RNG.normal(size=12),
    "tiny": X * 1e-200,
    "float16": X.astype(np.float16),
    "bfloat16": torch.from_numpy(X).bfloat16().float().numpy(),
    "beside others": np.c_[RNG.normal(size=(200, 5)), X],
    "beside a constant": np.c_[np.zeros(200), X],
}
OTHERS = {
    "noise": RNG.normal(size=X.shape),
    "other rows": X[::-1],
    "all but one column": np.c_[X[:, :-1], RNG.normal(size=200)],
    "rotated": X @ RNG.normal(size=(12, 12)),
    "with noise": X + 0.1 * RNG.normal(size=X.shape),
    "constant": np.ones((200, 3)),
}


@pytest.mark.parametrize("case", list(COPIES))
def test_copies_are_found(case):
    assert copied_modality(NAMES, (X, COPIES[case])) == "image"
    assert copied_modality(NAMES, (COPIES[case], X[:, ::-1])) is not None


@pytest.mark.parametrize("case", list(OTHERS))
def test_what_is_no_copy_is_not_found(case):
    assert copied_modality(NAMES, (X, OTHERS[case])) is None


def test_a_part_of_the_other_is_named():
    assert copied_modality(NAMES, (X, X[:, 3:5])) == "text"

"""No row reads a fit that saw it, nor one that saw the fold in whose turn it is read."""

import numpy as np
import pytest
import torch

from modalprism.estimation.crossfit import CrossFit


@pytest.mark.parametrize("folds", [3, 5])
def test_a_row_reads_a_fit_that_saw_neither_its_fold_nor_the_one_in_turn(folds):
    fold = np.random.default_rng(0).permutation(np.arange(40) % folds)
    plan = CrossFit.of(fold)
    assert len(plan.masks) == folds * (folds + 1) // 2
    for f in range(folds):
        seen = plan.masks[plan.reading(f)]  # (n, n): what the fit that row i reads has seen
        assert not seen[plan.rows, plan.rows].any()
        assert not seen[:, plan.which == f].any()
        left = 40 - (fold == f).sum() - np.where(fold == f, 0, np.bincount(fold)[fold])
        np.testing.assert_array_equal(seen.sum(1), left)


def test_held_out_takes_every_row_from_its_own_turn():
    plan = CrossFit.of(np.array([0, 1, 2, 1]))
    nested = torch.arange(3.0)[:, None, None].expand(3, 4, 2)
    assert plan.held_out(nested)[:, 0].tolist() == [0, 1, 2, 1]

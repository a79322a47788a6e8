"""Bounds and eigenvectors of matrices on which eigenvalue solvers may fail."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import modalprism as mp
from modalprism.estimation.spectrum import largest_eigenvalue_bound, symmetric_eigen


@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.sampled_from([1e-18, 1e-3, 1.0, 1e3, 1e18]),
    st.integers(0, 1000),
)
def test_the_bound_is_above_the_largest_eigenvalue_and_close_to_it(d, rank, scale, seed):
    rows = np.random.default_rng(seed).normal(size=(rank, d))
    gram = rows.T @ rows * scale
    bound = float(largest_eigenvalue_bound(torch.from_numpy(gram).float()[None]))
    largest = float(np.linalg.eigvalsh(gram)[-1])
    assert largest * (1 - 1e-4) <= bound <= largest * (d ** (1 / 128) + 1e-4)


@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30, 1e37])
def test_equal_columns_have_a_bound(size):
    assert largest_eigenvalue_bound(torch.full((1, 50, 50), size / 50)) == pytest.approx(
        size, rel=1e-3
    )


def test_a_zero_matrix_has_the_bound_zero():
    assert largest_eigenvalue_bound(torch.zeros(2, 3, 3)).tolist() == [0.0, 0.0]


@pytest.fixture
def no_convergence(monkeypatch):
    def fail(*_args, **_options):
        raise torch.linalg.LinAlgError("the algorithm failed to converge")

    for solver in ("eigh", "eigvalsh"):
        monkeypatch.setattr(torch.linalg, solver, fail)


@pytest.mark.usefixtures("no_convergence")
def test_eigenvectors_exist_where_divide_and_conquer_fails():
    matrix = torch.diag(torch.tensor([3.0, 1.0, 2.0]))
    values, vectors = symmetric_eigen(matrix)
    assert values.tolist() == pytest.approx([1, 2, 3])
    assert vectors.dtype == matrix.dtype
    torch.testing.assert_close(matrix @ vectors, vectors * values)


@pytest.mark.usefixtures("no_convergence")
def test_an_analysis_does_not_depend_on_a_solver_that_may_fail(written):
    embeddings, y = written("and", 150)
    found = mp.analyze(embeddings, y, replicates=9, permutations=9)
    assert found.information.value > 0.6

"""Solvers keep to one thread, and give back what they took."""

import numpy as np
import pytest
import torch

from modalprism.pid import newton_system, solve_union_information
from modalprism.pid.threads import all_threads, one_thread


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_large_products_get_the_threads_that_were_taken():
    with one_thread():
        assert torch.get_num_threads() == 1
        with all_threads():
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


def test_outside_there_is_nothing_to_give_back():
    with all_threads():
        assert torch.get_num_threads() == 2


def test_a_limit_of_the_caller_holds():
    torch.set_num_threads(1)
    with one_thread(), all_threads():
        assert torch.get_num_threads() == 1


def test_an_error_gives_them_back():
    with pytest.raises(ZeroDivisionError), one_thread():
        raise ZeroDivisionError
    assert torch.get_num_threads() == 2


def test_a_solver_gives_them_back(random_joint):
    joint = random_joint(0, (5, 5, 3))
    for solver in ("newton", "ipfp"):
        solve_union_information(joint.sum(1), joint.sum(0), solver=solver, tol=1e-6, max_iter=500)
        assert torch.get_num_threads() == 2


def test_large_and_small_matrices_are_factorised_alike(monkeypatch):
    matrix = np.random.default_rng(0).normal(size=(60, 40))
    gram = newton_system._gram(matrix) + np.eye(40)
    factor = newton_system._cholesky(gram)
    monkeypatch.setattr(newton_system, "_SHARED", 0)
    np.testing.assert_allclose(newton_system._gram(matrix) + np.eye(40), gram, atol=1e-12)
    shared = newton_system._cholesky(gram)
    np.testing.assert_allclose(shared, factor, atol=1e-12)
    assert shared.flags.c_contiguous
    with pytest.raises(np.linalg.LinAlgError):
        newton_system._cholesky(-gram)

"""What does not fit is refused before it is allocated; auto takes what does."""

import numpy as np
import pytest
import torch

from modalprism.errors import InputError
from modalprism.pid import decompose, decompose_batch, memory

GIB = 2**30


@pytest.fixture
def free(monkeypatch):
    """Pretend that so many GiB are free, and that it is always worth asking."""
    monkeypatch.setattr(memory, "_SMALL", 0)
    return lambda gib: monkeypatch.setattr(memory, "available_bytes", lambda _: int(gib * GIB))


def test_newton_needs_more_and_says_what_to_do(free, random_joint):
    free(0.04)
    joint = random_joint(0, (80, 80, 10))
    with pytest.raises(InputError, match=r"80 × 80 states takes 0\.\d GiB .*solver=\"ipfp\""):
        decompose(joint, solver="newton")
    d = decompose(joint, tol=1e-4)
    assert d.solver == "ipfp"
    assert d.converged


def test_a_batch_that_is_too_large_is_refused(free):
    free(0.05)
    joints = np.ones((3000, 20, 20, 2))
    with pytest.raises(InputError, match=r"3,000 problems of 20 × 20 .*fewer of them at a time"):
        decompose_batch(joints, solver="ipfp")


def test_where_the_system_does_not_say_nothing_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda _: None)
    assert memory.fits("ipfp", (10**7, 10**7, 2), 1, torch.device("cpu"))
    memory.check_fits("ipfp", (10**7, 10**7, 2), 1, torch.device("cpu"))


def test_memory_grows_with_every_size():
    least = memory.needed_bytes("newton", 50, 40, 5)
    for larger in ((60, 40, 5), (50, 50, 5), (50, 40, 6)):
        assert memory.needed_bytes("newton", *larger) > least
    assert memory.needed_bytes("ipfp", 50, 40, 5) < least
    assert memory.needed_bytes("ipfp", 50, 40, 5, batch=10) > memory.needed_bytes("ipfp", 50, 40, 5)

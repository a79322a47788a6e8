"""Limit the threads of torch and BLAS: one for small matrices, all for large ones.

A solver computes many small products. Two threads that wait for each other after each product take
longer than one, and a hundred times as long if another program occupies one of two cores.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

import torch
from threadpoolctl import ThreadpoolController

_available: ContextVar[int | None] = ContextVar("available", default=None)


@cache
def _controller() -> ThreadpoolController:
    """Find the libraries of NumPy and SciPy once: it takes milliseconds."""
    return ThreadpoolController()


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute in one thread inside the block; torch, NumPy and SciPy.

    Examples
    --------
    >>> with one_thread():
    ...     torch.get_num_threads()
    1
    """
    before = torch.get_num_threads()
    token = _available.set(before)
    with _controller().limit(limits=1, user_api="blas"):
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)
            _available.reset(token)


def available_threads() -> int:
    """Return how many threads torch has, or had before `one_thread`."""
    return _available.get() or torch.get_num_threads()


@contextmanager
def all_threads() -> Iterator[None]:
    """Give torch back, for one large product, the threads that `one_thread` took from it."""
    before = torch.get_num_threads()
    torch.set_num_threads(available_threads())
    try:
        yield
    finally:
        torch.set_num_threads(before)

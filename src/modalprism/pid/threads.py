"""Limit the threads of torch and BLAS: one for small matrices, all for large ones.

A solver computes many small products. Two threads that wait for each other after each product are
slower than one, and a hundred times as slow if another program occupies one of two cores.
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
    """Find the libraries of NumPy and SciPy once, because the search takes milliseconds."""
    return ThreadpoolController()


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit torch, NumPy and SciPy to one thread inside the block.

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
    """Return the number of torch's threads, or their number before `one_thread`."""
    return _available.get() or torch.get_num_threads()


@contextmanager
def all_threads() -> Iterator[None]:
    """Restore torch's threads inside `one_thread`, for one large product."""
    before = torch.get_num_threads()
    torch.set_num_threads(available_threads())
    try:
        yield
    finally:
        torch.set_num_threads(before)

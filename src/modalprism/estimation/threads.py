"""Limit an analysis to one thread.

The matrices of an analysis are too small for several threads: on a busy machine two threads that
wait for each other take many times as long as one. The rounding of sums also depends on their
split, so the last bits would depend on the number of cores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch
from threadpoolctl import threadpool_limits

T = TypeVar("T")
S = TypeVar("S")


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute in one thread inside the block.

    Examples
    --------
    >>> with one_thread():
    ...     torch.get_num_threads()
    1
    """
    before = torch.get_num_threads()
    with threadpool_limits(1):
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def one_by_one(work: Callable[[S], T], items: Sequence[S]) -> list[T]:
    """Apply a function to a few items one after another, with the interface of `side_by_side`."""
    return [work(item) for item in items]


def side_by_side(work: Callable[[S], T], items: Sequence[S]) -> list[T]:
    """Apply a function to a few items in parallel, each in one thread.

    Use it for large independent work, such as the probes of two sources. The results do not depend
    on the parallel execution.

    Examples
    --------
    >>> side_by_side(lambda number: 2 * number, [1, 2])
    [2, 4]
    """

    def alone(item: S) -> T:
        torch.set_num_threads(1)  # the setting belongs to a thread and is not inherited
        return work(item)

    with ThreadPoolExecutor(len(items)) as pool:
        return list(pool.map(alone, items))

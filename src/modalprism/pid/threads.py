"""One thread for matrices that are too small to share.

Two threads that wait for each other in every product take longer than one, on a busy machine many
times as long; and sums that are split otherwise round otherwise.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache

from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    """Find the linear-algebra libraries that are loaded, once: it takes milliseconds."""
    return ThreadpoolController()


def one_blas_thread() -> AbstractContextManager[object]:
    """Let NumPy and SciPy multiply and factorise in one thread inside the block."""
    context: AbstractContextManager[object] = _controller().limit(limits=1, user_api="blas")
    return context

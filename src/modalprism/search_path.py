"""Keep the working folder out of the search path for modules.

A file ``joblib.py`` beside a study that somebody else wrote would run in worker processes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

SAFE_PATH: Final = ("PYTHONSAFEPATH", "1")


@contextmanager
def variable(name: str, value: str) -> Iterator[None]:
    """Set a variable of the environment, unless it is set, and take it away again.

    Examples
    --------
    >>> with variable("MODALPRISM_EXAMPLE", "1"):
    ...     os.environ["MODALPRISM_EXAMPLE"]
    '1'
    >>> "MODALPRISM_EXAMPLE" in os.environ
    False
    """
    if name in os.environ:
        yield
        return
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name, None)


def leave_out_working_folder() -> None:
    """Drop the working folder that ``python -m modalprism`` has put first.

    A folder that the user has put there, by ``PYTHONPATH``, stays; so does what a program of the
    user's own has.
    """
    spec: Any = getattr(sys.modules["__main__"], "__spec__", None)
    started_here = spec is not None and spec.name.partition(".")[0] == "modalprism"
    if started_here and not sys.flags.safe_path and sys.path[0] in {"", os.getcwd()}:
        del sys.path[0]

"""Programs that read a foreign file in a process of their own.

Libraries in C can crash on a damaged file, or loop for ever. A module that calls one runs as a
child, which calls `limit_memory` and `alive`, and ends itself when a step exceeds `PATIENCE`.
"""

from __future__ import annotations

import faulthandler
import importlib
import os
import subprocess
import sys
from contextlib import suppress
from typing import Any, Final

from modalprism.memory import free_memory

PATIENCE: float = 30
"""Seconds that one step may take, such as reading a block of 16 MB."""
_LIBRARIES: Final = 2**32  # bytes of address space for the interpreter and its libraries


def start(module: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Run a module in a child process, with pipes to and from it.

    `PATIENCE` is added to its arguments as the last one.
    """
    # The child finds packages where this process does.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-P", "-W", "ignore", "-m", module, *arguments, str(PATIENCE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )


def alive() -> None:
    """In a child: end this process unless the next call, or `resting`, comes in time."""
    faulthandler.dump_traceback_later(float(sys.argv[-1]), exit=True)


def resting() -> None:
    """In a child: wait for the next request as long as it takes."""
    faulthandler.cancel_dump_traceback_later()


def limit_memory() -> None:
    """In a child: let a length that lies end this process alone, where the system allows that."""
    if free := free_memory():
        with suppress(ImportError, ValueError, OSError):
            resource: Any = importlib.import_module("resource")
            hard = resource.getrlimit(resource.RLIMIT_AS)[1]
            resource.setrlimit(resource.RLIMIT_AS, (free + _LIBRARIES, hard))

"""The three engines, each on two workers; jobs that travel whole."""

import os
import signal
from pathlib import Path

import pytest

from modalprism.engines import Job, LocalEngine, RayEngine, SerialEngine


@pytest.fixture(scope="session", params=["serial", "local", "ray"])
def engine(request):
    if request.param == "ray":
        request.getfixturevalue("cluster")
        return RayEngine(workers=2)
    return SerialEngine() if request.param == "serial" else LocalEngine(workers=2)


@pytest.fixture
def jobs_that_die(tmp_path):
    """Make five jobs, of which one kills its own process; `once`, or whenever it is run.

    The function is made here, so that it travels whole: a worker cannot import a test's module.
    """

    def make(*, once):
        mark = tmp_path / "died"

        def square(number):
            if number == 2 and not (once and Path(mark).exists()):
                Path(mark).write_text("once")
                os.kill(os.getpid(), signal.SIGKILL)
            return number**2

        return [Job(f"square of {number}", square, (number,)) for number in range(5)]

    return make

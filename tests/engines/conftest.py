"""The engines, each on two workers, and one from outside; jobs that travel whole."""

import os
import signal
from pathlib import Path

import pytest

from modalprism.engines import Job, LocalEngine, RayEngine, SerialEngine, engine_for


class Backwards(SerialEngine):
    """An engine as another package may bring it: results come in no order."""

    def run(self, jobs, **options):
        return super().run(jobs[::-1], **options)


@pytest.fixture(scope="session", params=["serial", "local", "ray", "outside"])
def engine(request):
    if request.param == "outside":
        return engine_for(Backwards())
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

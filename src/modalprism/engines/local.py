"""Jobs on this machine: in this process, or in processes of one thread each."""

from __future__ import annotations

import logging
import os
import threading
import time
import warnings
from collections.abc import Generator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from typing import Final, TypeVar

from modalprism.engines.interface import ONE_CPU, TRIES, Job, Needs
from modalprism.errors import InputError, WorkerError
from modalprism.progress import Track
from modalprism.search_path import SAFE_PATH, variable

T = TypeVar("T")
_LOG: Final = logging.getLogger("modalprism.engines")
POLL_SECONDS: Final = 0.5


@dataclass(frozen=True)
class SerialEngine:
    """Runs jobs in this process; a debugger sees them, and nothing is pickled.

    Examples
    --------
    >>> from modalprism.progress import silent
    >>> jobs = [Job("a", pow, (2, 3)), Job("b", pow, (3, 2))]
    >>> dict(SerialEngine().run(jobs, track=silent, description="raising"))
    {'a': 8, 'b': 9}
    """

    def ready(self) -> None:
        """Do nothing: this process is always there."""

    def run(
        self, jobs: Sequence[Job[T]], *, track: Track, description: str, needs: Needs = ONE_CPU
    ) -> Generator[tuple[str, T], None, None]:
        """Run jobs in their order; see `Engine.run`."""
        _check_gpus(needs)
        results = ((job.key, job.function(*job.arguments)) for job in jobs)
        yield from track(results, total=len(jobs), description=description)


@dataclass(frozen=True)
class LocalEngine:
    """Runs jobs in local processes; one job, or the jobs of one worker, in this process.

    Attributes
    ----------
    workers : int
        Processes; 0 means one a core that this process may use.
    """

    workers: int = 0

    def ready(self) -> None:
        """Do nothing: this machine is always there."""

    def run(
        self, jobs: Sequence[Job[T]], *, track: Track, description: str, needs: Needs = ONE_CPU
    ) -> Generator[tuple[str, T], None, None]:
        """Run jobs in processes; where one dies, run what is unfinished again. See `Engine.run`."""
        import joblib  # here: a command line that runs no job starts without it

        # By default the cores that this process may use, which a container may limit.
        workers = min(self.workers or joblib.cpu_count(), len(jobs))
        if workers < 2:
            serial = SerialEngine()
            yield from serial.run(jobs, track=track, description=description, needs=needs)
            return
        _check_gpus(needs)
        with closing(_results(jobs, workers)) as results:
            yield from track(results, total=len(jobs), description=description)


def _check_gpus(needs: Needs) -> None:
    """Refuse jobs that need more GPUs than this machine has."""
    if needs.gpus == 0:
        return
    import torch

    found = torch.cuda.device_count()
    if needs.gpus > found:
        raise InputError(
            f"a job needs {needs.gpus} GPUs, and this machine has {found}; run it where there are "
            "as many, or ask for none"
        )


def _results(jobs: Sequence[Job[T]], workers: int) -> Generator[tuple[str, T], None, None]:
    """Yield results; when a process dies, run unfinished jobs again.

    The pool does not report whose process died, and all its processes end. After several deaths in
    a row with nothing finished between, jobs run one by one, until the one that dies is known.
    """
    left = dict(enumerate(jobs))
    deaths = 0
    while left:
        alone = deaths >= TRIES - 1
        tried = dict([next(iter(left.items()))]) if alone else dict(left)
        try:
            # All the while: a worker may be started anew at any time.
            with variable(*SAFE_PATH), closing(_round(tried, workers)) as finished:
                for number, result in finished:
                    del left[number]
                    deaths = 0
                    yield jobs[number].key, result
        except BrokenProcessPool as error:
            if alone:
                (job,) = tried.values()
                raise WorkerError(
                    f"the process that ran {job.key} died {TRIES} times, the last time with "
                    "nothing beside it: memory may have run out, or something kills it"
                ) from error
            deaths += 1
            _LOG.warning(
                "a worker process died: memory may have run out; %d of %d jobs are done, and the "
                "rest is tried again",
                len(jobs) - len(left),
                len(jobs),
            )


def _round(tried: dict[int, Job[T]], workers: int) -> Generator[tuple[int, T], None, None]:
    import joblib

    # One thread a process: jobs are small, and the same bits come out whatever the number of cores.
    # Workers watch this process: killed, it could not stop them, and each holds half a gigabyte.
    watched = {"initializer": end_with, "initargs": (os.getpid(),)}
    with joblib.parallel_config("loky", inner_max_num_threads=1, **watched):
        # At least two, or joblib would run the job in this process, which must not die with it.
        # One job a batch: what is done beside a death is not lost with it.
        parallel = joblib.Parallel(workers, return_as="generator_unordered", batch_size=1)
        results = parallel(joblib.delayed(_numbered)(*item) for item in tried.items())
    try:
        # Not yield from, which would close it outside of what follows.
        for result in results:  # noqa: UP028
            yield result
    finally:
        with warnings.catch_warnings():
            # Who ends early means to: that jobs are cancelled is no news.
            warnings.filterwarnings("ignore", r".*could benefit from adjusting", UserWarning)
            results.close()


def _numbered(number: int, job: Job[T]) -> tuple[int, T]:
    return number, job.function(*job.arguments)


def end_with(parent: int) -> None:
    """Exit as soon as the parent of this process has ended.

    `parent` is the id from the parent itself: it may have ended before this call. A killed parent
    cannot tell an idle worker to stop. The system hands the children of a dead process to another
    one, so the parent's id changes. Windows does not; idle workers end after five minutes there.
    Linux's ``PR_SET_PDEATHSIG`` is no alternative: it signals when the *thread* that started the
    worker ends, which is not the end of the process in a notebook or a server.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(POLL_SECONDS)
        os._exit(1)  # at once: no process waits for the result of the job

    threading.Thread(target=watch, name="modalprism-parent-watch", daemon=True).start()

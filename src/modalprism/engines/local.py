"""Jobs in processes of this machine, of one thread each."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Generator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from typing import Final, TypeVar

from modalprism.engines.here import check_here
from modalprism.engines.interface import ONE_CPU, TRIES, Job, Needs
from modalprism.engines.orphans import end_with
from modalprism.engines.serial import SerialEngine
from modalprism.errors import WorkerError
from modalprism.progress import Track
from modalprism.search_path import SAFE_PATH, variable

T = TypeVar("T")
_LOG: Final = logging.getLogger("modalprism.engines")


@dataclass(frozen=True)
class LocalEngine:
    """Runs jobs in local processes; where there is one job or one worker, in this process.

    Attributes
    ----------
    workers : int
        Processes; 0 means one a core that this process may use.
    """

    workers: int = 0

    def ready(self) -> None:
        """Find nothing missing: this machine is here."""

    def run(
        self, jobs: Sequence[Job[T]], *, track: Track, description: str, needs: Needs = ONE_CPU
    ) -> Generator[tuple[str, T], None, None]:
        """Run jobs in processes, and what is left once more where a process dies.

        Raises
        ------
        InputError
            If this machine has not what is needed. What a job itself raises comes as it is.
        WorkerError
            If the process of a job dies every time.
        """
        workers = min(self.workers or _cores(), len(jobs))
        if workers < 2:
            serial = SerialEngine()
            yield from serial.run(jobs, track=track, description=description, needs=needs)
            return
        check_here(needs)
        with closing(_results(jobs, workers)) as results:
            yield from track(results, total=len(jobs), description=description)


def _cores() -> int:
    """Count the cores that this process may use, which a container may limit."""
    import joblib  # here: a command line that runs no job starts without it

    cores: int = joblib.cpu_count()
    return cores


def _results(jobs: Sequence[Job[T]], workers: int) -> Generator[tuple[str, T], None, None]:
    """Yield results; when a process dies, run what is left again.

    Nobody says which job's process it was: all that ran end with it. So where deaths come in a row
    with nothing finished between, jobs are run one by one, until that one is known.
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

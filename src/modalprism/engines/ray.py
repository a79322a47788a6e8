"""Jobs on a Ray cluster."""

from __future__ import annotations

import logging
import os
from collections import Counter, deque
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from modalprism.engines.interface import ONE_CPU, TRIES, Job, Needs
from modalprism.engines.ray_cluster import check_address, connected, imported_ray
from modalprism.engines.ray_nodes import check_needs, check_versions
from modalprism.errors import WorkerError
from modalprism.progress import Track

T = TypeVar("T")
_LOG: Final = logging.getLogger("modalprism.engines")
# Libraries of linear algebra read these when they are loaded: sums that are split otherwise round
# otherwise.
_ONE_THREAD: Final = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"
)
_AHEAD: Final = 2
"""Jobs that are handed to the cluster for every CPU, so that none waits for this process."""


@dataclass(frozen=True)
class RayEngine:
    """Runs jobs on a Ray cluster, each in one thread of its own worker.

    A process that is part of a cluster, by its own ``ray.init``, uses that one.

    Attributes
    ----------
    address : str, optional
        ``auto`` for the cluster that runs on this machine, or ``host:port``. Without an address, a
        cluster of this machine is started, and ended afterwards.
    workers : int
        Jobs that run at once; 0 means as many as the cluster, or this machine, has CPUs for.
    """

    address: str | None = None
    workers: int = 0

    def ready(self) -> None:
        """Refuse an address at which no cluster can be joined, and a missing Ray."""
        imported_ray()
        if self.address is not None:
            check_address(self.address)

    def run(
        self, jobs: Sequence[Job[T]], *, track: Track, description: str, needs: Needs = ONE_CPU
    ) -> Generator[tuple[str, T], None, None]:
        """Run jobs on the cluster, and again a job whose worker died; see `Engine.run`.

        Raises
        ------
        InputError
            If no cluster can be joined, a node has other versions, or none has what is needed.
        WorkerError
            If the worker of a job dies every time, or the cluster fails.
        """
        if not jobs:
            yield from track((), total=0, description=description)
            return
        self.ready()
        with connected(self.address, self.workers or os.cpu_count() or 1) as ray:
            check_needs(ray, needs)
            check_versions(ray)

            def at_once() -> int:  # called before every job: nodes come and go
                cpus = int(ray.cluster_resources().get("CPU", 1))
                return self.workers or max(1, _AHEAD * cpus)

            with closing(_results(ray, jobs, needs, at_once)) as results:
                yield from track(results, total=len(jobs), description=description)


def _results(
    ray: Any, jobs: Sequence[Job[T]], needs: Needs, at_once: Callable[[], int]
) -> Generator[tuple[str, T], None, None]:
    """Submit jobs, a few ahead, and yield their results."""
    remote = ray.remote(_call).options(
        num_cpus=needs.cpus,
        num_gpus=needs.gpus,
        max_retries=0,  # tried again here, where it is counted and logged
        runtime_env={"env_vars": _ONE_THREAD},
    )
    waiting = deque(enumerate(jobs))
    running: dict[Any, int] = {}
    deaths: Counter[int] = Counter()
    kinds = ray.exceptions
    deaths_of_workers = (  # after which another try may succeed
        *(kinds.WorkerCrashedError, kinds.NodeDiedError),
        *(kinds.ObjectLostError, kinds.OutOfMemoryError),
    )
    try:
        while waiting or running:
            while waiting and len(running) < at_once():
                number, job = waiting.popleft()
                running[remote.remote(job.function, job.arguments)] = number
            (ready, *_), _ = ray.wait(list(running))
            number = running.pop(ready)
            job = jobs[number]
            try:
                result = ray.get(ready)
            except ray.exceptions.RayError as error:
                failure = error
                if isinstance(error, ray.exceptions.RayTaskError):
                    failure = error.cause
                    if not isinstance(failure, ray.exceptions.RayError):  # of the job itself
                        raise failure from error
                why = str(failure).strip().splitlines()[0].partition(". ")[0].removesuffix(".")
                if not isinstance(failure, deaths_of_workers):
                    raise WorkerError(f"the Ray cluster could not run {job.key}: {why}") from error
                deaths[number] += 1
                if deaths[number] == TRIES:
                    raise WorkerError(
                        f"the worker of {job.key} died {TRIES} times on the Ray cluster, the last "
                        f"time of this: {why}"
                    ) from error
                _LOG.warning("the worker of %s died (%s); it is tried again", job.key, why)
                waiting.append((number, job))
                continue
            yield job.key, result
    finally:
        if ray.is_initialized():
            for one in running:
                ray.cancel(one, force=True)


def _call(function: Callable[..., T], arguments: tuple[Any, ...]) -> T:
    return function(*arguments)

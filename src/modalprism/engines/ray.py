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
            with closing(_results(ray, jobs, needs, self._at_once(ray))) as results:
                yield from track(results, total=len(jobs), description=description)

    def _at_once(self, ray: Any) -> Callable[[], int]:
        if self.workers:
            return lambda: self.workers
        # Asked again and again: nodes come and go.
        return lambda: max(1, _AHEAD * int(ray.cluster_resources().get("CPU", 1)))


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
                failure = _of_the_cluster(ray, error)
                why = _first_sentence(failure)
                if not _is_a_death(ray, failure):
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


def _of_the_cluster(ray: Any, error: Exception) -> Exception:
    """Return an error of the cluster; raise one of the job itself as it is."""
    if not isinstance(error, ray.exceptions.RayTaskError):
        return error
    cause: Exception = error.cause
    of_the_job = not isinstance(cause, ray.exceptions.RayError)
    if of_the_job:
        raise cause from error
    return cause


def _is_a_death(ray: Any, failure: Exception) -> bool:
    """Return whether another try may succeed."""
    kinds = ray.exceptions
    deaths = (
        kinds.WorkerCrashedError,
        kinds.NodeDiedError,
        kinds.ObjectLostError,
        kinds.OutOfMemoryError,
    )
    return isinstance(failure, deaths)


def _first_sentence(error: Exception) -> str:
    return str(error).strip().splitlines()[0].partition(". ")[0].removesuffix(".")


def _call(function: Callable[..., T], arguments: tuple[Any, ...]) -> T:
    return function(*arguments)

"""The protocol of engines, which run independent jobs and yield each result as soon as it is there.

A job is a function that can be pickled, with its arguments; an engine knows no study.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from modalprism.progress import Track

T = TypeVar("T")

TRIES: Final = 4
"""Number of times that a job whose worker dies is run."""


@dataclass(frozen=True)
class Needs:
    """CPUs and GPUs that every job of a run holds while it runs.

    Examples
    --------
    >>> Needs()
    Needs(cpus=1, gpus=0)
    """

    cpus: int = 1
    gpus: int = 0


ONE_CPU: Final = Needs()


@dataclass(frozen=True)
class Job(Generic[T]):
    """A function and its arguments, which can run anywhere, and more than once.

    Attributes
    ----------
    key : str
        Name of the job, also in messages.
    function : callable
    arguments : tuple

    Examples
    --------
    >>> job = Job("two and three", pow, (2, 3))
    >>> job.function(*job.arguments)
    8
    """

    key: str
    function: Callable[..., T]
    arguments: tuple[Any, ...] = ()


class Engine(Protocol):
    """Runs jobs."""

    def ready(self) -> None:
        """Refuse at once what could not run here; work that leads to the jobs may take hours.

        Raises
        ------
        InputError
            If something is missing, or cannot be reached.
        """

    def run(
        self, jobs: Sequence[Job[T]], *, track: Track, description: str, needs: Needs = ONE_CPU
    ) -> Generator[tuple[str, T], None, None]:
        """Run jobs, and yield the key and the result of each as soon as it is there, in no order.

        Anything that ends the iteration early, such as an error of a job or Ctrl-C, stops running
        jobs.

        Parameters
        ----------
        jobs : sequence of Job
        track : Track
            Shows how many are done, labelled `description`.
        description : str
        needs : Needs
            Of every job.

        Raises
        ------
        InputError
            If no machine has what is needed. Errors of a job are raised as they are, and the job is
            not run again.
        WorkerError
            If the worker of a job died every time.
        """

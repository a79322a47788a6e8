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
"""How often a job whose worker dies is run, in all."""


@dataclass(frozen=True)
class Needs:
    """What every job of a run holds while it runs.

    Attributes
    ----------
    cpus, gpus : int

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
    """A function and its arguments, which may be run anywhere, and more than once.

    Attributes
    ----------
    key : str
        Names the job, for people too.
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
    """Where work runs."""

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
        """Run jobs, and yield the key and the result of each as it comes, in no order.

        Whatever ends the iteration early, an error of a job, Ctrl-C or a caller that has enough,
        stops what still runs.

        Parameters
        ----------
        jobs : sequence of Job
        track : Track
            Shows how many are done, under the words `description`.
        description : str
        needs : Needs
            Of every job.

        Raises
        ------
        InputError
            If nothing here has what is needed. What a job itself raises comes as it is, and the
            job is not run again.
        WorkerError
            If the worker of a job died every time that it was tried.
        """

"""Jobs one after another, in this process."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from modalprism.engines.here import check_here
from modalprism.engines.interface import ONE_CPU, Job, Needs
from modalprism.progress import Track

T = TypeVar("T")


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
        """Find nothing missing: this process is here."""

    def run(
        self, jobs: Sequence[Job[T]], *, track: Track, description: str, needs: Needs = ONE_CPU
    ) -> Generator[tuple[str, T], None, None]:
        """Run jobs in their order.

        Raises
        ------
        InputError
            If this machine has not what is needed. What a job itself raises comes as it is.
        """
        check_here(needs)
        results = ((job.key, job.function(*job.arguments)) for job in jobs)
        yield from track(results, total=len(jobs), description=description)

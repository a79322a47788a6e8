"""The interface of baselines: a subject in, scores with intervals and the cost out.

A baseline scores how much each modality contributes, in a way that people use today. It takes a
model and examples (`Subject`), estimates the cost beforehand (`Cost`), and returns a `Result`, in
which passes are counted.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import NDArray

from modalprism.capture.adapter import Adapter
from modalprism.datasets.dataset import Example
from modalprism.progress import Track, silent
from modalprism.results.estimate import Estimate


@dataclass(frozen=True)
class Subject:
    """The model and the examples that a baseline scores.

    Attributes
    ----------
    adapter : Adapter
    examples : sequence of Example
        In memory, or fetched when indexed.
    model, dataset : str
        Their names in every output.
    batch_size : int
        Examples a pass.
    device : str
        Such as ``cpu`` or ``cuda:0``; ``auto`` is a GPU where there is one.
    """

    adapter: Adapter
    examples: Sequence[Example]
    model: str
    dataset: str
    batch_size: int = 64
    device: str = "auto"


@dataclass(frozen=True)
class Cost:
    """Number of model passes, of one example each: a batch of 64 counts 64.

    Examples
    --------
    >>> Cost(128) + Cost(64, backward=64)
    Cost(forward=192, backward=64)
    """

    forward: int
    backward: int = 0

    def __str__(self) -> str:
        backward = f" + {self.backward:,} backward" if self.backward else ""
        return f"{self.forward:,}{backward}"

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.forward + other.forward, self.backward + other.backward)


@dataclass(frozen=True)
class Score:
    """One number of a baseline.

    Attributes
    ----------
    quantity : str
        Such as ``accuracy drop (noise)``.
    modality : str, optional
        None for a number of both.
    estimate : Estimate
    """

    quantity: str
    modality: str | None
    estimate: Estimate


@dataclass(frozen=True)
class Result:
    """Scores of a baseline.

    Attributes
    ----------
    baseline : str
        Its name in the registry.
    model, dataset : str
    scores : tuple of Score
    n : int
        Number of examples.
    cost : Cost
        Counted while it ran.
    seconds : float
        Wall time.
    seed : int
    per_example : mapping of name to ndarray, shape (n,)
        What the intervals were drawn from.
    """

    baseline: str
    model: str
    dataset: str
    scores: tuple[Score, ...]
    n: int
    cost: Cost
    seconds: float
    seed: int
    per_example: Mapping[str, NDArray[Any]]


class Baseline(ABC):
    """A way of scoring modalities that people use today.

    Attributes
    ----------
    version : int
        Raised in a commit that changes scores: those that studies cached are then computed anew.
    needs_attention : bool
        Whether the model has to return its attention weights, which is slower.
    name : str
        In the registry, in tables and on the command line.
    title : str
        In words, for people.
    source : str
        Where it is described.
    headlines : tuple of str
        The quantities that stand for it where there is room for few.
    shares : tuple of str
        Those that say which part is each modality's, from 0 to 1; none where nothing does.
    """

    version: ClassVar[int] = 1
    needs_attention: ClassVar[bool] = False
    name: ClassVar[str]
    title: ClassVar[str]
    source: ClassVar[str]
    headlines: ClassVar[tuple[str, ...]]
    shares: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def cost(self, subject: Subject) -> Cost:
        """Say how many passes `score` will take, before anything runs."""

    @abstractmethod
    def score(
        self, subject: Subject, *, seed: int = 0, replicates: int = 1000, track: Track = silent
    ) -> Result:
        """Score the modalities of a model.

        Parameters
        ----------
        subject : Subject
        seed : int
            Fixes whatever is drawn; the same seed gives the same numbers.
        replicates : int
            Of the bootstrap that the intervals are drawn from.
        track : Track
            Shows progress.

        Raises
        ------
        InputError
            If the baseline cannot score this model on these examples.
        """

"""What every kind of input hands to a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from modalprism.baselines.interface import Subject
from modalprism.capture.store import EmbeddingStore
from modalprism.progress import Track, silent

Rows = Sequence[int] | NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Recording:
    """What is heard of an example: samples, shape (samples,), so many a second."""

    samples: NDArray[np.float32]
    rate: int


class Origin(Protocol):
    """What a store was made of, so that its rows can be run again, and shown to people."""

    @property
    def candidates(self) -> Sequence[str]:
        """The answers among which the model chose, by their numbers; empty where unknown."""

    def subject(self, rows: Rows, *, attention: bool = False, track: Track = silent) -> Subject:
        """Load the model, and the examples of these rows of the store, in this order.

        Parameters
        ----------
        rows : sequence of int
        attention : bool
            Whether the model has to hand out its attention weights, which is slower.
        track : Track
            Shows progress.

        Raises
        ------
        InputError
            If the model cannot be loaded, or a row's example is no longer in the dataset.
        """

    def shown(self, rows: Rows) -> list[Mapping[str, Any]]:
        """Return what a person sees of these rows, by modality: pictures, texts, `Recording`.

        Raises
        ------
        InputError
            If a row's example is no longer in the dataset.
        """


@dataclass(frozen=True)
class StudyStore:
    """A store with the names that it goes by in the profile.

    Attributes
    ----------
    model, dataset : str
    store : EmbeddingStore
    origin : Origin, optional
        None where all there is are embeddings.
    """

    model: str
    dataset: str
    store: EmbeddingStore
    origin: Origin | None = None

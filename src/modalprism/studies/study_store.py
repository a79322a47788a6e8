"""Stores of a study, and their origin: the model and the examples behind their rows."""

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
    """A recording: samples, shape (samples,), and their rate per second."""

    samples: NDArray[np.float32]
    rate: int


class Origin(Protocol):
    """The model and examples behind a store, by which rows are run again and shown to people."""

    @property
    def candidates(self) -> Sequence[str]:
        """The answers among which the model chose, by their numbers; empty where unknown."""

    def subject(self, rows: Rows, *, attention: bool = False, track: Track = silent) -> Subject:
        """Load the model, and the examples of these rows of the store, in this order.

        With `attention`, the model returns its attention weights, which is slower.

        Raises
        ------
        InputError
            If the model cannot be loaded, or a row's example is no longer in the dataset.
        """

    def shown(self, rows: Rows) -> list[Mapping[str, Any]]:
        """Return these rows as a person sees them, by modality: pictures, texts, `Recording`.

        Raises
        ------
        InputError
            If a row's example is no longer in the dataset.
        """


@dataclass(frozen=True)
class StudyStore:
    """A store with its names in the profile; `origin` is None for embeddings alone."""

    model: str
    dataset: str
    store: EmbeddingStore
    origin: Origin | None = None

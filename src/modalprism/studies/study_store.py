"""Stores of a study, and their origin: the model and the examples behind their rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from modalprism.baselines.interface import Subject
from modalprism.capture.adapter import Adapter
from modalprism.capture.store import EmbeddingStore
from modalprism.datasets.dataset import Example
from modalprism.errors import InputError

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

    def subject(self, rows: Rows, *, attention: bool = False) -> Subject:
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


@dataclass(frozen=True, eq=False)
class CaptureOrigin:
    """A model and the examples that a store holds, found by their ids: it may have skipped some.

    `load` loads the model; its keyword ``attention`` is whether attention weights are needed.
    `shown_of` returns what a person sees of an example, by modality.
    """

    model: str
    dataset: str
    examples: Iterable[Example]
    store: EmbeddingStore
    candidates: Sequence[str]
    load: Callable[..., Adapter]
    shown_of: Callable[[Example], Mapping[str, Any]]
    batch_size: int
    device: str

    def subject(self, rows: Rows, *, attention: bool = False) -> Subject:
        """Load the model, and the examples of these rows; see `Origin`."""
        examples = self._of(rows)
        adapter = self.load(attention=attention)
        return Subject(adapter, examples, self.model, self.dataset, self.batch_size, self.device)

    def shown(self, rows: Rows) -> list[Mapping[str, Any]]:
        """Return the inputs of these rows as a person sees them; a picture is decoded."""
        return [self.shown_of(example) for example in self._of(rows)]

    def _of(self, rows: Rows) -> list[Example]:
        identities = self.store.array("id")
        names = [str(identities[row]) for row in rows]
        missing = set(names)
        found: dict[str, Example] = {}
        for example in self.examples:
            if example.id in missing:
                found[example.id] = example
                missing.remove(example.id)
            if not missing:
                return [found[name] for name in names]
        raise InputError(
            f"the example {min(missing)!r} of {self.store.path} is no longer in the dataset "
            f"{self.dataset}; run the study again"
        )

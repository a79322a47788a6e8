"""What every kind of source hands to a study."""

from __future__ import annotations

from dataclasses import dataclass

from modalprism.capture.store import EmbeddingStore


@dataclass(frozen=True)
class StudiedStore:
    """A store with the names that it goes by in the profile."""

    model: str
    dataset: str
    store: EmbeddingStore

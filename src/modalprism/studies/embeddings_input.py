"""An input of the user's own embeddings: a store that was captured before, or a file of arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import field_validator

from modalprism.capture.shards import METADATA_FILE, StoreReader, is_finished
from modalprism.capture.store import EmbeddingStore, local_path
from modalprism.engines import Engine
from modalprism.errors import InputError
from modalprism.foreign import redacted
from modalprism.options import Options
from modalprism.progress import Track, silent
from modalprism.remote import is_address, shown
from modalprism.studies.code import Code
from modalprism.studies.study_store import StudyStore


class EmbeddingsInput(Options):
    """Embeddings that the user captured: a store, or a file of named arrays; here or elsewhere."""

    kind: Literal["embeddings"] = "embeddings"
    path: str | Path
    model: str = "model"
    dataset: str = "dataset"

    @field_validator("path")
    @classmethod
    def _address_or_path(cls, path: str | Path) -> str | Path:
        return path if is_address(path) else Path(path)

    def code(self) -> tuple[Code, ...]:
        """Return the code that would run: none."""
        return ()

    def stores(
        self,
        folder: Path,  # noqa: ARG002
        seed: int,  # noqa: ARG002
        track: Track = silent,
        engine: Engine | None = None,  # noqa: ARG002
    ) -> Iterator[StudyStore]:
        """Open the store or file."""
        here = local_path(self.path)
        if (here / METADATA_FILE).is_file() and not is_finished(here):
            raise InputError(
                f"the capture {shown(here)} is not finished; give its command again, which goes on "
                "where it stopped"
            )
        if is_address(self.path) and (here / METADATA_FILE).is_file():
            StoreReader.open(here).fetch(track)  # once, and not by every process of the analysis
        store = EmbeddingStore.open(here)
        if is_address(self.path):  # another machine makes its own copy
            store = replace(store, address=str(self.path))
        yield StudyStore(self.model, self.dataset, store)

    def relative_to(self, folder: Path) -> EmbeddingsInput:
        """Return the input with its path from this folder."""
        if is_address(self.path):
            return self
        return self.model_copy(update={"path": folder / self.path})

    def descriptions(self) -> tuple[dict[str, str], dict[str, str]]:
        """Say a line about every model and every dataset."""
        name = redacted(str(self.path)).rstrip("/").rpartition("/")[2]
        return {self.model: f"embeddings of {name}"}, {self.dataset: name}

    def notes(self) -> tuple[str, ...]:
        """Say what every report on these embeddings has to."""
        return ()

"""Inputs of a study: what its embeddings come from.

An input is a model of pydantic with a key ``kind``. Packages register inputs of their own, by their
kind, in the entry point group ``modalprism.inputs``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, SerializeAsAny, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from modalprism.capture.shards import METADATA_FILE, StoreReader, is_finished
from modalprism.capture.store import EmbeddingStore, local_path
from modalprism.engines import Engine
from modalprism.errors import InputError
from modalprism.foreign import redacted
from modalprism.options import Options
from modalprism.progress import Track, silent
from modalprism.registry import Registry
from modalprism.remote import is_address, shown
from modalprism.studies.code import Code
from modalprism.studies.study_store import StudyStore


class Input(Options, ABC):
    """Base class of the inputs of a study, which provide stores of embeddings.

    Attributes
    ----------
    kind : str
        The name of the kind in a study file.
    """

    kind: str

    @abstractmethod
    def stores(
        self, folder: Path, seed: int, track: Track = silent, engine: Engine | None = None
    ) -> Iterator[StudyStore]:
        """Open the stores; capture what is missing.

        Parameters
        ----------
        folder : Path
            Where stores that are captured go.
        seed : int
        track : Track
            Shows progress.
        engine : Engine, optional
            Where models are captured.

        Raises
        ------
        InputError
            If the input cannot be used.
        """

    @abstractmethod
    def descriptions(self) -> tuple[dict[str, str], dict[str, str]]:
        """Describe every model and every dataset in one line, by their names."""

    def code(self) -> tuple[Code, ...]:
        """Return the code that would run and that the user has to allow; by default none."""
        return ()

    def check(self, folder: Path, engine: Engine | None) -> None:
        """Refuse what is known to fail, before any input is captured; by default nothing."""

    def relative_to(self, folder: Path) -> Self:  # noqa: ARG002
        """Return the input with relative paths taken from this folder."""
        return self

    def notes(self) -> tuple[str, ...]:
        """Return the notes of every report on these embeddings; by default none."""
        return ()


class EmbeddingsInput(Input):
    """Embeddings that the user captured: a store, or a file of named arrays; here or elsewhere."""

    kind: Literal["embeddings"] = "embeddings"
    path: str | Path
    model: str = "model"
    dataset: str = "dataset"

    @field_validator("path")
    @classmethod
    def _address_or_path(cls, path: str | Path) -> str | Path:
        return path if is_address(path) else Path(path)

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

    def relative_to(self, folder: Path) -> Self:
        """Return the input with its path taken from this folder."""
        if is_address(self.path):
            return self
        return self.model_copy(update={"path": folder / self.path})

    def descriptions(self) -> tuple[dict[str, str], dict[str, str]]:
        """Name the file, for the model and for the dataset."""
        name = redacted(str(self.path)).rstrip("/").rpartition("/")[2]
        return {self.model: f"embeddings of {name}"}, {self.dataset: name}


INPUTS: Final[Registry[type[Input]]] = Registry(
    "kind of input",
    "modalprism.inputs",
    {
        "embeddings": EmbeddingsInput,
        "capture": "modalprism.studies.capture_input:CaptureInput",
        "emoji_questions": "modalprism.demo.input:EmojiInput",
    },
)
"""Classes of inputs by their kind."""


def _made(given: Any) -> Any:
    """Make an input of its keys; ``kind`` is optional where ``path`` or ``data`` is given."""
    if not isinstance(given, dict):
        return given
    if "kind" not in given and not given.keys() & {"path", "data"}:
        raise ValueError(
            "say where the embeddings are, path: file.npz, or what makes them, kind: capture with "
            "model: and data:, or kind: emoji_questions"
        )
    keys = {"kind": "embeddings" if "path" in given else "capture", **given}
    if not isinstance(keys["kind"], str):
        raise ValueError(f"kind is {keys['kind']!r}; give one of {', '.join(INPUTS.names())}")
    try:
        return INPUTS[keys["kind"]].model_validate(keys)
    except ValidationError as error:
        mistake = error.errors()[0]
        words = f"{'.'.join(map(str, mistake['loc']))}: {mistake['msg']}"
        # `modalprism.options` finds the key and its line by the error inside.
        raise PydanticCustomError("input", words.replace("{", "{{"), {"inner": mistake}) from error


AnyInput = Annotated[SerializeAsAny[Input], BeforeValidator(_made)]
"""An input of any kind, or its keys."""

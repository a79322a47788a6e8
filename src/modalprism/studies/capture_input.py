"""An input that is captured by the study itself: a model, a dataset, and how to read them."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import model_validator

from modalprism.capture.api import capture
from modalprism.capture.config import CaptureConfig
from modalprism.capture.loading import ModelSpec
from modalprism.capture.model_checks import check_model, check_model_folder
from modalprism.capture.shards import is_whole
from modalprism.capture.store import EmbeddingStore
from modalprism.datasets.config import DatasetConfig
from modalprism.datasets.dataset import Example, ends_digest
from modalprism.datasets.examples import Examples
from modalprism.engines import Engine, RayEngine
from modalprism.files import file_name
from modalprism.progress import Track, forwarding, silent
from modalprism.strict_json import dumps
from modalprism.studies.code import Code, adapter_code, repository_code
from modalprism.studies.inputs import Input
from modalprism.studies.study_store import CaptureOrigin, Recording, StudyStore

_OF_A_MODEL: Final = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")
_CHANGES_NO_BYTE: Final = {"kind", "name", "dataset", "batch_size", "device"}
_LATER: Final = frozenset({"prompt", "answers", "only", "join"})


class CaptureInput(Input, DatasetConfig, CaptureConfig):
    """A model that is run on a dataset, in inference only.

    The other keys are those of `DatasetConfig` and `CaptureConfig`. Code of the user's runs only
    where the user allows it by name: an ``adapter``, and a model with ``trust_remote_code``.

    Attributes
    ----------
    model, data : str
        A folder or an id of the hub; `modalprism.capture` and `open_examples` say what else.
    name, dataset : str
        Names of the two in the profile; by default the last part of their paths.
    """

    kind: Literal["capture"]
    model: str
    data: str
    name: str = ""
    dataset: str = ""
    adapter: str | None = None

    @model_validator(mode="after")
    def _check_labels_and_roles(self) -> Self:
        # Now, and not when a model is loaded.
        self.labels(self.candidates)
        self.roles()
        return self

    def relative_to(self, folder: Path) -> Self:
        """Return the input with what lies in this folder named from there."""
        update: dict[str, Any] = {
            key: _from(folder, value) for key, value in (("model", self.model), ("data", self.data))
        }
        if self.join is not None:
            update["join"] = self.join.model_copy(update={"data": _from(folder, self.join.data)})
        named = {"name": self.model_label, "dataset": self.dataset_label}
        return self.model_copy(update=update | named)

    @property
    def model_label(self) -> str:
        """Name of the model in the profile."""
        return self.name or Path(self.model).name

    @property
    def dataset_label(self) -> str:
        """Name of the dataset in the profile."""
        return self.dataset or Path(self.data).stem

    def code(self) -> tuple[Code, ...]:
        """Return the code that would run, beside Modalprism and the libraries it stands on."""
        adapter = adapter_code(self.adapter) if self.adapter else None
        remote = self.trust_remote_code
        repository = repository_code(self.model, self.revision) if remote else None
        return tuple(one for one in (adapter, repository) if one is not None)

    def stores(
        self, folder: Path, seed: int, track: Track = silent, engine: Engine | None = None
    ) -> Iterator[StudyStore]:
        """Capture, go on with a capture that was killed, or open one that is whole.

        The model runs where the engine says: see `modalprism.capture`.
        """
        examples = self.open_examples(self.data, self.candidates, seed)
        fingerprint = examples.fingerprint()
        # One folder for each set of options: other options are captured beside it.
        out = folder / f"{self._folder_name()}-{self._key(fingerprint, seed)}"
        if not is_whole(out, redrawn=self.redrawn > 0):
            capture(
                self.model,
                None,
                examples,
                out=out,
                **{name: getattr(self, name) for name in CaptureConfig.model_fields},
                dataset=self.data,
                fingerprint=fingerprint,
                seed=seed,
                engine=engine,
                progress=forwarding(track),
            )
        store = EmbeddingStore.open(out)
        origin = CaptureOrigin(
            self.model_label,
            self.dataset_label,
            examples,
            store,
            self.candidates,
            ModelSpec(self.model, config=self).load,
            partial(_shown, examples),
            self.first_batch,
            self.device,
        )
        yield StudyStore(self.model_label, self.dataset_label, store, origin)

    def _folder_name(self) -> str:
        return file_name(f"{self.model_label}-{self.dataset_label}", longest=200)

    def check(self, folder: Path, engine: Engine | None) -> None:
        """Refuse a model that is not there; the hub is not asked for one that has a store."""
        if isinstance(engine, RayEngine):  # its workers may see other folders
            return
        if any(folder.glob(f"{glob.escape(self._folder_name())}-*")):
            check_model_folder(self.model)
        else:
            check_model(self.model, self.revision)

    def _key(self, fingerprint: str, seed: int) -> str:
        # Options that are not set are left out, so that new options keep the keys of old stores.
        unset = {name for name in _LATER if getattr(self, name) is None}
        options = self.model_dump(mode="json", exclude=_CHANGES_NO_BYTE | unset)
        # Weights and settings of a folder; a model of the hub is told by its id and revision.
        folder = Path(self.model)
        files = sorted({path for pattern in _OF_A_MODEL for path in folder.glob(pattern)})
        weights = hashlib.sha256("".join(map(ends_digest, files)).encode()).hexdigest()[:16]
        options |= {"fingerprint": fingerprint, "seed": seed, "weights": weights}
        return hashlib.sha256(dumps(options, sort_keys=True).encode()).hexdigest()[:8]

    def descriptions(self) -> tuple[dict[str, str], dict[str, str]]:
        """Describe the model, and name the dataset."""
        how = f"{self.model}, spans pooled by {self.pool}"
        return {self.model_label: how}, {self.dataset_label: self.data}

    def notes(self) -> tuple[str, ...]:
        """Return a note on rows that were left out."""
        if self.only is None:
            return ()
        return (
            f"Of {self.dataset_label}, rows whose right answer is none of "
            f"{', '.join(self.candidates)} were left out.",
        )


def _shown(examples: Examples, example: Example) -> Mapping[str, Any]:
    """Return what a person sees of an example; a waveform becomes a recording with its rate."""
    kinds = {name: one.kind for name, one in examples.columns.modalities.items()}
    return {
        name: Recording(value, examples.sampling_rate) if kinds.get(name) == "audio" else value
        for name, value in example.inputs.items()
    }


def _from(folder: Path, place: str) -> str:
    """Name what lies in a folder from there; an id of the hub stays what it is."""
    here = (folder / place).exists() or any(mark in place for mark in "{*")
    here = here or place.startswith(("./", "../"))  # and if it is missing, that is where
    return str(folder / place) if here else place

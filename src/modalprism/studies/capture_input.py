"""An input that is captured by the study itself: a model, a dataset, and how to read them."""

from __future__ import annotations

import glob
import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from modalprism.capture.adapter import Adapter
from modalprism.capture.api import capture
from modalprism.capture.loading import adapter_named, load_adapter
from modalprism.capture.model_checks import check_model, check_model_folder
from modalprism.capture.redrawn import PARTNERS
from modalprism.capture.settings import FIRST_BATCH
from modalprism.capture.shards import is_whole
from modalprism.capture.store import EmbeddingStore
from modalprism.datasets.columns import Columns
from modalprism.datasets.dataset import ends_digest
from modalprism.datasets.example import Example
from modalprism.datasets.examples import SAMPLING_RATE, Examples, open_examples
from modalprism.datasets.joined import Join
from modalprism.datasets.labels import Labels
from modalprism.datasets.prompts import Prompt
from modalprism.engines import Engine, RayEngine
from modalprism.files import file_name
from modalprism.progress import Track, forwarding, silent
from modalprism.strict_json import dumps
from modalprism.studies.capture_origin import CaptureOrigin
from modalprism.studies.code import Code, adapter_code, repository_code
from modalprism.studies.part import StudyPart
from modalprism.studies.study_store import Recording, StudyStore

_OF_A_MODEL: Final = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")
_ADAPTER: Final = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*")
_CHANGES_NO_BYTE: Final = {"kind", "name", "dataset", "batch_size", "device"}
_LATER: Final = frozenset({"prompt", "answers", "only", "join"})


class JoinedData(StudyPart):
    """A second dataset, and by which columns it belongs to the first.

    Attributes
    ----------
    data : str
        A file, a folder, or an id of the hub.
    by : dict
        One column of the first, and that of the second in which its values stand once each.
    split : str, optional
        Of the second; by default the first's.
    """

    data: str
    by: dict[str, str]
    split: str | None = None

    @field_validator("by")
    @classmethod
    def _one_key(cls, by: dict[str, str]) -> dict[str, str]:
        if len(by) != 1:
            raise ValueError(f"it has {len(by)} keys; name one column of each: {{imageId: id}}")
        return by

    def join(self, split: str | None) -> Join:
        """Return what `open_examples` takes; `split` is the first dataset's."""
        ((key, other),) = self.by.items()
        return Join(self.data, key, other, self.split or split)


class CaptureInput(StudyPart):
    """A model that is run on a dataset, in inference only.

    Attributes
    ----------
    model, data : str
        A folder or an id of the hub; `modalprism.capture` and `open_examples` say what else.
    name, dataset : str
        What the two are called in the profile; by default the last part of their paths.
    columns : dict
        Which column is what: ``{image: picture, text: question, label: answer, group: [patient]}``.
    prompt : str, optional
        What the text is made of: ``"{question} Answer yes or no."`` (`Prompt`).
    answers : dict or "letters", optional
        Which candidate a value of the dataset is: ``{0: "no", 1: "yes"}`` (`Labels`).
    only : "candidates", optional
        Leave out rows whose label is no candidate.
    join : JoinedData, optional
        A second dataset whose columns stand beside: ``{data: pictures, by: {imageId: id}}``.
    split, limit, streaming, sampling_rate
        Of the dataset; see `open_examples`.
    candidates, layers, pool, tokens, batch_size, dtype, device, on_error, redrawn, partners
        Of the capture; see `modalprism.capture`.
    adapter : str, optional
        ``module:Class`` of an adapter of your own. It runs only where the user allows it by name.
    revision : str, optional
        Of the model's repository.
    trust_remote_code : bool
        Whether the study needs the code that comes with the model. It runs only where the user
        allows it by name.
    """

    kind: Literal["capture"]
    model: str
    data: str
    name: str = ""
    dataset: str = ""
    columns: dict[str, str | list[str] | None] = Field(default_factory=dict)
    prompt: str | None = None
    answers: dict[str, str] | Literal["letters"] | None = None
    only: Literal["candidates"] | None = None
    join: JoinedData | None = None
    split: str | None = None
    limit: int | None = Field(default=None, ge=1)
    streaming: bool = False
    sampling_rate: int = Field(default=SAMPLING_RATE, ge=1)
    candidates: tuple[str, ...] = ()
    layers: tuple[int, ...] | None = None
    pool: str = "mean"
    tokens: int = Field(default=0, ge=0)
    batch_size: int | Literal["auto"] = "auto"
    dtype: str = "float16"
    device: str = "auto"
    on_error: Literal["stop", "skip"] = "stop"
    redrawn: int = Field(default=0, ge=0)
    partners: int = Field(default=PARTNERS, ge=2)
    adapter: str | None = None
    revision: str | None = None
    trust_remote_code: bool = False

    @field_validator("adapter")
    @classmethod
    def _module_and_class(cls, adapter: str | None) -> str | None:
        if adapter is not None and not _ADAPTER.fullmatch(adapter):
            raise ValueError(f"{adapter!r} is no adapter; write it as module:Class")
        return adapter

    @field_validator("answers", mode="before")
    @classmethod
    def _values_as_labels_have_them(cls, answers: Any) -> Any:
        """Write the keys as labels are written: a truth value is true or false."""
        if not isinstance(answers, dict):
            return answers
        return {
            str(value).lower() if isinstance(value, bool) else str(value): answer
            for value, answer in answers.items()
        }

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        # Now, and not when a model is loaded.
        self._labels()
        self._columns()
        return self

    def _labels(self) -> Labels:
        return Labels.of(self.candidates, self.answers, self.only)

    def _columns(self) -> Columns:
        prompt = None if self.prompt is None else Prompt.of(self.prompt)
        return Columns.from_mapping(self.columns).with_prompt(prompt)

    def relative_to(self, folder: Path) -> CaptureInput:
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
        """What the model is called in the profile."""
        return self.name or Path(self.model).name

    @property
    def dataset_label(self) -> str:
        """What the dataset is called in the profile."""
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
        examples = open_examples(
            self.data,
            self._columns(),
            labels=self._labels(),
            join=None if self.join is None else self.join.join(self.split),
            split=self.split,
            limit=self.limit,
            seed=seed,
            streaming=self.streaming,
            sampling_rate=self.sampling_rate,
        )
        fingerprint = examples.fingerprint()
        # A folder a question: what is asked otherwise is captured beside, and nothing is lost.
        out = folder / f"{self._folder_name()}-{self._key(fingerprint, seed)}"
        if not is_whole(out, redrawn=self.redrawn > 0):
            self._capture(examples, fingerprint, out, seed, track, engine)
        store = EmbeddingStore.open(out)
        origin = CaptureOrigin(
            self.model_label,
            self.dataset_label,
            examples,
            store,
            self.candidates,
            self._load,
            partial(_shown, examples),
            FIRST_BATCH if self.batch_size == "auto" else self.batch_size,
            self.device,
        )
        yield StudyStore(self.model_label, self.dataset_label, store, origin)

    def _load(self, *, attention: bool = False) -> Adapter:
        return load_adapter(
            self.model,
            revision=self.revision,
            candidates=self.candidates,
            adapter=adapter_named(self.adapter) if self.adapter else None,
            trust_remote_code=self.trust_remote_code,
            attn_implementation="eager" if attention else None,
        )

    def _folder_name(self) -> str:
        return file_name(f"{self.model_label}-{self.dataset_label}", longest=200)

    def check_model(self, folder: Path, engine: Engine | None) -> None:
        """Refuse a model that is not there, before any input is captured.

        Parameters
        ----------
        folder : Path
            Of captured stores. The hub is not asked for a model that has one.
        engine : Engine, optional
            Workers of a Ray cluster may see other folders: nothing is checked here then.

        Raises
        ------
        InputError
            If there is no such model.
        """
        if isinstance(engine, RayEngine):
            return
        if any(folder.glob(f"{glob.escape(self._folder_name())}-*")):
            check_model_folder(self.model)
        else:
            check_model(self.model, self.revision)

    def _key(self, fingerprint: str, seed: int) -> str:
        # What is not asked is not in the key: stores of before it could be asked stay the same.
        unasked = {name for name in _LATER if getattr(self, name) is None}
        asked = self.model_dump(mode="json", exclude=_CHANGES_NO_BYTE | unasked)
        asked |= {"fingerprint": fingerprint, "seed": seed, "weights": _digest_of_model(self.model)}
        words = dumps(asked, sort_keys=True)
        return hashlib.sha256(words.encode()).hexdigest()[:8]

    def _capture(
        self,
        examples: Examples,
        fingerprint: str,
        out: Path,
        seed: int,
        track: Track,
        engine: Engine | None,
    ) -> None:
        capture(
            self.model,
            None,
            examples,
            out=out,
            candidates=self.candidates,
            layers=self.layers,
            pool=self.pool,
            tokens=self.tokens,
            batch_size=self.batch_size,
            dtype=self.dtype,
            device=self.device,
            on_error=self.on_error,
            redrawn=self.redrawn,
            partners=self.partners,
            dataset=self.data,
            fingerprint=fingerprint,
            seed=seed,
            engine=engine,
            adapter=adapter_named(self.adapter) if self.adapter else None,
            revision=self.revision,
            trust_remote_code=self.trust_remote_code,
            progress=forwarding(track),
        )

    def descriptions(self) -> tuple[dict[str, str], dict[str, str]]:
        """Say a line about every model and every dataset."""
        how = f"{self.model}, spans pooled by {self.pool}"
        return {self.model_label: how}, {self.dataset_label: self.data}

    def notes(self) -> tuple[str, ...]:
        """Say what every report on these embeddings has to."""
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


def _digest_of_model(model: str) -> str:
    """Tell a folder's weights and settings from others'; a hub's id and revision say it there."""
    folder = Path(model)
    files = sorted({path for pattern in _OF_A_MODEL for path in folder.glob(pattern)})
    return hashlib.sha256("".join(map(ends_digest, files)).encode()).hexdigest()[:16]

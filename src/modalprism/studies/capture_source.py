"""A source that is captured by the study itself: a model, a dataset, and how to read them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from modalprism.capture.front import capture
from modalprism.capture.loading import adapter_named
from modalprism.capture.parts import REDRAWN, is_finished
from modalprism.capture.redrawn import PARTNERS
from modalprism.capture.store import EmbeddingStore
from modalprism.datasets.columns import Columns
from modalprism.datasets.rows import ends_digest
from modalprism.datasets.sources import SAMPLING_RATE, Examples, open_examples
from modalprism.progress import Track, silent
from modalprism.studies.studied import StudiedStore

_OF_A_MODEL: Final = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")
_CHANGES_NO_BYTE: Final = {"kind", "name", "dataset", "batch_size", "device"}


class CaptureSource(BaseModel):
    """A model that is run on a dataset, in inference only.

    Attributes
    ----------
    model, data : str
        A folder or an id of the hub; `modalprism.capture` and `open_examples` say what else.
    name, dataset : str
        What the two are called in the profile; by default the last part of their paths.
    columns : dict
        Which column is what: ``{image: picture, text: question, label: answer, group: [patient]}``.
    split, limit, streaming, sampling_rate
        Of the dataset; see `open_examples`.
    candidates, layers, pool, tokens, batch_size, dtype, device, on_error, redrawn, partners
        Of the capture; see `modalprism.capture`.
    adapter : str, optional
        ``module:Class`` of an adapter of your own.
    revision, trust_remote_code
        Of the model's repository; its code does not run unless asked for.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["capture"]
    model: str
    data: str
    name: str = ""
    dataset: str = ""
    columns: dict[str, str | list[str] | None] = Field(default_factory=dict)
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

    @field_validator("candidates", mode="before")
    @classmethod
    def _words(cls, candidates: Any) -> Any:
        # In YAML, an unquoted yes or no is a truth value.
        if isinstance(candidates, list | tuple) and any(isinstance(c, bool) for c in candidates):
            raise ValueError('put "yes" and "no" in quotes: without, YAML reads true and false')
        return candidates

    def relative_to(self, folder: Path) -> CaptureSource:
        """Return the source with what lies in this folder named from there."""
        update = {
            key: str(folder / value)
            for key, value in (("model", self.model), ("data", self.data))
            if (folder / value).exists() or any(mark in value for mark in "{*")
        }
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

    def stores(self, folder: Path, seed: int, track: Track = silent) -> Iterator[StudiedStore]:
        """Capture, go on with a capture that was killed, or open one that is whole."""
        examples = open_examples(
            self.data,
            Columns.from_mapping(self.columns),
            split=self.split,
            limit=self.limit,
            seed=seed,
            streaming=self.streaming,
            sampling_rate=self.sampling_rate,
        )
        fingerprint = examples.fingerprint()
        # A folder a question: what is asked otherwise is captured beside, and nothing is lost.
        labels = f"{self.model_label}-{self.dataset_label}".replace("/", "-")
        out = folder / f"{labels}-{self._key(fingerprint, seed)}"
        if not self._whole(out):
            self._capture(examples, fingerprint, out, seed, track)
        yield StudiedStore(self.model_label, self.dataset_label, EmbeddingStore.open(out))

    def _whole(self, out: Path) -> bool:
        return is_finished(out) and (not self.redrawn or is_finished(out / REDRAWN))

    def _key(self, fingerprint: str, seed: int) -> str:
        asked = self.model_dump(mode="json", exclude=_CHANGES_NO_BYTE)
        asked |= {"fingerprint": fingerprint, "seed": seed, "weights": _digest_of_model(self.model)}
        words = json.dumps(asked, sort_keys=True)
        return hashlib.sha256(words.encode()).hexdigest()[:8]

    def _capture(
        self, examples: Examples, fingerprint: str, out: Path, seed: int, track: Track
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
            adapter=adapter_named(self.adapter) if self.adapter else None,
            revision=self.revision,
            trust_remote_code=self.trust_remote_code,
            track=track,
        )

    def descriptions(self) -> tuple[dict[str, str], dict[str, str]]:
        """Say a line about every model and every dataset."""
        how = f"{self.model}, spans pooled by {self.pool}"
        return {self.model_label: how}, {self.dataset_label: self.data}

    def notes(self) -> tuple[str, ...]:
        """Say what every report on these embeddings has to."""
        return ()


def _digest_of_model(model: str) -> str:
    """Tell a folder's weights and settings from others'; a hub's id and revision say it there."""
    folder = Path(model)
    files = sorted({path for pattern in _OF_A_MODEL for path in folder.glob(pattern)})
    return hashlib.sha256("".join(map(ends_digest, files)).encode()).hexdigest()[:16]

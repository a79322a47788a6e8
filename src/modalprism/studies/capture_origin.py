"""What a captured store was made of: a model of the user's, and rows of a dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modalprism.baselines.interface import Subject
from modalprism.capture.adapter import Adapter
from modalprism.capture.loading import load_adapter
from modalprism.capture.run import FIRST_BATCH
from modalprism.capture.store import EmbeddingStore
from modalprism.datasets.example import Example
from modalprism.datasets.sources import Examples
from modalprism.errors import InputError
from modalprism.progress import Track, silent
from modalprism.studies.study_store import Recording, Rows


@dataclass(frozen=True, eq=False)
class CaptureOrigin:
    """A model by its folder or hub id, on the examples that a store kept.

    Attributes
    ----------
    path : str
        Of the model.
    model, dataset : str
        Their names in every output.
    examples : Examples
        Of which the store may have skipped some: rows are found by their ids.
    store : EmbeddingStore
    candidates : sequence of str
    adapter : type of Adapter, optional
    revision : str, optional
    trust_remote_code : bool
    batch_size : int or "auto"
    device : str
    """

    path: str
    model: str
    dataset: str
    examples: Examples
    store: EmbeddingStore
    candidates: Sequence[str]
    adapter: type[Adapter] | None
    revision: str | None
    trust_remote_code: bool
    batch_size: int | str
    device: str

    def subject(
        self,
        rows: Rows,
        *,
        attention: bool = False,
        track: Track = silent,  # noqa: ARG002
    ) -> Subject:
        """Load the model, and the examples of these rows; see `Origin`."""
        examples = self._of(rows)
        adapter = load_adapter(
            self.path,
            revision=self.revision,
            candidates=self.candidates,
            adapter=self.adapter,
            trust_remote_code=self.trust_remote_code,
            attn_implementation="eager" if attention else None,
        )
        size = self.batch_size if isinstance(self.batch_size, int) else FIRST_BATCH
        return Subject(adapter, examples, self.model, self.dataset, size, self.device)

    def shown(self, rows: Rows) -> list[Mapping[str, Any]]:
        """Return the inputs of these rows as the model is given them; a picture is decoded."""
        return [
            {name: self._seen(name, value) for name, value in example.inputs.items()}
            for example in self._of(rows)
        ]

    def _seen(self, modality: str, value: Any) -> Any:
        """Tell a recording from another array, and how fast it is."""
        known = self.examples.columns.modalities.get(modality)
        if known is None or known.kind != "audio":
            return value
        return Recording(value, self.examples.sampling_rate)

    def _of(self, rows: Rows) -> list[Example]:
        identities = self.store.array("id")
        wanted = [str(identities[row]) for row in rows]
        missing = set(wanted)
        found: dict[str, Example] = {}
        for example in self.examples:
            if example.id in missing:
                found[example.id] = example
                missing.remove(example.id)
            if not missing:
                return [found[identity] for identity in wanted]
        raise InputError(
            f"the example {min(missing)!r} of {self.store.path} is no longer in the dataset "
            f"{self.dataset}; run the study again"
        )

"""The origin of a captured store: a model of the user's, and rows of a dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modalprism.baselines.interface import Subject
from modalprism.capture.adapter import Adapter
from modalprism.capture.store import EmbeddingStore
from modalprism.datasets.example import Example
from modalprism.errors import InputError
from modalprism.progress import Track, silent
from modalprism.studies.study_store import Rows


@dataclass(frozen=True, eq=False)
class CaptureOrigin:
    """A model and the examples that a store holds.

    Attributes
    ----------
    model, dataset : str
        Their names in every output.
    examples : iterable of Example
        The store may have skipped some: rows are found by their ids.
    store : EmbeddingStore
    candidates : sequence of str
    load : callable
        Loads the model; its keyword ``attention`` says whether attention weights are needed.
    shown_of : callable
        Example → what a person sees of it, by modality.
    batch_size : int
    device : str
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

    def subject(
        self,
        rows: Rows,
        *,
        attention: bool = False,
        track: Track = silent,  # noqa: ARG002
    ) -> Subject:
        """Load the model, and the examples of these rows; see `Origin`."""
        examples = self._of(rows)
        adapter = self.load(attention=attention)
        return Subject(adapter, examples, self.model, self.dataset, self.batch_size, self.device)

    def shown(self, rows: Rows) -> list[Mapping[str, Any]]:
        """Return the inputs of these rows as a person sees them; a picture is decoded."""
        return [self.shown_of(example) for example in self._of(rows)]

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

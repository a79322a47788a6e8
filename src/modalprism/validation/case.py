"""Cases: a store of a study, samples of its rows, and its model where there is one."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modalprism.capture.adapter import BEFORE_FUSION
from modalprism.capture.store import EmbeddingStore
from modalprism.errors import DataWarning, InputError
from modalprism.estimation.analysis import Analysis
from modalprism.estimation.validation import LARGEST_SEED
from modalprism.progress import Track
from modalprism.studies.study_store import StudyStore
from modalprism.studies.views import Settings, target_of
from modalprism.validation.finding import NotRunError
from modalprism.validation.rerun import Rerun


@dataclass(frozen=True, eq=False)
class AnalysisRequest:
    """An analysis to run: embeddings by modality, (n, d), a target, groups and settings."""

    embeddings: Mapping[str, NDArray[Any]]
    target: NDArray[Any]
    groups: Mapping[str, NDArray[Any]]
    settings: Settings

    def answer(self) -> Analysis | str:
        """Run the analysis; where it is refused, return the reason."""
        try:
            # Some checks pass one modality twice on purpose.
            with warnings.catch_warnings(action="ignore", category=DataWarning):
                return self.settings.analyze(self.embeddings, self.target, groups=self.groups)
        except InputError as error:
            return str(error)


@dataclass(frozen=True, eq=False)
class DrawnRows:
    """Rows of a store, in its order: embeddings before fusion, and the targets of two views.

    `target` is that of the answer view, and `label` that of the stream view.
    """

    rows: NDArray[np.int64]
    embeddings: dict[str, NDArray[Any]]
    target: NDArray[Any]
    label: NDArray[Any]
    groups: dict[str, NDArray[Any]]


@dataclass(eq=False)
class StoreUnderTest:
    """A store of a study, with samples of `examples` rows.

    `runs` is how many of the first sample's rows are run again, where a few suffice. `base` is the
    analysis of the first sample as it is, or the reason why there is none.
    """

    study_store: StudyStore
    settings: Settings
    examples: int
    runs: int
    track: Track
    base: Analysis | str = "not analysed yet"
    _samples: dict[int, DrawnRows] = field(default_factory=dict)

    @property
    def store(self) -> EmbeddingStore:
        """The store."""
        return self.study_store.store

    @property
    def modalities(self) -> tuple[str, str]:
        """Both modalities, in the order of the study."""
        return self.settings.modalities

    def sample(self, draw: int) -> DrawnRows:
        """Draw rows; the same draw gives the same sample."""
        if draw not in self._samples:
            total = len(self.store.span(self.modalities[0], BEFORE_FUSION))
            order = np.random.default_rng([self.settings.seed, draw]).permutation(total)
            rows = np.sort(order[: self.examples])
            self._samples[draw] = DrawnRows(
                rows,
                {one: self.store.span(one, BEFORE_FUSION)[rows] for one in self.modalities},
                target_of(self.store, "answer", "label")[0][rows],
                target_of(self.store, "label", "answer")[0][rows],
                {name: column[rows] for name, column in self.store.groups().items()},
            )
        return self._samples[draw]

    def request(self, draw: int, **changes: Any) -> AnalysisRequest:
        """Request the analysis of a sample, with changes; a draw has a seed of its own."""
        sample = self.sample(draw)
        settings = replace(self.settings, seed=(self.settings.seed + draw) % (LARGEST_SEED + 1))
        request = AnalysisRequest(sample.embeddings, sample.target, sample.groups, settings)
        return replace(request, **changes)

    @cached_property
    def rerun_places(self) -> NDArray[np.int64]:
        """Places in the first sample of the rows that are run again."""
        n = len(self.sample(0).rows)
        order = np.random.default_rng([self.settings.seed, n]).permutation(n)
        return np.sort(order[: self.runs])

    def analysis(self) -> Analysis:
        """Return the analysis of the first sample as it is; a `NotRunError` if there is none."""
        if isinstance(self.base, str):
            raise NotRunError(self.base)
        return self.base

    def model(self) -> Rerun:
        """Return the model with the first sample's examples, loaded once; or a `NotRunError`."""
        if isinstance(self._model, str):
            raise NotRunError(self._model)
        return self._model

    @property
    def passes(self) -> int:
        """Number of model passes up to now, of one example each."""
        model = self.__dict__.get("_model")  # asking for it would load it
        return model.passes if isinstance(model, Rerun) else 0

    @cached_property
    def _model(self) -> Rerun | str:
        origin = self.study_store.origin
        if origin is None:
            return "here are embeddings and no model"
        try:
            subject = origin.subject(self.sample(0).rows)
            pool = self.store.metadata.get("pool", "mean")
            return Rerun(subject, pool, self.settings.seed, self.track)
        except InputError as error:
            return str(error)

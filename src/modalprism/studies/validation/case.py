"""What is checked: a store of a study, a sample of its rows, and its model where there is one."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
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
from modalprism.studies.validation.finding import NotRunError
from modalprism.studies.validation.rerun import Rerun
from modalprism.studies.views import Settings, model_answer, right_answer


@dataclass(frozen=True, eq=False)
class Question:
    """What the estimator is asked.

    Attributes
    ----------
    embeddings : mapping of modality to ndarray, shape (n, d)
    target : ndarray, shape (n,) or (n, C)
    groups : mapping of column to ndarray, shape (n,)
    settings : Settings
    """

    embeddings: Mapping[str, NDArray[Any]]
    target: NDArray[Any]
    groups: Mapping[str, NDArray[Any]]
    settings: Settings

    def answer(self) -> Analysis | str:
        """Ask the estimator; where it cannot answer, return its words."""
        try:
            # Some checks pass one modality twice on purpose.
            with warnings.catch_warnings(action="ignore", category=DataWarning):
                return self.settings.analyze(self.embeddings, self.target, groups=self.groups)
        except InputError as error:
            return str(error)


@dataclass(frozen=True, eq=False)
class Sample:
    """Some rows of a store, in its order.

    Attributes
    ----------
    rows : ndarray of int64, shape (n,)
    embeddings : dict of modality to ndarray, shape (n, d)
        Before fusion.
    target, label : ndarray
        Of the answer view, and of the stream view.
    groups : dict of column to ndarray
    """

    rows: NDArray[np.int64]
    embeddings: dict[str, NDArray[Any]]
    target: NDArray[Any]
    label: NDArray[Any]
    groups: dict[str, NDArray[Any]]


class Case:
    """A store of a study, with samples of its rows.

    Parameters
    ----------
    study_store : StudyStore
    settings : Settings
        With the replicates and permutations of the checks.
    examples : int
        Rows of a sample.
    runs : int
        How many of the first sample's rows are run again, where a few will do.
    track : Track
        Shows progress.

    Attributes
    ----------
    base : Analysis or str
        Of the first sample as it is; or why there is none.
    """

    def __init__(
        self,
        study_store: StudyStore,
        settings: Settings,
        *,
        examples: int,
        runs: int,
        track: Track,
    ) -> None:
        self.study_store, self.settings, self.track = study_store, settings, track
        self.examples, self.runs = examples, runs
        self.base: Analysis | str = "not analysed yet"
        self._samples: dict[int, Sample] = {}

    @property
    def store(self) -> EmbeddingStore:
        """The store."""
        return self.study_store.store

    @property
    def modalities(self) -> tuple[str, str]:
        """Both modalities, in the order of the study."""
        return self.settings.modalities

    @cached_property
    def total(self) -> int:
        """Number of rows of the store."""
        return len(self.store.span(self.modalities[0], BEFORE_FUSION))

    def other(self, modality: str) -> str:
        """Return the other modality."""
        first, second = self.modalities
        return second if modality == first else first

    def sample(self, draw: int) -> Sample:
        """Draw rows; the same draw is the same sample."""
        if draw not in self._samples:
            order = np.random.default_rng([self.settings.seed, draw]).permutation(self.total)
            rows = np.sort(order[: self.examples])
            self._samples[draw] = Sample(
                rows,
                {one: self.store.span(one, BEFORE_FUSION)[rows] for one in self.modalities},
                model_answer(self.store)[0][rows],
                right_answer(self.store)[0][rows],
                {name: column[rows] for name, column in self.store.groups().items()},
            )
        return self._samples[draw]

    def question(self, draw: int, **changes: Any) -> Question:
        """Ask about a sample, or about one with other embeddings or another target.

        A draw has a seed of its own: of its folds, its bootstrap and its nulls.
        """
        sample = self.sample(draw)
        settings = replace(self.settings, seed=(self.settings.seed + draw) % (LARGEST_SEED + 1))
        asked = Question(sample.embeddings, sample.target, sample.groups, settings)
        return replace(asked, **changes)

    @cached_property
    def few(self) -> NDArray[np.int64]:
        """Places in the first sample of the rows that are run again where a few will do."""
        n = len(self.sample(0).rows)
        order = np.random.default_rng([self.settings.seed, n]).permutation(n)
        return np.sort(order[: self.runs])

    def analysis(self) -> Analysis:
        """Return what the estimator says of the first sample as it is.

        Raises
        ------
        NotRunError
            If it cannot say anything.
        """
        if isinstance(self.base, str):
            raise NotRunError(self.base)
        return self.base

    def model(self) -> Rerun:
        """Return the model, with the first sample's examples; it is loaded once.

        Raises
        ------
        NotRunError
            If there are embeddings only, or it cannot be loaded.
        """
        if isinstance(self._model, str):
            raise NotRunError(self._model)
        return self._model

    @property
    def passes(self) -> int:
        """How often the model was run up to now, on one example each."""
        model = self.__dict__.get("_model")  # asking for it would load it
        return model.passes if isinstance(model, Rerun) else 0

    @cached_property
    def _model(self) -> Rerun | str:
        origin = self.study_store.origin
        if origin is None:
            return "here are embeddings and no model"
        try:
            subject = origin.subject(self.sample(0).rows, track=self.track)
            pool = self.store.metadata.get("pool", "mean")
            return Rerun(subject, pool, self.settings.seed, self.track)
        except InputError as error:
            return str(error)

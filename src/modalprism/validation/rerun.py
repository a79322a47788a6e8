"""The model of a store, run again: as it was, with other inputs, with noise, with a span hidden."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from modalprism.baselines.interface import Subject
from modalprism.baselines.running import (
    Around,
    Batch,
    Runner,
    enough_memory,
    nothing_around,
    with_inputs_of,
)
from modalprism.baselines.states import Moments, filled, moments_reader, with_noise
from modalprism.cache import MemoryCache
from modalprism.capture.adapter import BEFORE_FUSION
from modalprism.capture.interventions import others, span_hidden
from modalprism.capture.reading import ATTENTION, POOLS, read_batch, read_states
from modalprism.errors import InputError
from modalprism.progress import Track

Places = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Read:
    """States of a run, (k, d), by names such as ``image/0``, and its answer, (k, C), if any."""

    states: dict[str, NDArray[np.float64]]
    answer: NDArray[np.float64] | None


class Rerun:
    """A model on a sample's examples; each run is cached, and passes are counted.

    `pool` is how the store's states were pooled.
    """

    def __init__(self, subject: Subject, pool: str, seed: int, track: Track) -> None:
        if pool not in POOLS:
            raise InputError(f"the store's states were pooled by {pool!r}, which is not known here")
        self.subject, self.pool, self.seed, self.track = subject, pool, seed, track
        self.passes = 0
        self._done: MemoryCache[tuple[Any, ...], Read] = MemoryCache()
        self._moments: dict[bytes, Mapping[str, Moments]] = {}

    def own(self, places: Places) -> Read:
        """Run examples as they are."""
        moments, around = moments_reader(self.subject.adapter)
        read = self._run(places, "as it was", around=around)
        self._moments.setdefault(places.tobytes(), moments)
        return read

    def exchanged(self, modality: str, places: Places, draw: int) -> Read:
        """Run examples with a modality from another example each."""
        return self._run(places, f"with other {modality}", draw, exchange=modality)

    def donors(self, places: Places, draw: int) -> Places:
        """Return which example gives its modality to each, by their numbers in `places`."""
        return others(len(places), self.seed + draw)

    def noisy(self, modality: str, sigma: float, places: Places, draw: int, *, other: bool) -> Read:
        """Run examples with noise over a modality's states before fusion.

        `sigma` is how many times as loud as the states the noise is. With `other`, the modality
        under the noise is that of another example; the noise is the same.
        """
        if sigma == 0:
            return self.exchanged(modality, places, draw) if other else self.own(places)
        self.own(places)  # which notes the moments
        moments = self._moments[places.tobytes()][modality]
        louder = "noise alone" if math.isinf(sigma) else f"noise σ = {sigma:g}"

        def around(batch: Batch) -> AbstractContextManager[None]:
            fill = with_noise(moments, batch.places, self.seed + draw, sigma=sigma)
            return filled(self.subject.adapter, batch.inputs, {modality: fill})

        exchange = modality if other else None
        return self._run(places, f"{modality} under {louder}", draw, exchange, around)

    def hidden(self, modality: str, places: Places, layer: int, *, draw: int | None = None) -> Read:
        """Run examples with a modality's span hidden from all others, and read a layer.

        With `draw`, the modality is exchanged too. An `InputError` refuses a family that names no
        attention that could be cut, or pools by attention.
        """
        if self.pool == ATTENTION:
            raise InputError("states are pooled by attention, which is what would be cut")

        def around(batch: Batch) -> AbstractContextManager[None]:
            return span_hidden(self.subject.adapter, batch.inputs, modality)

        exchange = None if draw is None else modality
        return self._run(places, f"{modality} hidden", draw or 0, exchange, around, layer)

    def _run(
        self,
        places: Places,
        words: str,
        draw: int = 0,
        exchange: str | None = None,
        around: Around = nothing_around,
        layer: int = BEFORE_FUSION,
    ) -> Read:
        """Run examples in a way that `words` name, once; `exchange` names a modality."""

        def run() -> Read:
            adapter = self.subject.adapter
            subject = replace(self.subject, examples=[self.subject.examples[i] for i in places])
            change = None
            if exchange is not None:
                change = with_inputs_of(subject.examples, exchange, self.donors(places, draw))
            description = f"{subject.model} on {subject.dataset}, {words}"
            sites = [site for site in adapter.sites() if site.layer == layer]
            states: dict[str, list[NDArray[np.float64]]] = {}
            answers = []
            with (
                torch.inference_mode(),
                read_states(adapter.model, sites, POOLS[self.pool]) as reading,
            ):
                for batch in Runner(subject, self.track).batches(description, change):
                    with around(batch), enough_memory(batch):
                        found, answer = read_batch(adapter, batch.inputs, reading)
                    for name, state in found.items():
                        states.setdefault(name, []).append(state.double().cpu().numpy())
                    if answer is not None:
                        answers.append(answer.double().cpu().numpy())
            self.passes += len(places)
            return Read(
                {name: np.concatenate(parts) for name, parts in states.items()},
                np.concatenate(answers) if answers else None,
            )

        return self._done.get((words, exchange, places.tobytes(), draw, layer), run)

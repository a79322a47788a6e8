"""Batches of examples, halved where memory does not suffice."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from modalprism.capture.adapter import Adapter
from modalprism.capture.config import CaptureConfig
from modalprism.capture.notices import ShardNotices, cut_texts, prompt_of
from modalprism.capture.reading import HookedStates, read_batch
from modalprism.capture.store_writer import IndexEntry
from modalprism.datasets.example import Example
from modalprism.errors import InputError

Placed = tuple[int, Example]
"""An example, and its position in the dataset."""


class Sink(Protocol):
    """Receiver of captured rows, in the order of the examples, such as `StoreWriter`."""

    def add(
        self, rows: list[IndexEntry], arrays: Mapping[str, Tensor], notices: ShardNotices
    ) -> None:
        """Add the states, answers and notices of some rows."""

    def skip(self, position: int, name: str, why: str) -> None:
        """Record an example that cannot be used."""

    def flush(self) -> None:
        """Write everything that was added."""


@dataclass
class Batches:
    """Run examples in batches whose size adapts to the memory; `size` is that of the next."""

    adapter: Adapter
    sink: Sink
    config: CaptureConfig
    reading: HookedStates
    device: torch.device
    answer_alone: bool = False
    size: int = 0
    _begun: bool = False

    def __post_init__(self) -> None:
        self.size = self.size or self.config.first_batch

    def run_all(self, examples: Iterable[Placed]) -> Iterator[None]:
        """Run examples, batch by batch; yields after each.

        Raises InputError if an example cannot be prepared and ``on_error`` is "stop", a state is
        not finite, or memory does not suffice for a single example.
        """
        self._begun = False
        chunk: list[Placed] = []
        for one in examples:
            chunk.append(one)
            if len(chunk) >= self.size:
                self.run(chunk)
                yield
                chunk = []
        if chunk:
            self.run(chunk)
            yield

    def run(self, chunk: list[Placed]) -> None:
        """Run a batch, or its halves where memory does not suffice."""
        try:
            inputs = self.adapter.prepare([example for _, example in chunk])
        except (OSError, ValueError, TypeError, KeyError, InputError) as error:
            self._one_by_one(chunk, error)
            return
        try:
            moved = {name: value.to(self.device) for name, value in inputs.items()}
            found, answer = read_batch(self.adapter, moved, self.reading)
            dtype = getattr(torch, self.config.dtype)
            states = {name: state.to(dtype).cpu() for name, state in found.items()}
            states |= {} if answer is None else {"answer": answer.float().cpu()}
        except (torch.OutOfMemoryError, MemoryError) as error:
            if len(chunk) == 1:
                raise InputError(
                    f"memory does not suffice for the example {chunk[0][1].id!r} alone; choose "
                    "another device, or a smaller model",
                    parameter="device",
                ) from error
            half = self.size = max(len(chunk) // 2, 1)
        else:
            self._keep(chunk, states, self._notices(chunk, inputs, states))
            return
        # Outside the handler: what the failed pass held is free only now.
        gc.collect()
        for start in range(0, len(chunk), half):
            self.run(chunk[start : start + half])

    def _one_by_one(self, chunk: list[Placed], error: Exception) -> None:
        """Find the example that cannot be prepared, and skip it or stop."""
        if len(chunk) > 1:
            for one in chunk:
                self.run([one])
            return
        position, example = chunk[0]
        why = str(error) or type(error).__name__
        if self.config.on_error == "stop":
            self.sink.flush()
            raise InputError(
                f"the example {example.id!r} cannot be prepared: {why}; repair it, or skip such "
                "examples with on_error='skip'",
                parameter="on_error",
            ) from error
        self.sink.skip(position, example.id, why)

    def _notices(
        self, chunk: list[Placed], inputs: Mapping[str, Tensor], states: Mapping[str, Tensor]
    ) -> ShardNotices:
        if self.answer_alone:
            return ShardNotices()
        examples = [example for _, example in chunk]
        prompt = "" if self._begun else prompt_of(self.adapter, examples[0], inputs)
        self._begun = True
        first, second = self.adapter.modalities
        same = {}
        for name, state in states.items():
            modality, _, layer = name.partition("/")
            other = states.get(f"{second}/{layer}")
            if modality == first and other is not None and other.shape == state.shape:
                same[layer] = int((state == other).all(1).sum())
        counted = {layer: times for layer, times in same.items() if times}
        return ShardNotices(*cut_texts(self.adapter, examples, inputs), counted, prompt)

    def _keep(self, chunk: list[Placed], states: dict[str, Tensor], notices: ShardNotices) -> None:
        for name, state in states.items():
            if len(state) != len(chunk):
                raise InputError(
                    f"the state {name} has {len(state)} rows for {len(chunk)} examples; a state's "
                    "first axis is the example"
                )
            if name.startswith("tokens/"):
                continue  # they end in NaN, and are at most what was pooled
            bad = ~torch.isfinite(state).all(1)
            if bad.any():
                example = chunk[int(bad.nonzero()[0, 0])][1]
                empty = "its span is empty"
                large = f"it is more than {self.config.dtype} holds (give another dtype)"
                raise InputError(
                    f"the state {name} of the example {example.id!r} is not finite: "
                    f"{empty if torch.isnan(state[bad]).all() else large}, or the model overflows",
                    parameter="" if torch.isnan(state[bad]).all() else "dtype",
                )
        rows = [
            IndexEntry(position, example.id, example.label, example.groups)
            for position, example in chunk
        ]
        self.sink.add(rows, states, notices)

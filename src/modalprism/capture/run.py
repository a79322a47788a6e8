"""Run a loaded model on examples, in batches, and write states and answers to a store."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from modalprism.capture.adapter import BEFORE_FUSION, Adapter, Site
from modalprism.capture.config import CaptureConfig
from modalprism.capture.notices import ShardNotices, cut_texts, prompt_of
from modalprism.capture.reading import ATTENTION, POOLS, HookedStates, read_batch, read_states
from modalprism.capture.store import EmbeddingStore
from modalprism.capture.store_writer import SHARD_ROWS, IndexEntry, StoreWriter
from modalprism.datasets.dataset import Example
from modalprism.errors import InputError
from modalprism.progress import Track, silent


class RunConfig(CaptureConfig):
    """The options of a capture, the rows of a shard, and whether the answer alone is kept."""

    shard_rows: int = SHARD_ROWS
    answer_alone: bool = False


Capturer = Callable[[Iterable[Example], Path, RunConfig, int, Mapping[str, Any]], None]
"""Captures a number of examples into a folder, with more metadata of the store."""


def device_named(name: str) -> torch.device:
    """Return a device; ``auto`` is a GPU where there is one.

    Raises InputError if there is no such device here.
    """
    if name != "auto":
        try:
            torch.empty(0, device=name)
        except (RuntimeError, AssertionError) as error:
            words = str(error).splitlines()[0]
            raise InputError(
                f"the device {name!r} cannot be used ({words}); auto takes a GPU where there is "
                "one",
                parameter="device",
            ) from error
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def chosen_sites(adapter: Adapter, config: RunConfig) -> tuple[Site, ...]:
    """Choose an adapter's sites: those before fusion, and those of the chosen layers.

    Raises InputError if the model has no such layer.
    """
    sites = () if config.answer_alone else adapter.sites()
    if not sites or config.layers is None:
        return sites
    present = {site.layer for site in sites}
    if missing := sorted(set(config.layers) - present):
        raise InputError(
            f"the model has no layer {missing[0]}; it has {min(present)} to {max(present)}, and 0 "
            "is before fusion"
        )
    return tuple(site for site in sites if site.layer in {BEFORE_FUSION, *config.layers})


def run_capture(
    adapter: Adapter,
    examples: Iterable[Example],
    out: Path,
    *,
    metadata: Mapping[str, Any],
    config: RunConfig | None = None,
    total: int = 0,
    track: Track = silent,
) -> EmbeddingStore:
    """Run a model on examples and write pooled states and answers into the folder `out`.

    The examples come always in the same order: a capture that was killed goes on after the last
    whole shard. `metadata` of the store beside the settings are model, revision, dataset, seed and
    versions; `total` is the number of examples, for the progress, or 0.

    Raises InputError if an example cannot be prepared and ``on_error`` is "stop", a state is not
    finite, an id stands twice, memory does not suffice for a single example, or `out` holds another
    capture.
    """
    config = config or RunConfig()
    device_named(config.device)
    writer = StoreWriter(out, description_of(adapter, config, metadata), config.shard_rows)
    begin, _ = writer.resume()
    with opened_batches(adapter, writer, config) as batches:
        stream = track(examples, total=total, description=f"capturing into {out.name}")
        for _ in batches.run_all(_remaining(stream, begin)):
            pass
    writer.finish()
    return EmbeddingStore.open(out)


def _remaining(examples: Iterable[Example], begin: int) -> Iterator[Placed]:
    seen: set[str] = set()
    for position, example in enumerate(examples):
        refuse_twice(example.id, seen)
        if position >= begin:
            yield position, example


def refuse_twice(identity: str, seen: set[str]) -> None:
    """Refuse an id that was seen before."""
    if identity in seen:
        raise InputError(f"two examples have the id {identity!r}; ids must differ")
    seen.add(identity)


@contextmanager
def opened_batches(adapter: Adapter, sink: Sink, config: RunConfig) -> Iterator[Batches]:
    """Move the model to its device and read its states inside the block."""
    device = device_named(config.device)
    adapter.model.to(device).eval()
    sites, attended = chosen_sites(adapter, config), config.pool == ATTENTION
    hooks = read_states(
        adapter.model, sites, POOLS[config.pool], tokens=config.tokens, attended=attended
    )
    with torch.inference_mode(), hooks as reading:
        yield Batches(adapter, sink, config, reading, device)


def description_of(
    adapter: Adapter, config: RunConfig, metadata: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the metadata of a store: everything that changes its bytes.

    Raises InputError if the model cannot tell the candidates apart.
    """
    sites = chosen_sites(adapter, config)
    layers = sorted({site.layer for site in sites})
    adapter.check_candidates()
    optional = {
        "unknown_candidates": adapter.unknown_candidates(),
        "same_candidates": adapter.same_candidates(),
        "layer_names": {str(layer): name for layer, name in adapter.layer_names().items()},
    }
    return {
        **metadata,
        **{name: found for name, found in optional.items() if found},
        "adapter": type(adapter).__name__,
        "modalities": list(adapter.modalities),
        "candidates": list(adapter.candidates),
        "fusion": adapter.fusion,
        "pool": config.pool,
        "tokens": config.tokens,
        "dtype": config.dtype,
        "layers": layers,
        "sites": [
            f"{'+'.join(site.modalities)} at {site.layer}: {site.reads} of {site.module or 'model'}"
            for site in sites
        ],
    }


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
    config: RunConfig
    reading: HookedStates
    device: torch.device
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
            states = self._states(inputs)
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

    def _states(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        # A function of its own: what it holds on the device is freed where a pass fails.
        inputs = {name: value.to(self.device) for name, value in inputs.items()}
        states, answer = read_batch(self.adapter, inputs, self.reading)
        dtype = getattr(torch, self.config.dtype)
        kept = {name: state.to(dtype).cpu() for name, state in states.items()}
        return kept if answer is None else kept | {"answer": answer.float().cpu()}

    def _notices(
        self, chunk: list[Placed], inputs: Mapping[str, Tensor], states: Mapping[str, Tensor]
    ) -> ShardNotices:
        if self.config.answer_alone:
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

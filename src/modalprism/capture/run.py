"""Run a loaded model on examples and write states and answers to a store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from modalprism.capture.adapter import BEFORE_FUSION, Adapter, Site
from modalprism.capture.batches import Batches, Placed, Sink
from modalprism.capture.config import CaptureConfig
from modalprism.capture.pooling import ATTENTION, POOLS
from modalprism.capture.reading import read_states
from modalprism.capture.store import EmbeddingStore
from modalprism.capture.store_writer import SHARD_ROWS, StoreWriter
from modalprism.datasets.example import Example
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
        yield Batches(adapter, sink, config, reading, device, config.answer_alone)


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

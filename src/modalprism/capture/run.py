"""Capture: examples through a model, states and answers into a store, in inference only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from modalprism.capture.adapter import BEFORE_FUSION, Adapter, Site
from modalprism.capture.batches import Batches, Placed, Sink
from modalprism.capture.pooling import ATTENTION, POOLS
from modalprism.capture.reading import StatePooling, read_states
from modalprism.capture.settings import FIRST_BATCH, CaptureSettings, device_named
from modalprism.capture.store import EmbeddingStore
from modalprism.capture.store_writer import StoreWriter
from modalprism.datasets.example import Example
from modalprism.errors import InputError
from modalprism.progress import Track, silent

__all__ = [
    "FIRST_BATCH",
    "CaptureSettings",
    "Capturer",
    "chosen_sites",
    "device_named",
    "run_capture",
]

Capturer = Callable[[Iterable[Example], Path, CaptureSettings, int, Mapping[str, Any]], None]
"""Captures examples, of which there are so many, into a folder; the store says more beside."""


def chosen_sites(adapter: Adapter, layers: Sequence[int] | None) -> tuple[Site, ...]:
    """Choose an adapter's sites: those before fusion, and those of the layers asked for.

    Raises
    ------
    InputError
        If the model has no such layer.
    """
    sites = adapter.sites()
    known = {site.layer for site in sites}
    if layers is None:
        return sites
    if missing := sorted(set(layers) - known):
        raise InputError(
            f"the model has no layer {missing[0]}; it has {min(known)} to {max(known)}, and 0 is "
            "before fusion"
        )
    return tuple(site for site in sites if site.layer in {BEFORE_FUSION, *layers})


def run_capture(
    adapter: Adapter,
    examples: Iterable[Example],
    out: Path,
    *,
    metadata: Mapping[str, Any],
    settings: CaptureSettings | None = None,
    total: int = 0,
    track: Track = silent,
) -> EmbeddingStore:
    """Run a model on examples and keep pooled states and answers, a part at a time.

    Parameters
    ----------
    adapter : Adapter
    examples : iterable of Example
        Always in the same order: a capture that was killed goes on after the last whole part.
    out : Path
        The store's folder.
    metadata : mapping
        What the store says of itself beside the settings: model, revision, dataset, seed, versions.
    settings : CaptureSettings, optional
    total : int
        How many examples there are, for the progress; 0 where nobody knows.
    track : Track
        Shows progress.

    Returns
    -------
    EmbeddingStore

    Raises
    ------
    InputError
        If an example cannot be prepared and ``on_error`` is "stop", a state is not finite, an id
        stands twice, memory does not suffice for a single example, or `out` holds another capture.
    """
    settings = settings or CaptureSettings()
    device_named(settings.device)
    writer = StoreWriter(out, description_of(adapter, settings, metadata), settings.shard_rows)
    begin, _ = writer.resume()
    with opened_batches(adapter, writer, settings) as batches:
        stream = track(examples, total=total, description=f"capturing into {out.name}")
        for _ in batches.run_all(_not_yet(stream, begin)):
            pass
    writer.finish()
    return EmbeddingStore.open(out)


def _not_yet(examples: Iterable[Example], begin: int) -> Iterator[Placed]:
    """Yield the examples that are not captured yet, with their positions."""
    seen: set[str] = set()
    for position, example in enumerate(examples):
        refuse_twice(example.id, seen)
        if position >= begin:
            yield position, example


def refuse_twice(identity: str, seen: set[str]) -> None:
    """Refuse an id that was seen before.

    Raises
    ------
    InputError
        If it was.
    """
    if identity in seen:
        raise InputError(f"two examples have the id {identity!r}; ids must differ")
    seen.add(identity)


@contextmanager
def opened_batches(adapter: Adapter, sink: Sink, settings: CaptureSettings) -> Iterator[Batches]:
    """Bring the model to its device, and read its states while the block runs."""
    device = device_named(settings.device)
    adapter.model.to(device).eval()
    how = StatePooling(POOLS[settings.pool], settings.tokens, attended=settings.pool == ATTENTION)
    with (
        torch.inference_mode(),
        read_states(adapter.model, _sites(adapter, settings), how) as reading,
    ):
        yield Batches(adapter, sink, settings, reading, device)


def _sites(adapter: Adapter, settings: CaptureSettings) -> tuple[Site, ...]:
    return () if settings.answer_alone else chosen_sites(adapter, settings.layers)


def description_of(
    adapter: Adapter, settings: CaptureSettings, metadata: Mapping[str, Any]
) -> dict[str, Any]:
    """Say what the store is; all that makes other bytes stands here, and nothing else."""
    sites = _sites(adapter, settings)
    layers = sorted({site.layer for site in sites})
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
        "pool": settings.pool,
        "tokens": settings.tokens,
        "dtype": settings.dtype,
        "layers": layers,
        "sites": [
            f"{'+'.join(site.modalities)} at {site.layer}: {site.reads} of {site.module or 'model'}"
            for site in sites
        ],
    }

"""Capture: examples through a model, states and answers into a store, in inference only."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import torch
from torch import Tensor

from modalprism.capture.adapter import BEFORE_FUSION, Adapter, Site
from modalprism.capture.parts_writer import PART_ROWS, PartsWriter, Row
from modalprism.capture.pooling import ATTENTION, POOLS
from modalprism.capture.reading import Reader, Reading, read_batch, read_states
from modalprism.capture.store import EmbeddingStore
from modalprism.datasets.example import Example
from modalprism.errors import InputError
from modalprism.progress import Track, silent

FIRST_BATCH: Final = 32
DTYPES: Final = {
    "float16": torch.float16,
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
}


@dataclass(frozen=True)
class CaptureSettings:
    """How a capture runs.

    Attributes
    ----------
    layers : tuple of int, optional
        Which layers beside that before fusion; all by default.
    pool : {"mean", "last", "max", "attention"}
        From the states of a span to one state; "attention" is a mean weighed by the attention that
        a position receives in its layer.
    tokens : int
        How many single positions of every span are kept beside, ``tokens/image/3``, evenly spaced;
        0 for none.
    batch_size : int
        Halved whenever memory does not suffice.
    dtype : {"float16", "float32", "bfloat16"}
        Of the states in the store.
    device : str
        Such as ``cpu`` or ``cuda:0``; ``auto`` is a GPU where there is one.
    on_error : {"stop", "skip"}
        What an example that cannot be prepared does.
    part_rows : int
        Rows a part of the store.
    answer_alone : bool
        Whether the answer is kept and no state.
    """

    layers: tuple[int, ...] | None = None
    pool: str = "mean"
    tokens: int = 0
    batch_size: int = FIRST_BATCH
    dtype: str = "float16"
    device: str = "auto"
    on_error: Literal["stop", "skip"] = "stop"
    part_rows: int = PART_ROWS
    answer_alone: bool = False

    def __post_init__(self) -> None:
        for name, value, known in (("pool", self.pool, POOLS), ("dtype", self.dtype, DTYPES)):
            if value not in known:
                raise InputError(f"there is no {name} {value!r}; choose from {', '.join(known)}")
        if self.on_error not in {"stop", "skip"}:
            raise InputError(f"on_error is {self.on_error!r}; it is stop or skip")
        device_named(self.device)
        if self.tokens < 0:
            raise InputError(f"tokens is {self.tokens}; give 0 for none, or how many to keep")
        if self.batch_size < 1:
            raise InputError(f"the batch size is {self.batch_size}; give 1 or more")


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
    words: Mapping[str, Any],
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
    words : mapping
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
    sites = () if settings.answer_alone else chosen_sites(adapter, settings.layers)
    device = device_named(settings.device)
    writer = PartsWriter(out, _description(adapter, settings, sites, words), settings.part_rows)
    begin, _ = writer.resume()
    adapter.model.to(device).eval()
    how = Reader(POOLS[settings.pool], settings.tokens, attended=settings.pool == ATTENTION)
    batches = _Batches(adapter, writer, settings, begin)
    with (
        torch.inference_mode(),
        read_states(adapter.model, sites, how) as reading,
    ):
        stream = track(examples, total=total, description=f"capturing into {out.name}")
        for chunk in batches.of(stream):
            batches.run(chunk, reading, device)
    writer.finish()
    return EmbeddingStore.open(out)


def device_named(name: str) -> torch.device:
    """Return a device; ``auto`` is a GPU where there is one.

    Raises
    ------
    InputError
        If there is no such device here.
    """
    if name != "auto":
        try:
            torch.empty(0, device=name)
        except (RuntimeError, AssertionError) as error:
            words = str(error).splitlines()[0]
            raise InputError(
                f"the device {name!r} cannot be used ({words}); auto takes a GPU where there is one"
            ) from error
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _description(
    adapter: Adapter, settings: CaptureSettings, sites: Sequence[Site], words: Mapping[str, Any]
) -> dict[str, Any]:
    """Say what the store is; all that makes other bytes stands here, and nothing else."""
    layers = sorted({site.layer for site in sites})
    return {
        **words,
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


@dataclass
class _Batches:
    """Examples in batches, smaller ones once memory did not suffice."""

    adapter: Adapter
    writer: PartsWriter
    settings: CaptureSettings
    begin: int
    size: int = 0

    def of(self, examples: Iterable[Example]) -> Iterator[list[tuple[int, Example]]]:
        """Cut the examples that are not captured yet into batches."""
        self.size = self.settings.batch_size
        seen: set[str] = set()
        chunk: list[tuple[int, Example]] = []
        for position, example in enumerate(examples):
            if example.id in seen:
                raise InputError(f"two examples have the id {example.id!r}; ids must differ")
            seen.add(example.id)
            if position < self.begin:
                continue
            chunk.append((position, example))
            if len(chunk) >= self.size:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    def run(self, chunk: list[tuple[int, Example]], reading: Reading, device: torch.device) -> None:
        """Run a batch, or its halves where memory does not suffice."""
        try:
            inputs = self.adapter.prepare([example for _, example in chunk])
        except (OSError, ValueError, TypeError, KeyError, InputError) as error:
            self._one_by_one(chunk, reading, device, error)
            return
        try:
            states = self._states(inputs, reading, device)
        except (torch.OutOfMemoryError, MemoryError) as error:
            if len(chunk) == 1:
                raise InputError(
                    f"memory does not suffice for the example {chunk[0][1].id!r} alone; choose "
                    "another --device, or a smaller model"
                ) from error
            half = self.size = max(len(chunk) // 2, 1)
        else:
            self._keep(chunk, states)
            return
        # Outside the handler: what the failed pass held is free only now.
        gc.collect()
        for start in range(0, len(chunk), half):
            self.run(chunk[start : start + half], reading, device)

    def _one_by_one(
        self,
        chunk: list[tuple[int, Example]],
        reading: Reading,
        device: torch.device,
        error: Exception,
    ) -> None:
        """Find the example that cannot be prepared, and skip it or stop."""
        if len(chunk) > 1:
            for one in chunk:
                self.run([one], reading, device)
            return
        position, example = chunk[0]
        why = str(error) or type(error).__name__
        if self.settings.on_error == "stop":
            self.writer.flush()
            raise InputError(
                f"the example {example.id!r} cannot be prepared: {why}; mend it, or skip such "
                "examples with --on-error skip"
            ) from error
        self.writer.skip(position, example.id, why)

    def _states(
        self, inputs: Mapping[str, Tensor], reading: Reading, device: torch.device
    ) -> dict[str, Tensor]:
        """Run the model on prepared inputs and return what the store keeps."""
        adapter = self.adapter
        inputs = {name: value.to(device) for name, value in inputs.items()}
        states, answer = read_batch(adapter, inputs, reading)
        dtype = DTYPES[self.settings.dtype]
        kept = {name: state.to(dtype).cpu() for name, state in states.items()}
        return kept if answer is None else kept | {"answer": answer.float().cpu()}

    def _keep(self, chunk: list[tuple[int, Example]], states: dict[str, Tensor]) -> None:
        for name, state in states.items():
            if name.startswith("tokens/"):
                continue  # they end in NaN, and are at most what was pooled
            bad = ~torch.isfinite(state).all(1)
            if bad.any():
                example = chunk[int(bad.nonzero()[0, 0])][1]
                empty = "its span is empty"
                large = f"it is more than {self.settings.dtype} holds (give another --dtype)"
                raise InputError(
                    f"the state {name} of the example {example.id!r} is not finite: "
                    f"{empty if torch.isnan(state[bad]).all() else large}, or the model overflows"
                )
        rows = [
            Row(position, example.id, example.label, example.groups) for position, example in chunk
        ]
        self.writer.add(rows, states)

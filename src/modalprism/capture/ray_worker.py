"""Worker of a capture on a Ray cluster: it loads the model once and captures stretches of examples.

A worker records the calls of a store's writer, in the order of its examples, and the main process
replays them. No worker needs to reach the store.
"""

from __future__ import annotations

import json
import os
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

import pyarrow as pa
from safetensors.torch import load, save
from torch import Tensor

from modalprism.capture.loading import ModelSpec, quiet_library
from modalprism.capture.notices import ShardNotices
from modalprism.capture.reading import ATTENTION
from modalprism.capture.redrawn import RedrawnPairs
from modalprism.capture.run import Batches, Placed, RunConfig, Sink, description_of, opened_batches
from modalprism.capture.store_writer import IndexEntry
from modalprism.datasets.dataset import Example
from modalprism.datasets.examples import CountedExamples
from modalprism.engines.interface import TRIES
from modalprism.errors import InputError, WorkerError
from modalprism.strict_json import dumps


class Tally:
    """Counter of begun stretches, an actor that survives the workers."""

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()

    def begun(self, begin: int) -> int:
        """Count one more beginning, and return how many there were."""
        self._begun[begin] += 1
        return self._begun[begin]


RECORDED: Final = pa.schema(
    [("what", pa.string()), ("words", pa.string()), ("states", pa.binary())]
)
"""A worker's result: one line for each call of the writer, in order."""


def check_same(examples: CountedExamples, fingerprint: str) -> None:
    """Refuse a dataset that differs from the one of the main process."""
    try:
        found = examples.fingerprint()
    except OSError as error:
        raise InputError(
            f"the worker on {socket.gethostname()} cannot read the dataset "
            f"({error.strerror or error}: {error.filename}); put it, and the files that it "
            "names, at the same path on every machine"
        ) from error
    if found != fingerprint:
        raise InputError(
            f"the worker on {socket.gethostname()} sees another dataset at the same path, or "
            "not all files that it names; let every machine see the same"
        )


@dataclass
class Recorder:
    """Sink that records its calls, for replay by the main process."""

    lines: list[tuple[str, str, bytes]] = field(default_factory=list)

    def add(
        self, rows: list[IndexEntry], arrays: Mapping[str, Tensor], notices: ShardNotices
    ) -> None:
        """Record rows; labels and groups become strings as in the index."""
        written = []
        for row in rows:
            plain = row.label is None or isinstance(row.label, int)
            groups = {name: str(value) for name, value in row.groups.items()}
            label = row.label if plain else str(row.label)
            written.append(asdict(replace(row, label=label, groups=groups)))
        states = save({name: value.contiguous() for name, value in arrays.items()})
        words = dumps({"rows": written, "notices": notices.stored()})
        self.note("add", words, states)

    def skip(self, position: int, name: str, why: str) -> None:
        """Record an example that cannot be used."""
        self.note("skip", dumps([position, name, why]))

    def flush(self) -> None:
        """Record the end."""
        self.note("flush")

    def note(self, what: str, words: str = "", states: bytes = b"") -> None:
        """Record a call, or what else happened to the worker."""
        self.lines.append((what, words, states))

    def take(self) -> pa.Table:
        """Return the calls recorded since the last time."""
        lines, self.lines = self.lines, []
        columns = zip(*lines, strict=True) if lines else ((), (), ())
        return pa.table(
            [pa.array(column, kind.type) for column, kind in zip(columns, RECORDED, strict=True)],
            schema=RECORDED,
        )


def replay(sink: Sink | None, what: str, words: str, states: bytes) -> list[str]:
    """Replay a recorded call on a sink, and return the ids concerned.

    There is no sink yet where the worker had to stop before it could say what the store is.

    Raises InputError if the worker had to stop; WorkerError if it died over the same examples again
    and again.
    """
    if sink is None or what in {"stop", "died"}:
        raise WorkerError(words) if what == "died" else InputError(words)
    if what == "add":
        recorded = json.loads(words)
        rows = [IndexEntry(**row) for row in recorded["rows"]]
        sink.add(rows, load(states), ShardNotices(**recorded["notices"]))
        return [row.id for row in rows]
    if what == "skip":
        position, name, why = json.loads(words)
        sink.skip(position, name, why)
        return [name]
    sink.flush()
    return []


@dataclass
class CaptureWorker:
    """Actor that captures stretches of examples.

    It reads the examples of `feed`, or gets them with their stretch. `fingerprint` is that of the
    dataset in the main process, and `folder` the working folder there, to which names of files are
    relative; `more` is further metadata of the store. `begun` counts, over all workers, how often a
    stretch was begun.
    """

    spec: ModelSpec
    feed: CountedExamples | RedrawnPairs | None
    fingerprint: str
    config: RunConfig
    more: Mapping[str, Any]
    folder: str
    begun: Callable[[int], int]
    _recorder: Recorder = field(default_factory=Recorder)
    _batches: Batches | None = None
    _description: str = ""
    _open: ExitStack = field(default_factory=ExitStack)

    def __call__(self, stretch: pa.Table) -> Iterator[pa.Table]:
        """Capture one stretch, and send back each batch as soon as it is done."""
        (one,) = stretch.to_pylist()
        begin, end = one["begin"], one["end"]
        if self.begun(begin) > TRIES:
            words = f"the worker died {TRIES} times over the examples from {begin} to {end - 1}"
            self._recorder.note("died", words)
            yield self._recorder.take()
            return
        try:
            batches = self._ready()
            self._recorder.note("is", self._description)
            examples = self._examples(begin, end, one["examples"])
            for _ in batches.run_all(examples):
                yield self._recorder.take()
        except InputError as error:
            # As a line of its own: what was captured before it comes first, and is kept.
            self._recorder.note("stop", str(error))
        yield self._recorder.take()

    def _examples(self, begin: int, end: int, shipped: bytes) -> Iterator[Placed]:
        if begin == end:
            return
        found: Iterable[Example]
        if self.feed is not None:
            found = self.feed.between(begin, end)
        else:
            from ray import cloudpickle

            found = cloudpickle.loads(shipped)
        position = begin
        for position, example in enumerate(found, begin + 1):
            yield position - 1, example
        if position != end:
            raise InputError(
                f"the dataset has {position - begin} examples from position {begin} to {end}: it "
                "has changed since it was opened; give the command again"
            )

    def _ready(self) -> Batches:
        if self._batches is None:
            with suppress(OSError):  # a machine without that folder: the check of the feed says so
                os.chdir(self.folder)
            quiet_library()
            if isinstance(self.feed, CountedExamples):
                check_same(self.feed, self.fingerprint)
            adapter = self.spec.load(attention=self.config.pool == ATTENTION)
            words = {**self.spec.metadata(adapter), **self.more}
            self._description = dumps(description_of(adapter, self.config, words))
            self._batches = self._open.enter_context(
                opened_batches(adapter, self._recorder, self.config)
            )
        return self._batches

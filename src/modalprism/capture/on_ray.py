"""Capture on a Ray cluster: stretches of examples go through Ray Data to workers with the model.

Each worker of a pool loads the model once, and this process writes their results into the store, in
the order of the examples. Batches are the same as in one process, and so is the store.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from modalprism.capture.loading import ModelSpec
from modalprism.capture.ray_worker import CaptureWorker, Tally, replay
from modalprism.capture.redrawn import RedrawnPairs
from modalprism.capture.run import Capturer, RunConfig, refuse_twice
from modalprism.capture.shards import StoreReader, finished_shards, is_finished
from modalprism.capture.store_writer import StoreWriter
from modalprism.datasets.dataset import Example
from modalprism.datasets.examples import CountedExamples
from modalprism.engines import RayEngine
from modalprism.engines.ray_cluster import connected
from modalprism.engines.ray_nodes import check_versions
from modalprism.errors import InputError, WorkerError
from modalprism.progress import Track

_LOG: Final = logging.getLogger("modalprism.capture")
_POOL_THREAD: Final = "StreamingExecutor"
_END_SECONDS: Final = 60.0
_STRETCHES: Final = 4
"""So many a worker at least, where there are enough examples: none waits long for the last."""
_STRETCH: Final = pa.schema([("begin", pa.int64()), ("end", pa.int64()), ("examples", pa.binary())])


@contextmanager
def workers_for(
    spec: ModelSpec, config: RunConfig, engine: RayEngine, track: Track
) -> Iterator[Capturer]:
    """Join the cluster and yield a function that captures examples into a folder.

    Each worker of the engine holds a copy of the model; 0 workers mean one for every GPU of the
    cluster, or for every CPU where there is none, and more there cannot be. Raises InputError if
    Ray is missing, no cluster can be joined, a GPU is asked for and it has none, or a node has
    other versions.
    """
    engine.ready()
    with ExitStack() as opened:
        ray = opened.enter_context(connected(engine.address, engine.workers or os.cpu_count() or 1))
        workers, gpus = _workers(ray, engine, config.device)
        check_versions(ray)
        opened.enter_context(_code_of(spec.config.adapter, spec.model))
        yield _OnRay(spec, workers, gpus, track)


def _workers(ray: Any, engine: RayEngine, device: str) -> tuple[int, int]:
    """Return the number of workers, and of GPUs for each.

    Ray would wait for ever for what no machine has.
    """
    found = ray.cluster_resources()
    cpus, gpus = int(found.get("CPU", 0)), int(found.get("GPU", 0))
    needs_gpu = device.startswith("cuda")
    if needs_gpu and not gpus:
        raise InputError(
            f"the device is {device!r}, and no machine of the Ray cluster has a GPU; add one, or "
            "choose the device 'cpu'",
            parameter="device",
        )
    kind, have = ("GPU", gpus) if needs_gpu or (device == "auto" and gpus) else ("CPU", cpus)
    if engine.workers > have:  # a study's workers are analyses, of which more may be done at once
        _LOG.info("the Ray cluster has %d %ss: %d workers", have, kind, have)
    return min(engine.workers or have, have), int(kind == "GPU")


@dataclass(frozen=True)
class _OnRay:
    """Function that captures examples into a folder on the workers of a cluster."""

    spec: ModelSpec
    workers: int
    gpus: int
    track: Track

    def __call__(
        self,
        examples: Iterable[Example],
        out: Path,
        config: RunConfig,
        total: int,
        more: Mapping[str, Any],
    ) -> None:
        shards = finished_shards(out)
        begin = shards[-1].end if shards else 0
        seen = {name for shard in shards for name, _ in shard.skipped}
        if any(shard.rows for shard in shards):
            seen |= set(StoreReader.open(out).array("id").tolist())
        stretches = list(self._stretches(examples, begin, config, is_finished(out)))
        feed = examples if isinstance(examples, CountedExamples | RedrawnPairs) else None
        writer: StoreWriter | None = None
        described = ""

        def captured(results: Iterable[tuple[str, str, bytes]]) -> Iterator[int]:
            nonlocal writer, described
            yield from range(begin)
            for what, words, states in results:
                if what == "is":
                    described = described or words
                    first, other = json.loads(described), json.loads(words)
                    if key := min((k for k in first if first[k] != other.get(k)), default=""):
                        raise InputError(
                            f"two workers of the Ray cluster differ: the {key} of one is "
                            f"{first[key]!r}, of the other {other.get(key)!r}; let all machines "
                            "see the same model and versions"
                        )
                    if writer is None:
                        writer = StoreWriter(out, json.loads(words), config.shard_rows)
                        writer.resume()
                    continue
                for identity in replay(writer, what, words, states):
                    refuse_twice(identity, seen)
                    yield 1

        # Closed, so that the workers end now, and not when an error that was raised is forgotten.
        with _threads_ended(), closing(self._results(stretches, feed, config, more)) as results:
            done = captured(results)
            for _ in self.track(done, total=total, description=f"capturing into {out.name}"):
                pass
        if writer is not None:
            writer.finish()

    def _stretches(
        self, examples: Iterable[Example], begin: int, config: RunConfig, done: bool
    ) -> Iterator[pa.Table]:
        """Divide the remaining examples into stretches of whole batches.

        There is always one, if an empty one: its worker says what the store is, and so whether it
        is gone on with.
        """
        if isinstance(examples, CountedExamples | RedrawnPairs):
            end = begin if done else len(examples)
            # Whole batches, at most a shard, and several for every worker.
            rows = min(config.shard_rows, (end - begin) // (self.workers * _STRETCHES))
            size = max(rows // config.first_batch, 1) * config.first_batch
            for start in range(begin, end, size) or (begin,):
                yield _stretch(start, min(start + size, end), b"")
            return
        cloudpickle: Any = import_module("ray.cloudpickle")
        # What cannot be opened there, or counted, is sent, undecoded where it is so here.
        size, given = config.first_batch, islice(examples, begin, None)
        while chunk := list(islice(given, size)):
            yield _stretch(begin, begin + len(chunk), cloudpickle.dumps(chunk))
            begin += len(chunk)
        yield _stretch(begin, begin, cloudpickle.dumps([]))

    def _results(
        self,
        stretches: list[pa.Table],
        feed: CountedExamples | RedrawnPairs | None,
        config: RunConfig,
        more: Mapping[str, Any],
    ) -> Generator[tuple[str, str, bytes], None, None]:
        ray: Any = import_module("ray")
        data: Any = import_module("ray.data")
        device = config.device
        if device == "auto" or device.startswith("cuda"):  # a worker sees no GPU but its own
            device = "cuda" if self.gpus else "cpu"
        tally = ray.remote(Tally).options(num_cpus=0, max_restarts=-1).remote()
        fingerprint = self.spec.fingerprint
        if isinstance(feed, CountedExamples) and not fingerprint:
            fingerprint = feed.fingerprint()
        arguments = {
            "spec": self.spec,
            "feed": feed,
            "fingerprint": fingerprint,
            "config": config.model_copy(update={"device": device}),
            "more": dict(more),
            "folder": str(Path.cwd()),
            "begun": lambda begin: ray.get(tally.begun.remote(begin)),
        }
        with _quiet_and_in_order(data):
            recorded = data.from_arrow(stretches).map_batches(
                CaptureWorker,
                fn_constructor_kwargs=arguments,
                batch_size=None,
                batch_format="pyarrow",
                zero_copy_batch=True,
                compute=data.ActorPoolStrategy(size=min(self.workers, len(stretches))),
                num_cpus=1,
                num_gpus=self.gpus,
            )
            try:
                tables: Iterable[Any] = recorded.iter_batches(
                    batch_size=None, batch_format="pyarrow", prefetch_batches=0
                )
                for table in tables:
                    for line in table.to_pylist():
                        yield line["what"], line["words"], line["states"]
            except ray.exceptions.RayError as error:
                raise WorkerError(f"the Ray cluster could not go on: {_cause(error)}") from error


def _stretch(begin: int, end: int, examples: bytes) -> pa.Table:
    return pa.table([[begin], [end], pa.array([examples], pa.binary())], schema=_STRETCH)


def _cause(error: BaseException) -> str:
    while isinstance(cause := getattr(error, "cause", None), BaseException):
        error = cause
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1] if "Traceback" in str(error) else lines[0]


@contextmanager
def _quiet_and_in_order(data: Any) -> Iterator[None]:
    """Make Ray Data keep the order, without progress bars and log messages."""
    context = data.DataContext.get_current()
    options, logger = context.execution_options, logging.getLogger("ray.data")
    before = options.preserve_order, context.enable_progress_bars, logger.level
    options.preserve_order, context.enable_progress_bars = True, False
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        options.preserve_order, context.enable_progress_bars = before[:2]
        logger.setLevel(before[2])


@contextmanager
def _threads_ended() -> Iterator[None]:
    """Wait for the thread of Ray Data that runs the pool, if it was stopped early.

    It would ask a cluster that was left meanwhile, at which Ray ends the process without a word.
    """
    before = set(threading.enumerate())
    try:
        yield
    finally:
        for thread in set(threading.enumerate()) - before:
            if thread.name.startswith(_POOL_THREAD):
                thread.join(_END_SECONDS)


@contextmanager
def _code_of(*things: Any) -> Iterator[None]:
    cloudpickle: Any = import_module("ray.cloudpickle")
    classes = [thing if isinstance(thing, type) else type(thing) for thing in things]
    names = {one.__module__ for one in classes} - {"builtins", "pathlib", "__main__"}
    own = [
        sys.modules[name]
        for name in sorted(names)
        if name.partition(".")[0] not in {"modalprism", "transformers", "torch"}
    ]
    for module in own:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in own:
            cloudpickle.unregister_pickle_by_value(module)

"""Have a study's analyses done, each once, and keep every one as soon as it is done.

Analyses may be done anywhere: what does one sends back the content of its two files, and this
process writes them. So results need no disk that all machines share, and none is lost with one.

A run that is killed takes up again what it had finished, where that was made from the same store,
with the same settings, by the same code.
"""

from __future__ import annotations

import errno
import hashlib
import socket
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from modalprism.capture.store import EmbeddingStore
from modalprism.engines import Engine, Job
from modalprism.errors import InputError
from modalprism.estimation.threads import one_thread
from modalprism.files import file_name, write_whole
from modalprism.foreign import parse_json
from modalprism.progress import Track
from modalprism.strict_json import dumps
from modalprism.studies.evidence_store import AnalysisKey, StoredEvidence, pack, unpack
from modalprism.studies.views import Settings, Task, run_task

Rows = list[dict[str, Any]]
_ROOMS: Final = ("pid", "estimation", "studies")


class Packed(NamedTuple):
    """An analysis as it travels: the content of its two files."""

    rows: str
    evidence: bytes


class Finished(NamedTuple):
    """An analysis's rows of the profile, and the evidence that it rests on."""

    rows: Rows
    evidence: dict[AnalysisKey, StoredEvidence]


def run_tasks(
    planned: Sequence[tuple[Task, EmbeddingStore]],
    settings: Settings,
    folder: Path,
    *,
    engine: Engine,
    fresh: bool,
    track: Track,
) -> Finished:
    """Have every analysis done that is not done yet, each in one thread.

    Parameters
    ----------
    planned : sequence of (Task, EmbeddingStore)
    settings : Settings
    folder : Path
        Where finished analyses are kept.
    engine : Engine
        Where they are done; the same bytes come out of all.
    fresh : bool
        Do again what was done before.
    track : Track
        Shows progress.

    Returns
    -------
    Finished
        The rows of every task, in the order planned, and the evidence of all.

    Raises
    ------
    InputError
        If a store cannot be analysed, or read where the work is done; what was finished is kept.
    WorkerError
        If what does the work dies every time; what was finished is kept.
    """
    digests = {store.path: store.digest() for _, store in planned}
    keys = [_key(task, digests[store.path], settings) for task, store in planned]
    known = {} if fresh else {key: _read(folder, key) for key in keys}
    here = socket.gethostname()
    missing = {
        # A worker may stand in another folder: the store's whole path travels.
        key: (task, replace(store, path=store.path.absolute()), digests[store.path], here)
        for key, (task, store) in zip(keys, planned, strict=True)
        if known.get(key) is None
    }
    jobs = [Job(key, _analyse, (*what, settings)) for key, what in missing.items()]
    with closing(engine.run(jobs, track=track, description="analysing")) as results:
        for key, packed in results:
            known[key] = _written(folder, key, packed)
    done = [finished for key in keys if (finished := known[key]) is not None]
    return Finished(
        [row for finished in done for row in finished.rows],
        {place: one for finished in done for place, one in finished.evidence.items()},
    )


@cache
def code_digest(rooms: tuple[str, ...]) -> str:
    """Digest of the code that makes something: what another code made is not taken up."""
    digest = hashlib.sha256()
    package = Path(__file__).parents[1]
    for room in rooms:
        for module in sorted((package / room).rglob("*.py")):
            digest.update(module.read_bytes())
    return digest.hexdigest()


def _key(task: Task, store_digest: str, settings: Settings) -> str:
    """Name an analysis for people to read, and by all that it depends on."""
    content = "\n".join([code_digest(_ROOMS), store_digest, repr(task), repr(settings)])
    words = "-".join((task.model, task.dataset, task.view, task.pairs, str(task.layer)))
    return f"{file_name(words)}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def _read(folder: Path, key: str) -> Finished | None:
    """Read an analysis that was finished; None where it was not, or its files are damaged."""
    path, evidence = folder / f"{key}.json", folder / f"{key}.safetensors"
    if not (path.is_file() and evidence.is_file()):
        return None
    try:
        rows, evidence_of = parse_json(path.read_bytes(), path), unpack(evidence)
    except InputError:
        return None
    return Finished(rows, evidence_of) if isinstance(rows, list) else None


def _written(folder: Path, key: str, packed: Packed) -> Finished:
    """Write an analysis, and read it as a run that takes it up again would."""
    write_whole(folder / f"{key}.safetensors", packed.evidence)
    write_whole(folder / f"{key}.json", packed.rows)  # last: it says that all is there
    finished = _read(folder, key)
    if finished is None:
        path = folder / f"{key}.json"
        raise OSError(errno.EIO, "what was written there cannot be read again", str(path))
    return finished


def _analyse(
    task: Task, store: EmbeddingStore, digest: str, asked_from: str, settings: Settings
) -> Packed:
    """Do one analysis, wherever this runs."""
    try:
        if socket.gethostname() != asked_from:
            store = store.on_this_machine()
            _check_store_there(store, digest)
        with one_thread():
            rows, one = run_task(task, store, settings)
    except InputError as error:
        raise InputError(f"{task.model} on {task.dataset}, {task.view} view: {error}") from error
    place = AnalysisKey(task.model, task.dataset, task.view, task.pairs, task.layer)
    return Packed(dumps(rows), pack({} if one is None else {place: one}))


@cache
def _digest_there(path: Path) -> str:
    """Read a store's digest once in a worker, which does many layers of it."""
    return EmbeddingStore.open(path).digest()


def _check_store_there(store: EmbeddingStore, digest: str) -> None:
    """Refuse a store that another machine does not see, or sees another one in its place."""
    machine = socket.gethostname()
    if not store.path.exists():
        raise InputError(
            f"the machine {machine} has no store {store.path}; put the run's folder, or the "
            "embeddings, on storage that all machines share, under the same path"
        )
    if _digest_there(store.path) != digest:
        raise InputError(
            f"the machine {machine} has another store at {store.path} than the one of this study; "
            "let all machines see the same"
        )

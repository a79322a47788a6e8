"""Do a study's analyses, each once, and keep every one as soon as it is done.

A run that is killed takes up again what it had finished, where that was made from the same store,
with the same settings, by the same code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import joblib

from modalprism.capture.store import EmbeddingStore
from modalprism.errors import InputError
from modalprism.estimation.threads import one_thread
from modalprism.files import write_whole
from modalprism.progress import Track
from modalprism.studies.kept import Kept, Place, pack, unpack
from modalprism.studies.views import Settings, Task, run_task

Rows = list[dict[str, Any]]
_ROOMS: Final = ("pid", "estimation", "studies")


class Finished(NamedTuple):
    """An analysis's rows of the profile, and the evidence that it rests on."""

    rows: Rows
    kept: dict[Place, Kept]


def run_tasks(
    planned: Sequence[tuple[Task, EmbeddingStore]],
    settings: Settings,
    folder: Path,
    *,
    workers: int,
    fresh: bool,
    track: Track,
) -> Finished:
    """Do every analysis that is not done yet, in local processes of one thread.

    Parameters
    ----------
    planned : sequence of (Task, EmbeddingStore)
    settings : Settings
    folder : Path
        Where finished analyses are kept.
    workers : int
        Local processes.
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
        If a store cannot be analysed; what was finished is kept.
    """
    digests = {store.path: store.digest() for _, store in planned}
    keys = [_key(task, digests[store.path], settings) for task, store in planned]
    known = {} if fresh else {key: _read(folder, key) for key in keys}
    missing = [
        (folder, key, task, store, settings)
        for key, (task, store) in zip(keys, planned, strict=True)
        if known.get(key) is None
    ]
    # One thread a process: the analyses are small, and the same bits come out whatever the number
    # of cores.
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        results = joblib.Parallel(
            n_jobs=min(workers, max(len(missing), 1)), return_as="generator_unordered"
        )(joblib.delayed(_finish)(*work) for work in missing)
        for key, finished in track(results, total=len(missing), description="analysing"):
            known[key] = finished
    done = [finished for key in keys if (finished := known[key]) is not None]
    return Finished(
        [row for finished in done for row in finished.rows],
        {place: one for finished in done for place, one in finished.kept.items()},
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
    readable = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in words)
    return f"{readable[:100]}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def _read(folder: Path, key: str) -> Finished | None:
    """Read an analysis that was finished; None where it was not, or its files are damaged."""
    path, evidence = folder / f"{key}.json", folder / f"{key}.safetensors"
    if not (path.is_file() and evidence.is_file()):
        return None
    try:
        rows, kept = json.loads(path.read_text("utf-8")), unpack(evidence)
    except (json.JSONDecodeError, UnicodeDecodeError, InputError):
        return None
    return Finished(rows, kept) if isinstance(rows, list) else None


def _finish(
    folder: Path, key: str, task: Task, store: EmbeddingStore, settings: Settings
) -> tuple[str, Finished]:
    """Do one analysis in a worker and keep it."""
    try:
        with one_thread():
            rows, one = run_task(task, store, settings)
    except InputError as error:
        raise InputError(f"{task.model} on {task.dataset}, {task.view} view: {error}") from error
    place = Place(task.model, task.dataset, task.view, task.pairs, task.layer)
    kept = {} if one is None else {place: one}
    write_whole(folder / f"{key}.safetensors", pack(kept))
    write_whole(folder / f"{key}.json", json.dumps(rows))  # last: it says that all is there
    return key, Finished(rows, kept)

"""A small study, its results, and the process that runs it."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
import yaml

from modalprism.engines.local import end_with

N: Final = 60
RESULTS: Final = ("profile.parquet", "evidence.safetensors", "examples.parquet", "study.yaml")
MORE: Final = {"views": ["answer", "stream"], "pairs": ["observed"]}


def write_study(folder: Path, **options: object) -> Path:
    """Write embeddings and a study of them, which has three analyses; return the study's file."""
    rng = np.random.default_rng(0)
    kind, word = rng.integers(3, size=N), rng.integers(3, size=N)
    image = np.eye(3)[kind] + 0.3 * rng.normal(size=(N, 3))
    text = np.eye(3)[word] + 0.3 * rng.normal(size=(N, 3))
    answer = np.exp(3 * np.eye(3)[kind] + 0.3 * rng.normal(size=(N, 3)))
    mixed = np.concatenate([image, text], 1)
    np.savez(
        folder / "store.npz",
        **{
            "image/0": image,
            "image/1": mixed @ rng.normal(size=(6, 4)),
            "text/0": text,
            "text/1": mixed @ rng.normal(size=(6, 4)),
            "fused/1": mixed,
            "label": kind,
            "answer": answer / answer.sum(1, keepdims=True),
        },
    )
    content: dict[str, object] = {
        "title": "Does it look?",
        "sources": [{"kind": "embeddings", "path": "store.npz", "model": "m", "dataset": "d"}],
        "folds": 3,
        "replicates": 5,
        "permutations": 19,
        "workers": 2,
        "out": "run",
    }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(content | MORE | options, allow_unicode=True), "utf-8")
    return path


def results(run: Path) -> dict[str, bytes]:
    """Return the files of a run that must be the same whatever happened meanwhile."""
    files = [*(run / name for name in RESULTS), *sorted((run / "analyses").iterdir())]
    found = {path.relative_to(run).as_posix(): path.read_bytes() for path in files}
    found["study.yaml"] = re.sub(rb"(path|out): .*", b"", found["study.yaml"])  # where it lies
    return found


def forked(work: Callable[[], object], output: Path) -> int:
    """Do some work in a child process with a session of its own; return its id."""
    child = os.fork()
    if child == 0:
        os.setsid()
        end_with(os.getppid())
        sink = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        try:
            work()
            os._exit(0)
        except BaseException:  # noqa: BLE001  # said in the output, and by the exit code
            import traceback

            traceback.print_exc()
            os._exit(1)
    return child


def ends(child: int, seconds: float) -> int | None:
    """Wait for a child; return its exit code, or None where it still runs."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    return None


def session(number: int) -> dict[int, str]:
    """Return the processes of a session that have not ended, with their commands (Linux).

    One that is ending has given back its memory, and its command with it.
    """
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, ValueError):
            continue
        if int(fields[3]) == number and fields[0] != "Z" and command:
            found[int(folder.name)] = command.strip()
    return found


def require_nobody(number: int, seconds: float, *, but: Sequence[str] = ()) -> None:
    """Require that a session's processes end by themselves; kill those that do not.

    Those whose command holds one of the words of `but` are killed without more ado.
    """

    def left() -> dict[int, str]:
        found = session(number).items()
        return {pid: name for pid, name in found if not any(word in name for word in but)}

    until = time.monotonic() + seconds
    while left() and time.monotonic() < until:
        time.sleep(0.05)
    remain = left()
    for pid in session(number):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert not remain, f"left after {seconds:.0f} s: {remain}"

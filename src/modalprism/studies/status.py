"""The status file of a run, which other programs read.

``run-status.json`` is replaced as a whole. It holds times and process numbers, and no result
depends on it.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from modalprism.errors import InputError, WorkerError
from modalprism.files import exclusive, write_whole
from modalprism.foreign import reason_of
from modalprism.progress import Track

STATUS_FILE: Final = "run-status.json"
_SECONDS_BETWEEN: Final = 1.0
"""Progress is written this often at most."""
_LEFT_BEHIND: Final = tuple(
    f"{folder}*.partial" for folder in ("", "analyses/", "baselines/", "examples/", "figures/")
)
T = TypeVar("T")


class RunStatus(BaseModel):
    """The state of a run.

    Attributes
    ----------
    state : {"running", "finished", "failed", "stopped", "crashed"}
        A stopped run got Ctrl-C. A crashed run's process was killed, or its machine went down.
    doing : str
        The last step that began, such as ``"analysing"``.
    done, total : int
        Progress of that step; a total of 0 is unknown.
    error : str
        Why it failed, in one sentence.
    pid, host : int, str
        The process.
    born : str
        Distinguishes the process from a later one of the same number; empty where it is unknown.
    started, changed : float
        In seconds since 1970.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    state: Literal["running", "finished", "failed", "stopped", "crashed"]
    doing: str = ""
    done: int = 0
    total: int = 0
    error: str = ""
    pid: int = 0
    host: str = ""
    born: str = ""
    started: float = 0.0
    changed: float = 0.0

    def checked(self) -> RunStatus:
        """Return the current status: "crashed" where it runs, and its process has ended."""
        if self.state != "running" or self.host != socket.gethostname():
            return self
        ended = _has_ended(self.pid, self.born)
        return self.model_copy(update={"state": "crashed"}) if ended else self

    @property
    def words(self) -> str:
        """Return the state as one line for people.

        Examples
        --------
        >>> RunStatus(state="running", doing="analysing", done=3, total=10).words
        'running: analysing, 3 of 10'
        >>> RunStatus(state="failed", error="the disk is full").words
        'failed: the disk is full'
        """
        step = self.doing + (f", {self.done:,} of {self.total:,}" if self.total else "")
        if self.state == "crashed":
            return (
                f"crashed{f' while {step}' if step else ''}: its process was killed, or its "
                "machine went down"
            )
        details = self.error if self.state == "failed" else step
        return f"{self.state}: {details}" if details and self.state != "finished" else self.state


def parsed_status(content: bytes) -> RunStatus | None:
    """Parse a status file; None where it is damaged."""
    try:
        return RunStatus.model_validate_json(content)
    except ValidationError:
        return None


@contextmanager
def reported(folder: Path, track: Track) -> Iterator[Track]:
    """Lock a run's folder, and keep its status file up to date while the block runs.

    Yields a `Track` that shows progress to people, by `track`, and in the status file. An
    `InputError` refuses a folder in which another process runs a study.
    """
    with exclusive(folder):
        for pattern in _LEFT_BEHIND:  # by a process that was killed while it wrote
            for path in folder.glob(pattern):
                if path.is_file() or path.is_symlink():
                    path.unlink(missing_ok=True)
        report = _Report(folder, track)
        report.write(state="running")
        try:
            yield report
        except BaseException as error:
            if isinstance(error, GeneratorExit) or is_interrupt(error):
                report.write(state="stopped")
            else:
                report.write(state="failed", error=_sentence(error))
            raise
        report.write(state="finished")


class _Report:
    """Writes the status file of one run; calling it tracks a step."""

    def __init__(self, folder: Path, track: Track) -> None:
        self._path, self._track = folder / STATUS_FILE, track
        pid = os.getpid()
        self._status = RunStatus(
            state="running",
            pid=pid,
            host=socket.gethostname(),
            born=_birth(pid),
            started=time.time(),
        )
        self._written = -_SECONDS_BETWEEN

    def __call__(self, sequence: Iterable[T], *, total: int, description: str) -> Iterator[T]:
        self.write(doing=description, done=0, total=total)
        done = 0
        for item in self._track(sequence, total=total, description=description):
            done += 1
            if time.monotonic() - self._written >= _SECONDS_BETWEEN:
                self.write(done=done)
            yield item
        self.write(done=done)

    def write(self, **changes: Any) -> None:
        """Write changes; a full disk must not hide why a run fails."""
        self._status = self._status.model_copy(update={**changes, "changed": time.time()})
        self._written = time.monotonic()
        with suppress(OSError):
            write_whole(self._path, self._status.model_dump_json())


def is_interrupt(error: BaseException | None) -> bool:
    """Return whether Ctrl-C is behind an error: code in C that is interrupted raises its own."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _sentence(error: BaseException) -> str:
    words = reason_of(error)
    if isinstance(error, OSError) and error.filename:
        return f"{words}: {error.filename}"
    known = isinstance(error, InputError | WorkerError | OSError)
    name = type(error).__name__
    return words if known or words.startswith(name) else f"{name}: {words}"


def _birth(pid: int) -> str:
    """Return when a process began, in the system's own count; empty where /proc is silent."""
    try:
        fields = Path("/proc", str(pid), "stat").read_text("utf-8").rpartition(")")[2].split()
        # A container may have the host's name, and processes of the same numbers.
        return "" if fields[0] == "Z" else f"{os.readlink('/proc/self/ns/pid')} {fields[19]}"
    except (OSError, ValueError, IndexError):
        return ""


def _has_ended(pid: int, born: str) -> bool:
    """Return whether a process of this machine has ended; False where that is unknown."""
    if born:
        same_numbers = born.split()[0] == _birth(os.getpid()).partition(" ")[0]
        return same_numbers and _birth(pid) != born
    if os.name != "posix" or not 0 < pid < 2**31:  # elsewhere, signal 0 ends a process
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False

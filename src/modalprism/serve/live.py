"""Progress of an unfinished run: what is captured, what is analysed, when it last changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modalprism.errors import InputError
from modalprism.serve.files import read_regular
from modalprism.serve.folder import ANALYSES, STORE, Listing, Run, list_folder, written_at
from modalprism.studies.status import STATUS_FILE, RunStatus, parsed_status

_DEPTH: Final = 3
_LONGEST_STATUS: Final = 2**16
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


@dataclass(frozen=True)
class StoreState:
    """Complete parts of one store, and the rows in them."""

    name: str
    parts: int
    rows: int
    finished: bool


@dataclass(frozen=True)
class RunState:
    """Progress of a run.

    `files` are stores of one file each, which are complete as soon as they are there. `analyses`
    counts finished ones, `changed` is when anything in the folder last changed, in seconds since
    1970, and `problem` is what cannot be read.
    """

    finished: bool
    stores: tuple[StoreState, ...]
    files: tuple[str, ...]
    analyses: int
    changed: float
    problem: str = ""


def read_status(run: Run) -> RunStatus | None:
    """Read the status file of a run; None where there is none that can be read."""
    try:
        return parsed_status(read_regular(run.path / STATUS_FILE, _LONGEST_STATUS))
    except OSError:
        return None


def label(run: Run, status: RunStatus | None) -> str:
    """Return one line on whether a run is finished, runs, or has ended otherwise.

    Examples
    --------
    >>> label(Run(Path("a"), "a", finished=False), RunStatus(state="failed", error="no disk"))
    'Failed: no disk'
    >>> label(Run(Path("a"), "a", finished=True), RunStatus(state="running"))
    'Finished before; now running'
    """
    if status is None or status.state == "finished":
        return "Finished" if run.finished else "Running or stopped"
    if run.finished:
        return f"Finished before; now {status.words}"
    return status.words[0].upper() + status.words[1:]


def state_of(run: Run) -> RunState:
    """Read the progress of a run from its folder."""
    # Imported at first use: torch comes with it, and a list of finished runs needs none.
    from modalprism.capture.shards import METADATA_FILE, finished_shards, is_finished

    stores: list[StoreState] = []
    files: list[str] = []
    changed = [written_at(run.path)]
    problem = ""
    for folder, listing in _walk(run.path / STORE):
        names = sorted(listing.files)
        changed += [written_at(folder), *(written_at(folder / name) for name in names)]
        label = folder.relative_to(run.path / STORE).as_posix()
        if METADATA_FILE not in names:
            files += [
                (folder / name).relative_to(run.path / STORE).as_posix()
                for name in names
                if name.endswith(".safetensors")
            ]
            continue
        if listing.linked:
            problem = f"{folder} has symbolic links, which are not followed here"
            continue
        try:
            shards = finished_shards(folder)
            rows = sum(shard.rows for shard in shards)
            stores.append(StoreState(label, len(shards), rows, is_finished(folder)))
        except (InputError, OSError, ValueError) as error:
            problem = str(error)
    analysed = [name for _, listing in _walk(run.path / ANALYSES, 0) for name in listing.files]
    changed.append(written_at(run.path / ANALYSES))
    return RunState(
        run.finished,
        tuple(stores),
        tuple(files),
        sum(name.endswith(".json") for name in analysed),
        max(changed),
        problem,
    )


def ago(seconds: float) -> str:
    """Write a number of seconds before now in words.

    Examples
    --------
    >>> ago(4.2), ago(90), ago(7200), ago(90_000), ago(-3)
    ('4 s ago', '1 min ago', '2 h ago', '1 d ago', '0 s ago')
    """
    if seconds < _MINUTE:
        return f"{max(int(seconds), 0)} s ago"
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)} min ago"
    if seconds < _DAY:
        return f"{int(seconds // _HOUR)} h ago"
    return f"{int(seconds // _DAY)} d ago"


def _walk(folder: Path, depth: int = _DEPTH) -> Iterator[tuple[Path, Listing]]:
    """Yield a folder, unless it is a link, and those below it, with what they hold."""
    if folder.is_symlink():
        return
    listing = list_folder(folder)
    yield folder, listing
    for name in sorted(listing.folders) if depth else ():
        yield from _walk(folder / name, depth - 1)

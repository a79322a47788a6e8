"""Shards by a pattern: braces and stars, as a shell writes them."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from pathlib import Path

from modalprism.errors import InputError


def expand(pattern: str) -> Iterator[str]:
    """Write out braces, as a shell does; what else there is stays.

    Raises
    ------
    InputError
        If braces hold neither a range nor a list.

    Examples
    --------
    >>> list(expand("{a,b}-{08..10}.tar"))[:4]
    ['a-08.tar', 'a-09.tar', 'a-10.tar', 'b-08.tar']
    """
    braces = re.search(r"\{([^{}]*)\}", pattern)
    if braces is None:
        yield pattern
        return
    ends = re.fullmatch(r"(\d+)\.\.(\d+)", braces[1])
    if ends and int(ends[1]) <= int(ends[2]):
        numbers = range(int(ends[1]), int(ends[2]) + 1)
        words = [f"{number:0{len(ends[1])}}" for number in numbers]
    elif "," in braces[1]:
        words = braces[1].split(",")
    else:
        raise InputError(
            f"{{{braces[1]}}} in {pattern} is no range such as {{000..009}}, and no list"
        )
    for word in words:
        yield from expand(f"{pattern[: braces.start()]}{word}{pattern[braces.end() :]}")


def matching(pattern: str) -> list[Path]:
    """Return the shards that a pattern with braces or stars means, in order, each once.

    Raises
    ------
    InputError
        If one that is named is not there, or none matches.
    """
    paths: list[Path] = []
    for name in expand(pattern):
        # Only stars are a pattern: question marks and brackets stand for themselves.
        literal = re.sub(r"[?\[]", r"[\g<0>]", name)
        found = sorted(map(Path, glob.glob(literal))) if "*" in name else [Path(name)]
        if not found or not all(path.is_file() for path in found):
            raise InputError(f"there is no file {name}; check the pattern {pattern}")
        paths += found
    return list(dict.fromkeys(paths))

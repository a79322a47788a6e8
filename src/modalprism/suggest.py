"""Names in messages: suggestions for mistyped ones, and lists of those that exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Final

_LONGEST_NAME: Final = 100
_MOST_NAMES: Final = 1000


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return the end of an error message that names the known name most similar to a given one.

    Case and surrounding spaces are ignored. Names of more than 100 characters, and known names
    beyond the first 1,000, are compared for equality only, since similarity of long texts is slow
    to compute. The result is empty where no known name is similar.
    """
    folded: dict[str, str] = {}
    for one in known:
        folded.setdefault(one.strip().casefold(), one)
    given = name.strip().casefold()
    if given in folded:
        return f"; did you mean {folded[given]!r}?"
    if len(given) > _LONGEST_NAME:
        return ""
    compared = [one for one in folded if len(one) <= _LONGEST_NAME][:_MOST_NAMES]
    close = difflib.get_close_matches(given, compared, n=1)
    return f"; did you mean {folded[close[0]]!r}?" if close else ""


def listed(names: Iterable[str], most: int = 20) -> str:
    """Return names for a message: the first few, each cut at 60 characters, and how many more.

    Examples
    --------
    >>> listed(["image", "text"])
    'image, text'
    >>> listed(map(str, range(500)), most=3)
    '0, 1, 2 and 497 more'
    """
    words = list(names)
    shown = ", ".join(f"{word:.60}" for word in words[:most]) or "none"
    return shown if len(words) <= most else f"{shown} and {len(words) - most:,} more"


def separator_hint(columns: Sequence[str]) -> str:
    """Return the end of a message about a table of one column that other marks may separate.

    Examples
    --------
    >>> separator_hint(["image;text;label"])
    "; its first line seems to be separated by ';': save it with commas as .csv, or tabs as .tsv"
    >>> separator_hint(["image", "text"])
    ''
    """
    marks = [mark for mark in ";\t|," if len(columns) == 1 and mark in columns[0]]
    if not marks:
        return ""
    return (
        f"; its first line seems to be separated by {marks[0]!r}: save it with commas as .csv, or "
        "tabs as .tsv"
    )

"""Suggestions for mistyped names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

_LONGEST_NAME: Final = 100
_MOST_NAMES: Final = 1000


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return the end of an error message that names the most similar known name.

    Case and surrounding spaces are ignored. Names of more than 100 characters, and known names
    beyond the first 1,000, are compared for equality only: the similarity of long texts is slow
    to compute and of no use in a message.

    Parameters
    ----------
    name : str
        What the user wrote.
    known : iterable of str
        The names that exist.

    Returns
    -------
    str
        ``"; did you mean 'x'?"``, or an empty string where no known name is similar.

    Examples
    --------
    >>> suggestion("layrs", ["layers", "folds"])
    "; did you mean 'layers'?"
    >>> suggestion("Image ", ["text", "image"])
    "; did you mean 'image'?"
    >>> suggestion("nothing alike", ["text", "image"])
    ''
    """
    folded: dict[str, str] = {}
    for one in known:
        folded.setdefault(_folded(one), one)
    wanted = _folded(name)
    if wanted in folded:
        return f"; did you mean {folded[wanted]!r}?"
    if len(wanted) > _LONGEST_NAME:
        return ""
    compared = [one for one in folded if len(one) <= _LONGEST_NAME][:_MOST_NAMES]
    close = difflib.get_close_matches(wanted, compared, n=1)
    return f"; did you mean {folded[close[0]]!r}?" if close else ""


def _folded(name: str) -> str:
    return name.strip().casefold()

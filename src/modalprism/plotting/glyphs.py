"""Fonts for characters that the figures' own font lacks.

Names may be in any script. Matplotlib takes single glyphs from a font of the user's settings or of
this machine that has them. If no font has, figures write escapes.
"""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Collection
from functools import cache
from typing import TYPE_CHECKING, Final

from modalprism.plotting.style import drawing
from modalprism.results.notation import plain, shortened

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axis import Axis
    from matplotlib.font_manager import FontEntry
    from matplotlib.text import Text

# A font of matplotlib's own that has a box for every character.
_BOXES: Final = "last resort"
_LISTED: Final = 6
_LONGEST: Final = 40
"""Letters of a line that escapes make longer."""


def cover(artist: Artist) -> None:
    """Give every text of a figure or of axes the fonts that its characters need.

    The texts are changed. Characters that no font has are written as escapes, and one
    `UserWarning` names them.
    """
    from matplotlib.axis import Axis
    from matplotlib.text import Text

    missing: set[str] = set()
    for axis in artist.findobj(Axis):
        if isinstance(axis, Axis):
            missing |= _cover_ticks(axis)
    for text in artist.findobj(Text):
        if isinstance(text, Text):
            missing |= _cover(text)
    if missing:
        warnings.warn(without_font(missing), stacklevel=3)


def _cover_ticks(axis: Axis) -> set[str]:
    """Escape labels where they come from, for they are written anew at every drawing."""
    texts = axis.get_ticklabels()
    words = [text.get_text() for text in texts]
    if "".join(words).isascii() and "".join(words).isprintable():
        return set()
    missing = uncovered("".join(words), tuple(texts[0].get_fontfamily()))
    shown = [_escaped(plain(each), missing) for each in words]
    if shown != words:
        axis.set_ticklabels(shown)
    return missing


def _cover(text: Text) -> set[str]:
    """Give one text its fonts; return the characters that no font has."""
    words = plain(text.get_text())
    if words != text.get_text():
        text.set_text(words)
    families = tuple(text.get_fontfamily())
    more, missing = _fallbacks(_lacking(words, families))
    if more:
        text.set_fontfamily([*families, *more])
    if missing:
        text.set_text(_escaped(words, missing))
    return set(missing)


def uncovered(words: str, families: tuple[str, ...]) -> set[str]:
    """Return the characters that neither these families nor any installed font has."""
    return set(_fallbacks(_lacking(words, families))[1])


def font_caution(words: str) -> str:
    """Name the characters of a text that no figure can show; empty where there are none.

    Examples
    --------
    >>> font_caution("image and text")
    ''
    """
    import matplotlib as mpl

    with drawing():
        missing = uncovered(words, tuple(mpl.rcParams["font.family"]))
    return without_font(missing) if missing else ""


def without_font(missing: Collection[str]) -> str:
    """Name the characters that no font has, and the remedy.

    Examples
    --------
    >>> without_font({"图"}).partition(";")[0]
    'no installed font has the character 图 (U+56FE)'
    """
    named = [f"{character} (U+{ord(character):04X})" for character in sorted(missing)]
    many = len(named) > 1
    rest = f" and {len(named) - _LISTED} more" if len(named) > _LISTED else ""
    return (
        f"no installed font has the character{'s' * many} {', '.join(named[:_LISTED])}{rest}; "
        f"figures write {'escapes' if many else 'an escape'}. Install a font that has "
        f"{'them' if many else 'it'}, such as one of Noto Sans, or name one in matplotlib's "
        "font.family"
    )


def _lacking(words: str, families: tuple[str, ...]) -> frozenset[str]:
    if words.isascii():
        return frozenset()
    return frozenset(c for c in plain(words) if c != "\n" and ord(c) not in _covered(families))


def _escaped(words: str, missing: Collection[str]) -> str:
    r"""Write some characters as escapes, and no line longer than a figure has room for."""
    lines = (
        ("".join(_escape(c) if c in missing else c for c in line), len(line))
        for line in words.split("\n")
    )
    return "\n".join(shortened(line, max(_LONGEST, length)) for line, length in lines)


def _escape(character: str) -> str:
    """Return the escape of a character; of what only joins or varies others, nothing."""
    if unicodedata.category(character) in {"Cf", "Mn"}:
        return ""
    return character.encode("unicode_escape").decode()


@cache
def _covered(families: tuple[str, ...]) -> frozenset[int]:
    """Return the characters that fonts of some families have."""
    from matplotlib import font_manager

    known = {entry.name for entry in font_manager.fontManager.ttflist}
    found: set[int] = set()
    for family in families:
        if family in known:
            font = font_manager.get_font(font_manager.findfont(family))
            found |= set(font.get_charmap())
    return frozenset(found)


@cache
def _fallbacks(lacking: frozenset[str]) -> tuple[tuple[str, ...], frozenset[str]]:
    """Find installed families for characters; return these, and the characters that none has."""
    from matplotlib import font_manager

    left, families = set(lacking), []
    if not lacking:
        return (), lacking
    regular: dict[str, FontEntry] = {}
    for entry in font_manager.fontManager.ttflist:
        plain_face = (entry.style, entry.weight, entry.variant) == ("normal", 400, "normal")
        if plain_face and _BOXES not in entry.name.lower():
            regular.setdefault(entry.name, entry)
    has = {name: _has(entry, lacking) for name, entry in regular.items()}
    while left:
        # The most characters from one font; sans before serif, beside our own; then by name.
        best = min(has, key=lambda n: (-len(has[n] & left), "Sans" not in n, "Mono" in n, n))
        if not has[best] & left:
            break
        families.append(best)
        left -= has[best]
    return tuple(families), frozenset(left)


def _has(entry: FontEntry, characters: frozenset[str]) -> set[str]:
    """Return which characters a font can draw; a font that cannot be opened has none."""
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(entry.fname, face_index=entry.index)
    except (OSError, RuntimeError):
        return set()
    if not font.scalable:  # pictures of emoji, which matplotlib does not draw
        return set()
    return {c for c in characters if font.get_char_index(ord(c))}

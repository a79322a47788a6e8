"""Comparison of labels by spelling: the same string, the same word, or the same answer.

Two strings are the same word (`folded`) if only case, Unicode form, width, spaces, the style of
dashes and quotation marks, and invisible characters differ. They are the same answer (`normal`) if
only decoration differs: a stop behind a word, brackets and quotation marks around words, a hyphen
or underscore between two words, an article, a number up to ten as a word. Any other mark counts.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

_ARTICLES: Final = frozenset({"a", "an", "the"})
_NUMBERS: Final = {
    word: str(number)
    for number, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    )
} | {"none": "0"}
# Marks that end a sentence or a clause (Unicode: Terminal_Punctuation), in scripts of wide use.
_STOPS: Final = ".,;:!?…‥‼⁇⁈⁉。、،؛؟۔։՜՝՞׃।॥།༎၊။።፣፤፥፦፧។៕᠂᠃"
_STOPS_BEFORE: Final = "¿¡"
_AROUND: Final = "\"'`*_"
_OPENING: Final = frozenset({"Ps", "Pi", "Pf"})
_CLOSING: Final = frozenset({"Pe", "Pf", "Pi"})
_JOINTS: Final = re.compile("[-_]+|[,、،]")
_INVISIBLE: Final = frozenset(
    # Soft hyphen, zero-width space, marks of direction, byte order mark, and the selectors of an
    # emoji's style. Joiners and tags are no such: they make another emoji or another letter.
    "\u00ad\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069"
    "\ufe0e\ufe0f\ufeff"
)
_SAME_MARK: Final = dict.fromkeys("‘’‚‛", "'") | dict.fromkeys("“”„‟", '"') | {"−": "-"}


def folded(word: str) -> str:
    """Return a word without case, Unicode form, width, style of marks and extra spaces.

    Examples
    --------
    >>> folded("Cafe\u0301"), folded("  −５ "), folded("don’t")
    ('café', '-5', "don't")
    """
    if not word.isascii():
        word = "".join(map(_plain, word))
        word = unicodedata.normalize("NFD", word)  # casefolding is defined on decomposed text
    word = unicodedata.normalize("NFC", word.casefold())
    return " ".join(word.split())


@lru_cache(4096)
def _plain(character: str) -> str:
    """Return a character without width, and without style of dashes and quotation marks."""
    if character in _INVISIBLE:
        return ""
    if unicodedata.decomposition(character).startswith(("<wide>", "<narrow>", "<small>")):
        character = unicodedata.normalize("NFKC", character)
    if unicodedata.category(character[0]) == "Pd":
        return "-"
    return _SAME_MARK.get(character, character)


def normal(word: object) -> str:
    """Return an answer without decoration.

    Examples
    --------
    >>> normal("A dog."), normal("Two"), normal("A"), normal("T-shirt"), normal('"yes"')
    ('dog', '2', 'a', 't shirt', 'yes')
    >>> normal("-5"), normal("1/2"), normal("C++"), normal("$5"), normal(":)")
    ('-5', '1/2', 'c++', '$5', ':)')
    """
    tokens = [part for token in _unwrapped(folded(str(word)).split()) for part in _parts(token)]
    tokens = [token for place, token in enumerate(tokens) if not _is_pause(tokens, place)]
    kept = [token for place, token in enumerate(tokens) if not _is_article(tokens, place)]
    return " ".join(_NUMBERS.get(token, token) for token in kept)


def _unwrapped(tokens: list[str]) -> list[str]:
    """Remove stops behind words, and brackets and quotation marks that stand in pairs."""
    bare = [token.rstrip(_STOPS).lstrip(_STOPS_BEFORE) or token for token in tokens]
    opening = [_run(token, _OPENING) for token in bare]
    closing = [_run(token[::-1], _CLOSING) for token in bare]
    inside = [t[o : len(t) - c] for t, o, c in zip(bare, opening, closing, strict=True)]
    # A mark without its partner is meant: 5', :), A*.
    paired = 0 < sum(opening) == sum(closing)
    return _unwrapped(inside) if paired and all(inside) else bare


def _run(token: str, categories: frozenset[str]) -> int:
    """Count the marks at the begin of a token that stand around words."""
    count = 0
    for character in token:
        if character not in _AROUND and unicodedata.category(character) not in categories:
            break
        count += 1
    return count


def _parts(token: str) -> list[str]:
    """Cut a token where a hyphen, underscore or comma joins two words."""
    parts, begin = [], 0
    for joint in _JOINTS.finditer(token):
        left, right = token[joint.start() - 1 : joint.start()], token[joint.end() : joint.end() + 1]
        if _is_word(left) and _is_word(right) and not (left.isdigit() and right.isdigit()):
            parts.append(token[begin : joint.start()])
            begin = joint.end()
    return [*parts, token[begin:]]


def _is_word(character: str) -> bool:
    return bool(character) and unicodedata.category(character)[0] in "LMN"


def _is_pause(tokens: list[str], place: int) -> bool:
    """Return whether a token is a stop behind a space, or a dash between two words."""
    before, token, after = tokens[:place], tokens[place], tokens[place + 1 :]
    if not token.strip(_STOPS):
        return bool(before)
    return not token.strip("-") and bool(before) and bool(after) and not after[0][0].isdigit()


def _is_article(tokens: list[str], place: int) -> bool:
    """Return whether a token is an article before a noun; "vitamin A" has none."""
    noun = next((token for token in tokens[place:] if token not in _ARTICLES), "")
    return tokens[place] in _ARTICLES and noun[:1].isalpha()

"""Match a dataset's labels with the candidates among which a model chooses."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Literal

from modalprism.datasets.contents import is_empty, word_of
from modalprism.datasets.prompts import LETTERS
from modalprism.errors import InputError

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

    Decoration is a stop behind a word, brackets and quotation marks around words, a hyphen or
    underscore between two words, an article, and a number up to ten as a word. Any other mark, such
    as a sign before a number, counts.

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


_WHOLE: Final = re.compile(r"[-+]?[0-9]{1,9}")
_SPELLINGS: Final[tuple[Callable[[str], str], ...]] = (str, folded, normal)
"""Degrees of sameness, the closest first."""


@dataclass(frozen=True)
class Labels:
    """Rules that turn a dataset's labels into candidates.

    A label is looked up among the keys of `values`, then (with `letters`) as a place in a list,
    then among the candidates. A key or candidate matches if it is the same string; else if it is
    the same word (`folded`); else if it is the same answer (`normal`). A label
    that matches nothing stays as it is.

    Attributes
    ----------
    values : mapping of str to str
        Labels of the dataset and their candidates.
    letters : bool
        Whether whole numbers are places in a list of choices; 0 is A.
    only : bool
        Whether rows whose label is no candidate are left out.

    Examples
    --------
    >>> labels = Labels.of(("yes", "no"), {0: "no", 1: "yes"})
    >>> labels.read(1), labels.read("No."), labels.read("maybe")
    ('yes', 'no', 'maybe')
    >>> Labels.of(("-1", "1")).read(-1), Labels.of(("1", "2")).read("-1")
    ('-1', '-1')
    """

    candidates: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    letters: bool = False
    only: bool = False

    @classmethod
    def of(
        cls,
        candidates: Sequence[str] = (),
        answers: Mapping[Any, str] | Literal["letters"] | None = None,
        only: Literal["candidates"] | None = None,
    ) -> Labels:
        """Check and combine the options of a study or command.

        `answers` maps values of the dataset to their candidates, or is "letters": whole numbers are
        then letters. With ``only="candidates"``, rows whose label is no candidate are left out.

        Raises InputError if a candidate is empty or given twice, an answer is no candidate, a value
        is given twice with different answers, or there are no candidates where they are needed.
        """
        for candidate, times in Counter(candidates).items():
            if is_empty(candidate):
                raise _refused("candidates", "one is empty; give a word")
            if times > 1:
                raise _refused("candidates", f"{candidate!r} is given twice; give each once")
        if only is not None and not candidates:
            raise InputError(
                "only: candidates, but there are none; give candidates", parameter="candidates"
            )
        if answers == "letters":
            return cls(tuple(candidates), letters=True, only=only is not None)
        values: dict[str, str] = {}
        for value, answer in (answers or {}).items():
            given = f"{value!r} is {answer!r}"
            if not isinstance(answer, str):
                raise _refused("answers", f"{given}, no word; put yes and no in quotes")
            if candidates and answer not in candidates:
                names = ", ".join(candidates)
                raise _refused("answers", f"{given}, which is none of the candidates {names}")
            if is_empty(value):
                raise _refused("answers", f"{value!r} is empty, and an empty label is missing")
            key = word_of(value)  # as labels are written: a truth value is true or false
            key = str(key).lower() if isinstance(key, bool) else str(key)
            if values.setdefault(key, answer) != answer:
                raise _refused("answers", f"{value!r} stands twice, with different candidates")
        return cls(tuple(candidates), values, only=only is not None)

    def read(self, label: int | str) -> int | str:
        """Return a label's candidate, or the label itself where it has none.

        Raises InputError if the label is alike to two candidates, or to two values with different
        candidates, and equal to neither; or if it should have a letter, and there is none for it.
        """
        found = _match(label, self.values, "values")
        if found is not None:
            return found
        # In a table of words, such as CSV, a place is written as a word.
        if self.letters and (place := _WHOLE.fullmatch(str(label))):
            if not 0 <= int(place[0]) < len(LETTERS):
                raise InputError(f"it is {label}, and letters are of 0 to {len(LETTERS) - 1}")
            return LETTERS[int(place[0])]
        found = _match(label, {one: one for one in self.candidates}, "candidates")
        return label if found is None else found

    def keeps(self, label: int | str | None) -> bool:
        """Return whether a row with this label, as `read` returns it, is kept."""
        return not self.only or label in self.candidates

    def words(self) -> list[Any]:
        """Return the rules that change labels or rows, for a fingerprint; empty if none do."""
        rules = [list(self.candidates), dict(self.values), self.letters, self.only]
        return rules if any(rules) else []


def _refused(parameter: str, words: str) -> InputError:
    return InputError(f"{parameter}: {words}", parameter=parameter)


def _match(label: object, answers: Mapping[str, str], what: str) -> str | None:
    """Return the answer of the known word most similar to a label, or None."""
    for spelled, alike in zip(_SPELLINGS, _by_spelling(tuple(answers)), strict=True):
        words = alike.get(spelled(str(label)), [])
        if len({answers[word] for word in words}) > 1:
            raise InputError(
                f"{label!r} is alike to the {what} {words[0]!r} and {words[1]!r}, and equal to "
                "neither; say which it is by answers"
            )
        if words:
            return answers[words[0]]
    return None


@lru_cache(16)
def _by_spelling(words: tuple[str, ...]) -> list[dict[str, list[str]]]:
    tables: list[dict[str, list[str]]] = []
    for spelled in _SPELLINGS:
        tables.append({})
        for word in words:
            tables[-1].setdefault(spelled(word), []).append(word)
        tables[-1].pop("", None)  # an empty spelling never matches
    return tables


def distinct_answers(labels: Iterable[str]) -> list[str]:
    """Return one label of each answer, in its most common spelling, sorted.

    Examples
    --------
    >>> distinct_answers(["Yes.", "yes", "no", "yes", "No"])
    ['no', 'yes']
    """
    spelled: dict[str, str] = {}
    for label, _ in Counter(labels).most_common():
        spelled.setdefault(normal(label) or label, label)
    return sorted(spelled.values())


def unmatched(labels: Iterable[int | str], candidates: Sequence[str]) -> Counter[str]:
    """Count the labels that are no candidate and no column number of one.

    Examples
    --------
    >>> unmatched(["yes", "maybe", 1, 2], ("yes", "no"))
    Counter({'maybe': 1, '2': 1})
    """
    matching = {*candidates, *range(len(candidates))}
    return Counter(str(label) for label in labels if label not in matching)


def no_match(labels: Iterable[int | str | None], candidates: Sequence[str], where: str = "") -> str:
    """Return the message for labels none of which is a candidate.

    Examples
    --------
    >>> no_match(["cat"], ("a photo of a cat",)).partition(": ")[0]
    "no label is one of the candidates a photo of a cat; the commonest are 'cat'"
    """
    counts = unmatched((label for label in labels if label is not None), candidates)
    seen = ", ".join(f"{label!r:.60}" for label, _ in counts.most_common(5)) or "none"
    return (
        f"no label{where} is one of the candidates {', '.join(candidates)}; the commonest are "
        f"{seen}: say by answers which candidate each is"
    )


def label_from(value: Any, labels: Labels, name: str = "the label") -> int | str | None:
    """Return a cell's label, read by `labels`; None where the cell is empty.

    Raises InputError if the cell holds no word and no whole number, or the label cannot be read;
    `name` is what the message calls it.
    """
    value = word_of(value)
    if is_empty(value):
        return None
    if isinstance(value, bool):
        value = str(value).lower()
    if not isinstance(value, str | int):
        raise InputError(f"{name} is {value!r:.60}; a label is a word or a whole number")
    try:
        return labels.read(value)
    except InputError as error:
        raise InputError(f"{name} cannot be read: {error}") from error

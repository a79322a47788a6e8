"""Strict reader for YAML files that people write.

YAML 1.1 reads ``no`` as a truth value, ``010`` as 8 and ``12:30`` as 750. This reader refuses what
is ambiguous, and tags, several documents, deep nesting and aliases that multiply.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn
from unicodedata import category

import yaml

from modalprism.errors import InputError
from modalprism.foreign import guarded, reason_of, require_file

Place = tuple[str | int, ...]
"""Keys and positions that lead from the root of a file to a value."""

_LARGEST: Final = 2**20
_MOST_VALUES: Final = 100_000
_DEEPEST: Final = 50
_LONGEST_NUMBER: Final = 40
_TAG: Final = "tag:yaml.org,2002:"
_CALLED: Final = {"bool": "a truth value", "null": "null", "timestamp": "a date"}
_KINDS: Final = frozenset({"bool", "int", "float", "null"})
_TRUE: Final = frozenset({"yes", "true", "on"})
_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)")
_SEXAGESIMAL: Final = ":"
# Numbers in YAML 1.2, which other programs read; 1.1 reads some of them as words.
_NUMBER_IN_1_2: Final = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+"
)
# Unquoted keys that have one spelling, whatever they are read as.
_UNAMBIGUOUS: Final = re.compile(r"true|false|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")


@dataclass(frozen=True)
class YamlFile:
    """Content of a YAML file that messages call `name`, and where each value stands.

    The content are mappings with string keys, lists, strings, numbers, truth values and None.
    `lines` count from 1. `written` has the text of every unquoted value that is not read as a
    string, and what it is read as: ``bool``, ``int``, ``float`` or ``null``.
    """

    name: str
    content: Any
    lines: Mapping[Place, int]
    written: Mapping[Place, tuple[str, str]]

    def nearest(self, place: Sequence[str | int]) -> Place:
        """Return the place in the file, without the parts that are not in the file.

        Examples
        --------
        >>> parse_yaml(b"a: [x, y]", "some.yaml").nearest(("a", "list", 1, "word"))
        ('a', 1)
        """
        known: Place = ()
        for part in place:
            known = (*known, part) if (*known, part) in self.lines else known
        return known

    def line_of(self, place: Sequence[str | int]) -> int:
        """Return the line of a place, or of the nearest one around it."""
        return self.lines.get(self.nearest(place), 1)

    def quotes_for(self, place: Sequence[str | int], kinds: Container[str] = _KINDS) -> str:
        """Return the advice to put an unquoted value in quotes; empty where there is none.

        `place` is that of the value, or of what holds it; `kinds` is what YAML reads the value as.
        """
        nearest = self.nearest(place)
        for known, (text, kind) in self.written.items():
            if known[: len(nearest)] == nearest and kind in kinds and text:
                meaning = _CALLED.get(kind, "a number")
                return f"YAML reads {text} as {meaning}; {_quoted(text)} if it is a word"
        return ""


def read_yaml(path: Path) -> YamlFile:
    """Read a YAML file.

    Raises InputError if the file is missing, is not a regular file of UTF-8 text, is larger than 1
    MiB, is not valid YAML, or holds what this reader refuses. The message names the line.
    """
    with guarded(path), require_file(path).open("rb") as file:
        content = file.read(_LARGEST + 1)
    return parse_yaml(content, str(path))


def parse_yaml(content: bytes, name: str) -> YamlFile:
    r"""Parse the bytes of a YAML file that messages call `name`; raises InputError as `read_yaml`.

    Examples
    --------
    >>> parse_yaml(b"layers: [0, 4]\nanswers: {0: dark}", "study.yaml").content
    {'layers': [0, 4], 'answers': {'0': 'dark'}}
    >>> parse_yaml(b"seed: 1\nseed: 2", "study.yaml")
    Traceback (most recent call last):
    modalprism.errors.InputError: study.yaml, line 2: the key 'seed' stands twice; it is in line 1
    """
    if len(content) > _LARGEST:
        raise InputError(f"{name} is larger than 1 MiB; a file that people write is not")
    reader = _Reader(_text(content, name), name)
    with guarded(name):
        try:
            root = reader.get_single_node()
        except InputError:  # is a ValueError
            raise
        except yaml.MarkedYAMLError as error:
            words = ", ".join(part for part in (error.context, error.problem) if part)
            raise InputError(_invalid(name, _line(error.problem_mark), words)) from error
        except (ValueError, OverflowError) as error:  # escapes and directives with huge numbers
            raise InputError(_invalid(name, reader.line + 1, str(error))) from error
    value = None if root is None else reader.value(root, ())
    return YamlFile(name, value, reader.lines, reader.written)


def yaml_text(content: Any) -> str:
    """Return mappings, lists and scalars as YAML that `parse_yaml` reads back exactly."""
    text: str = yaml.dump(content, Dumper=_Writer, sort_keys=False, allow_unicode=True)
    return text


def quoted(text: str) -> str:
    """Return text in double quotes on one line, as YAML that is read back exactly.

    Raises InputError if it is no text: the name of a file that is not Unicode, or holds NUL.
    """
    if _odd(text) is not None:
        raise InputError(f"{text!a} is not Unicode text and cannot be written; rename it")
    options: Any = {"default_style": '"', "width": sys.maxsize, "allow_unicode": True}
    text = yaml.dump(text, Dumper=_Writer, **options)
    return text.rstrip("\n")


class _Writer(yaml.SafeDumper):
    """Quote what PyYAML leaves bare and reads otherwise: some line breaks, numbers of YAML 1.2."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _quote_if_needed(writer: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    bare = text.isprintable() and not _NUMBER_IN_1_2.fullmatch(text)
    return writer.represent_scalar(f"{_TAG}str", text, style=None if bare else '"')


_Writer.add_representer(str, _quote_if_needed)


class _Reader(yaml.SafeLoader):
    """Build plain values from a file, within limits.

    Nodes are composed by PyYAML. Values are built here, since its constructors drop the first of
    two equal keys, evaluate tags, and know no lines.
    """

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text)
        self.name = name
        self.lines: dict[Place, int] = {}
        self.written: dict[Place, tuple[str, str]] = {}
        self._depth = 0
        self._values = 0
        self._sizes: dict[str, int] = {}  # of anchored nodes: what an alias repeats

    def refuse(self, where: Any, words: str) -> NoReturn:
        line = where if isinstance(where, int) else _line(where)
        raise InputError(f"{self.name}, line {line}: {words}")

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            if event.anchor in self.anchors and event.anchor not in self._sizes:
                self.refuse(event.start_mark, f"the alias *{event.anchor} contains itself")
            self._count(self._sizes.get(str(event.anchor), 0), event)
            return super().compose_node(parent, index)
        if event.tag is not None:
            tag = event.tag.replace(_TAG, "!!", 1)
            self.refuse(event.start_mark, f"leave out the tag {tag!r}: tags are not read")
        if self._depth >= _DEEPEST:
            self.refuse(event.start_mark, f"values are nested more than {_DEEPEST} levels deep")
        before = self._values
        self._count(1, event)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        if event.anchor is not None:
            self._sizes[event.anchor] = self._values - before
        return node

    def _count(self, more: int, event: Any) -> None:
        self._values += more
        if self._values > _MOST_VALUES:
            words = f"there are more than {_MOST_VALUES:,} values, aliases repeated"
            self.refuse(event.start_mark, words)

    def value(self, node: yaml.Node, place: Place) -> Any:
        """Build the value of a node."""
        self.lines.setdefault(place, _line(node.start_mark))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*place, i)) for i, item in enumerate(node.value)]
        return self._scalar(node, place)

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        content: dict[str, Any] = {}
        own: dict[str, int] = {}
        merged: list[yaml.Node] = []
        for key_node, value_node in node.value:
            line = _line(key_node.start_mark)
            if _kind(key_node) == "merge":
                merged.append(value_node)
                continue
            key = self._key(key_node)
            if key in own:
                self.refuse(line, f"the key {key!r} stands twice; it is in line {own[key]}")
            own[key] = self.lines[(*place, key)] = line
            content[key] = self.value(value_node, (*place, key))
        for source in merged:
            for key_node, value_node in self._merged(source):
                if (key := self._key(key_node)) not in content:
                    self.lines[(*place, key)] = _line(key_node.start_mark)
                    content[key] = self.value(value_node, (*place, key))
        return content

    def _merged(self, node: yaml.Node) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        """Yield the keys and values that `<<: *mapping` or `<<: [*one, *other]` brings."""
        if isinstance(node, yaml.SequenceNode):
            for item in node.value:
                yield from self._merged(item)
            return
        if not isinstance(node, yaml.MappingNode):
            self.refuse(node.start_mark, 'the key << takes a mapping; put "<<" in quotes')
        yield from (pair for pair in node.value if _kind(pair[0]) != "merge")
        for key_node, value_node in node.value:
            if _kind(key_node) == "merge":
                yield from self._merged(value_node)

    def _key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            self.refuse(node.start_mark, "a key is a list or a mapping; keys are words")
        text = self._word(node)
        if node.style is not None:
            return text
        if not text:
            self.refuse(node.start_mark, "a key is empty; write a word before the colon")
        kind = _kind(node)
        is_word = kind in {"str", "value"} and not _NUMBER_IN_1_2.fullmatch(text)
        if not is_word and not _UNAMBIGUOUS.fullmatch(text):
            self.refuse(node.start_mark, _quotes(text, kind, "this key"))
        return text

    def _word(self, node: yaml.ScalarNode) -> str:
        """Return the text of a node, without what an escape can write and no file name can hold."""
        text: str = node.value
        if (odd := _odd(text)) is not None:
            self.refuse(
                node.start_mark, f"it holds {odd!a}, which is no character; leave the escape out"
            )
        return text

    def _scalar(self, node: Any, place: Place) -> Any:
        text = self._word(node)
        kind = "str" if node.style is not None else _kind(node)
        if kind not in {"null", "bool", "int", "float", "timestamp"}:
            return text
        self.written[place] = (text, kind)
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() in _TRUE
        if kind == "timestamp":
            self.refuse(node.start_mark, _quotes(text, kind))
        if len(text) > _LONGEST_NUMBER:
            self.refuse(node.start_mark, f"a number has {len(text):,} characters")
        if _SEXAGESIMAL in text or (kind == "int" and not _INTEGER.fullmatch(text)):
            self.refuse(node.start_mark, f"write {text} as a decimal number, or {_quoted(text)}")
        digits = text.replace("_", "").lower()
        # YAML writes .inf and .nan
        return int(digits) if kind == "int" else float(re.sub(r"\.(?=inf|nan)", "", digits))


def _odd(text: str) -> str | None:
    """Return the first NUL or half a character, which can be escaped but not be written."""
    return next((one for one in text if one == "\0" or category(one) == "Cs"), None)


def _text(content: bytes, name: str) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        words = "it is not UTF-8 text; save it in that encoding"
        raise InputError(_invalid(name, line, words)) from error
    if found := yaml.SafeLoader.NON_PRINTABLE.search(text):
        line = text.count("\n", 0, found.start()) + 1
        words = f"it has the character {found.group()!r}, which is not text; save it as UTF-8 text"
        raise InputError(_invalid(name, line, words))
    return text


def _invalid(name: str, line: int, words: str) -> str:
    reason = reason_of(ValueError(words))
    advice = "; indent with spaces" if "'\\t'" in reason else ""
    return f"{name} is not valid YAML in line {line}: {reason}{advice}"


def _line(mark: Any) -> int:
    return 1 if mark is None else mark.line + 1


def _kind(node: yaml.Node) -> str:
    """Return what YAML 1.1 reads a node as: str, int, bool, merge and so on."""
    return str(node.tag).removeprefix(_TAG)


def _quotes(text: str, kind: str, what: str = "it") -> str:
    return f"{_quoted(text)}: without them, YAML reads {what} as {_CALLED.get(kind, 'a number')}"


def _quoted(text: str) -> str:
    shown = text if len(text) <= _LONGEST_NUMBER else f"{text[:_LONGEST_NUMBER]}…"
    return f'put "{shown}" in quotes'

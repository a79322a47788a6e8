"""YAML files that people write: what is read, and what is refused with its line."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modalprism.errors import InputError
from modalprism.yaml_files import parse_yaml, quoted, read_yaml, yaml_text

WORDS = ["yes", "No", "on", "OFF", "True", "null", "~", "12:30", "1e3", "0o7", "2020-01-01"]
WORDS += [
    "010",
    "1_000",
    "0x1F",
    "+1",
    "1.",
    ".5",
    ".inf",
    ".NaN",
    "190:20:30",
    "2001-12-14 21:59:43",
]


def content(text: str):
    return parse_yaml(text.encode(), "some.yaml").content


def refusal(data: str | bytes) -> str:
    data = data.encode() if isinstance(data, str) else data
    with pytest.raises(InputError) as caught:
        parse_yaml(data, "some.yaml")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("some.yaml")
    return str(caught.value)


@pytest.mark.parametrize("word", WORDS)
def test_an_unquoted_key_that_yaml_reads_otherwise_is_refused(word: str) -> None:
    for text in (f"a: 1\n{word}: 2", f"a: 1\nb: {{c: 1, {word}: 2}}", f"a: 1\n? {word}\n: 2"):
        assert f'line 2: put "{word}" in quotes' in refusal(text)


@pytest.mark.parametrize("escape", [r"\0", r"\x00", r"\ud800", r"\ud83d\ude00", r"\U0000DFFF"])
def test_an_escape_of_what_no_file_can_hold_is_refused(escape: str) -> None:
    for text in (f'a: 1\nb: "c{escape}"', f'a: 1\n"{escape}": 2', f'a: 1\nb: [["{escape}"]]'):
        assert "line 2: it holds '\\" in refusal(text)
    assert content(r'"\U0001F600\x1b"') == "😀\x1b"


@pytest.mark.parametrize("name", ["a\udcff.npz", "\0"])
def test_what_would_not_be_read_back_is_not_written(name: str) -> None:
    with pytest.raises(InputError, match="is not Unicode text and cannot be written; rename it"):
        quoted(name)


@pytest.mark.parametrize("word", WORDS)
def test_a_quoted_key_is_the_word(word: str) -> None:
    assert content(f'"{word}": 2') == content(f"'{word}': 2") == {word: 2}


@pytest.mark.parametrize("word", ["0", "17", "-1", "1.5", "true", "false", "y", "café", "=", "a b"])
def test_an_unquoted_key_with_one_spelling_is_the_word(word: str) -> None:
    assert content(f"{word}: 2") == {word: 2}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: [yes, off, true]", [True, False, True]),
        ("a: [null, ~]", [None, None]),
        ("a: [0, -3, 1_000, +2]", [0, -3, 1000, 2]),
        ("a: [1.5, .inf, -.INF]", [1.5, float("inf"), float("-inf")]),
        ("a: ['yes', \"010\", on hold, 1e3]", ["yes", "010", "on hold", "1e3"]),
        ("a: |\n  x\n  y", "x\ny"),
        ("\ufeffa: 😀", "😀"),
        ("a: 1\n...\n", 1),
    ],
)
def test_values_are_those_of_yaml(text: str, value: object) -> None:
    assert content(text) == {"a": value}


@pytest.mark.parametrize("value", ["010", "12:30", "1:30.5", "0x1F", "0b1", "2020-01-01"])
def test_a_value_that_is_hardly_meant_is_refused(value: str) -> None:
    for text in (f"x: 1\na: {value}", f"x: 1\na: [1, {value}]"):
        assert f'put "{value}" in quotes' in refusal(text)
        assert "line 2" in refusal(text)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("seed: 1\n\nseed: 2", 3, "the key 'seed' stands twice; it is in line 1"),
        ("a: {x: 1,\n  x: 2}", 2, "the key 'x' stands twice"),
        ('1: a\n"1": b', 2, "the key '1' stands twice"),
        ("a: 1\n? [b]\n: 1", 2, "a key is a list or a mapping"),
        ("a: 1\n&x : 1", 2, "a key is empty"),
        ("a: 1\nseed: !!int x", 2, "leave out the tag '!!int'"),
        ("a: !!python/object/apply:os.system [ls]", 1, "leave out the tag '!!python/object"),
        ("a: !mine {b: c}", 1, "leave out the tag '!mine'"),
        ("a: !!timestamp x", 1, "leave out the tag '!!timestamp'"),
        ("a: 2020-99-99", 1, 'put "2020-99-99" in quotes'),
        ("a: " + "9" * 5000, 1, "a number has 5,000 characters"),
        ("a: 1." + "9" * 5000, 1, "a number has 5,002 characters"),
        ("a: " + "[" * 3000, 1, "nested more than 50 levels deep"),
        ("a: " + "{x: " * 3000, 1, "nested more than 50 levels deep"),
        ("\n".join(" " * n + "x:" for n in range(200)), 50, "nested more than 50"),
        ("a: &a [*a]", 1, "the alias *a contains itself"),
        ("a: &a\n  b: {<<: *a}", 2, "the alias *a contains itself"),
        ("<<: x", 1, 'put "<<" in quotes'),
    ],
)
def test_what_is_refused_is_said_with_its_line(text: str, line: int, words: str) -> None:
    message = refusal(text)
    assert f"some.yaml, line {line}: " in message
    assert words in message


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b"a: 1\nb: [", 2, "expected the node content, but found '<stream end>'"),
        (b"a:\n\tb: 1", 2, "indent with spaces"),
        (b"a: 1\n---\nb: 2", 2, "found another document"),
        (b"a: *b", 1, "undefined alias"),
        (b"a: 1\nb\0: 1", 2, r"the character '\x00'"),
        (b"a: 1\nb: \x1b[2J", 2, r"the character '\x1b'"),
        ("a: 1\nb: é".encode("latin-1"), 2, "not UTF-8 text"),
        ("a: 1".encode("utf-16"), 1, "not UTF-8 text"),
        ("a: 1".encode("utf-32"), 1, "not UTF-8 text"),
        ("a: 1".encode("utf-16-le"), 1, r"the character '\x00'"),
        (b'a: 1\nb: "\\U99999999"', 2, ""),
        (b"%YAML 1." + b"9" * 5000 + b"\n---\na: 1", 1, ""),
    ],
)
def test_what_is_no_yaml_is_said_with_its_line(data: bytes, line: int, words: str) -> None:
    message = refusal(data)
    assert f"some.yaml is not valid YAML in line {line}: " in message
    assert words in message


def test_aliases_that_multiply_are_refused_before_they_are_built() -> None:
    levels = "\n".join(f"k{n}: &k{n} [{', '.join([f'*k{n - 1}'] * 9)}]" for n in range(1, 30))
    assert "more than 100,000 values" in refusal(f"k0: &k0 [x, x, x]\n{levels}")
    merged = "\n".join(
        f"k{n}: &k{n} {{<<: [{', '.join([f'*k{n - 1}'] * 9)}]}}" for n in range(1, 30)
    )
    assert "more than 100,000 values" in refusal(f"k0: &k0 {{x: 1}}\n{merged}")


def test_anchors_and_merge_keys_are_read() -> None:
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: {<<: [*a, {z: 4, x: 5}]}\nd: *a"
    a = {"x": 1, "y": 2}
    assert content(text) == {"a": a, "b": {"x": 1, "y": 3}, "c": a | {"z": 4}, "d": a}


def test_lines_and_texts_of_values_are_known() -> None:
    file = parse_yaml(b"a:\n  - b: yes\n    c: '1'\n  -\n    b: 2", "some.yaml")
    assert [file.line_of(place) for place in ((), ("a",), ("a", 0, "c"), ("a", 1, "b"))] == [
        1,
        1,
        3,
        5,
    ]
    assert file.line_of(("a", "union", 1, "b", "int")) == 5
    assert 'put "yes" in quotes' in file.quotes_for(("a", 0, "b"))
    assert file.quotes_for(("a", 0, "c")) == ""


def test_only_regular_files_of_a_bounded_size_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with (tmp_path / "huge.yaml").open("wb") as file:
        file.truncate(2**40)
    for name, words in {
        "pipe.yaml": "is not a regular file",
        "huge.yaml": "is larger than 1 MiB",
        "none.yaml": "does not exist",
        "": "is a folder",
    }.items():
        with pytest.raises(InputError, match=words):
            read_yaml(tmp_path / name)


def test_an_empty_file_holds_none(tmp_path: Path) -> None:
    for text in ("", "\n# only a comment\n", "---\n"):
        (tmp_path / "some.yaml").write_text(text)
        assert read_yaml(tmp_path / "some.yaml").content is None


written = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
words = written | st.sampled_from(WORDS) | st.from_regex(r"[-+.:0-9eox_~<=]+", fullmatch=True)
scalars = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | words
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3)
)


@given(values)
def test_what_is_written_is_read_back(value: object) -> None:
    assert content(yaml_text({"a": value})) == {"a": value}


@given(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
def test_every_character_is_read_back(character: str) -> None:
    for text in (character, f"a{character}", f"{character} b", f"a {character}\n"):
        assert content(yaml_text({text: [text]})) == {text: [text]}


@given(st.binary(max_size=60) | st.text(alphabet="ab:-[]{}&*!|>'\"#%?\n\t 0,~<").map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(InputError):
        parse_yaml(data, "some.yaml")

"""Foreign files: only regular ones are opened, and every failure is one sentence."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modalprism import foreign
from modalprism.errors import InputError
from modalprism.foreign import (
    guarded,
    parse_json,
    reason_of,
    redacted,
    require_chunks,
    require_file,
    require_plain_folder,
    require_room,
)


def test_a_regular_file_and_a_link_to_one_are_taken(tmp_path):
    file = tmp_path / "a.npz"
    file.write_bytes(b"x")
    link = tmp_path / "link.npz"
    link.symlink_to(file)
    assert require_file(file) == file
    assert require_file(link) == link


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="not a regular file"):
        require_file(tmp_path / "pipe")


def test_folders_and_impossible_names_are_refused(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        require_file(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        require_file(tmp_path / ("n" * 5000))
    with pytest.raises(InputError, match="cannot be read"):
        require_file(tmp_path / "null\0byte")


@pytest.mark.parametrize(
    "error",
    [ValueError("a\nb"), RecursionError("deep"), MemoryError(), KeyError("x"), OSError(5, "I/O")],
)
def test_any_failure_is_one_sentence(error):
    with pytest.raises(InputError) as caught, guarded("e.npz", "write it again"):
        raise error
    assert str(caught.value).startswith("e.npz cannot be read: ")
    assert str(caught.value).endswith("; write it again")
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is error


def test_what_is_said_already_is_not_said_again():
    with pytest.raises(InputError, match=r"^mine$"), guarded("e.npz"):
        raise InputError("mine")


@given(st.text())
def test_a_reason_is_short_and_printable(text):
    reason = reason_of(ValueError(text))
    assert reason.isprintable()
    assert 0 < len(reason) <= 300


@pytest.mark.parametrize(
    ("address", "hidden"),
    [
        ("ftp://ada:p@ss@host/x", "ftp://***@host/x"),
        ("ftp://ada:pa/ss?w#@host/x", "ftp://***@host/x"),
        ("https://TOKEN@host/x.npz", "https://***@host/x.npz"),
        ("zip::https://ada:pass@host/x.zip", "zip::https://***@host/x.zip"),
        ("https://host/x?sig=a%2F:b&v=1#key=c", "https://host/x?sig=***&v=***#key=***"),
        ("https://host/x?TOKEN", "https://host/x?***"),
        ("zip://s::https://host/x.zip?sig=a::b", "zip://s::https://host/x.zip?sig=***::b"),
        ("https://host:8080/a@b/c", "https://host:8080/a@b/c"),
        ("zip://s::s3://bucket/a@b.zip", "zip://s::s3://bucket/a@b.zip"),
        ("the file what?x=1 of a@b", "the file what?x=1 of a@b"),
    ],
)
def test_credentials_of_addresses_are_hidden(address, hidden):
    assert redacted(f"no {address} here") == f"no {hidden} here"
    assert reason_of(OSError(f"url='{address}'")) == f"url='{hidden}'"
    assert redacted(hidden) == hidden


def test_the_panic_of_a_parser_in_rust_is_one_sentence():
    panic = type("PanicException", (BaseException,), {})
    with pytest.raises(InputError, match=r"^e\.safetensors cannot be read: index out of range$"):
        raise_inside(panic("index out of range"))
    with pytest.raises(KeyboardInterrupt):
        raise_inside(KeyboardInterrupt())


def raise_inside(error):
    with guarded("e.safetensors"):
        raise error


def test_files_of_a_plain_folder_are_listed(tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("b/c", "a"):
        (tmp_path / name).write_bytes(b"")
    assert require_plain_folder(tmp_path) == [tmp_path / "a", tmp_path / "b/c"]


def test_links_and_pipes_in_a_folder_are_refused(tmp_path, monkeypatch):
    for name, kind in (("links", "a link"), ("pipes", "a pipe, socket or device")):
        folder = tmp_path / name / "inside"
        folder.mkdir(parents=True)
        folder.joinpath("x").symlink_to("a") if name == "links" else os.mkfifo(folder / "x")
        with pytest.raises(InputError, match=rf"'inside/x' in .*{name} is {kind}"):
            require_plain_folder(tmp_path / name)
    monkeypatch.setattr(foreign, "MOST_FILES", 0)
    (tmp_path / "x").write_bytes(b"")
    with pytest.raises(InputError, match="holds more than 0 files"):
        require_plain_folder(tmp_path)


def test_claims_are_refused_where_memory_ends(monkeypatch):
    monkeypatch.setattr(foreign, "free_memory", lambda: 2**30)
    require_room(2**30, "it")
    with pytest.raises(InputError, match=r"it takes 1\.1 GiB by its own header, and 1\.0 GiB"):
        require_room(2**30 + 2**27, "it")
    require_chunks((100_000, 3), (1, 3), 8, "it")
    with pytest.raises(InputError, match="it is cut into 200,000 chunks"):
        require_chunks((200_000, 3), (1, 3), 8, "it")
    with pytest.raises(InputError, match="GiB"):
        require_chunks((10, 3), (10**9, 3), 8, "it")
    with pytest.raises(InputError, match="GiB"):
        require_chunks((10**10, 0), (1, 1), 8, "it")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 60 + "]" * 60, "nests deeper than 50 levels"),
        ('{"a":' * 60 + "1" + "}" * 60, "nests deeper than 50 levels"),
        ("[" * 100_000, "RecursionError"),
        ('"\\ud800"', "surrogates not allowed"),
        ("9" * 5000, "digits"),
        (b"\xff", "utf-8"),
        ("", "Expecting value"),
    ],
)
def test_json_that_harms_is_refused(text, reason):
    with pytest.raises(InputError, match=f"e.json cannot be read: .*{reason}.*; write it again"):
        parse_json(text, "e.json", "write it again")


@given(st.recursive(st.text() | st.integers(-9, 9) | st.none(), st.lists, max_leaves=200))
def test_other_json_is_parsed(value):
    assert parse_json(json.dumps(value), "e.json") == value


@pytest.mark.parametrize("words", ["a\x1b[2Jb", "two\nlines", "\ud800", "\u202eback"])
def test_an_error_shows_no_control_character(words):
    assert str(InputError(f"the class {words} has one row")).isprintable()


@pytest.mark.parametrize("words", ["日本語", "الع\u200cربية", "👩\u200d🔬", "é − ≤ …"])
def test_an_error_leaves_words_of_any_language_alone(words):
    assert str(InputError(words)) == words


def test_an_error_about_endless_names_keeps_what_was_wrong_and_what_to_do():
    name = "\0" * 5_000
    words = str(InputError(f"two columns are named {name!r}; rename one"))
    assert len(words) == 1_500
    assert words.startswith("two columns are named")
    assert words.endswith("; rename one")


def test_a_python_of_ascii_names_is_told_what_to_do():
    with pytest.raises(UnicodeEncodeError) as error:
        "走る".encode("ascii")
    assert "set PYTHONUTF8=1" in reason_of(error.value)

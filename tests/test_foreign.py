"""Foreign files: only regular ones are opened, and every failure is one sentence."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modalprism.errors import InputError
from modalprism.foreign import guarded, reason_of, redacted, require_file


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

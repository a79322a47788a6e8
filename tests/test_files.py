"""File names from outside, and files that appear whole."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modalprism import files
from modalprism.errors import InputError
from modalprism.files import check_names, file_name, inside

OUTSIDE = ["..", "../x", "a/..", "a/../../x", "/etc/x", "a\\..\\x", "\\\\host\\x", "C:x", "a/C:/x"]
UNCLEAR = ["", "a//b", "./a", "a/.", "a/"]
UNWRITABLE = ["a\0b", "a\nb", "\x1b[2J", "\ud800", "n" * 256, "界" * 86]


@pytest.mark.parametrize("name", [*OUTSIDE, *UNCLEAR, *UNWRITABLE])
def test_names_that_lead_out_or_cannot_be_written_are_refused(tmp_path, name):
    with pytest.raises(InputError, match="the file name") as raised:
        inside(tmp_path, name)
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize(
    "name", ["a", "a/b", "...", "..a", "a..b/c.", "what?", "layer:1", "日本/é"]
)
def test_names_that_stay_inside_are_joined(tmp_path, name):
    assert inside(tmp_path, name) == tmp_path / name


@pytest.mark.parametrize("name", ["a<b", "what?", "layer:1", "a.", "a ", "CON", "nul.txt", "LPT1"])
def test_windows_takes_fewer_names(name):
    assert files._fault(name, windows=True)
    assert not files._fault(name, windows=False)


@given(st.text(max_size=30))
def test_whatever_is_joined_lies_inside(name):
    folder = Path("/no/such/folder")
    try:
        path = inside(folder, name)
    except InputError:
        return
    assert Path(os.path.normpath(path)).relative_to(folder).as_posix() == name


@pytest.mark.parametrize("link", ["a", "a/b"])
def test_nothing_is_reached_through_a_link(tmp_path, link):
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    outside.mkdir()
    (folder / link).parent.mkdir(parents=True)
    (folder / link).symlink_to(outside)
    with pytest.raises(InputError, match="is a symbolic link"):
        inside(folder, "a/b/c")
    (tmp_path / "also").symlink_to(folder)
    assert inside(tmp_path / "also", "c") == tmp_path / "also" / "c"


def test_two_names_of_one_place_are_refused():
    check_names(["A/x", "a/x", "é", "e\u0301"])
    for pair in (["A/x", "a/x"], ["é", "e\u0301"]):
        with pytest.raises(InputError, match="are one name to the file system"):
            check_names(pair, one_case=True)
    for pair in (["a", "a/b/c"], ["a/b/c", "a"]):
        with pytest.raises(InputError, match="'a' is the name of a file and, in 'a/b/c', of a"):
            check_names(pair)


@given(st.text())
def test_any_label_becomes_one_name_that_every_system_takes(label):
    name = file_name(label)
    assert not files._fault(name, windows=True)
    assert "/" not in name
    assert len(name.encode()) <= 101
    assert file_name(name) == name


def test_the_cache_folder_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODALPRISM_CACHE", "cache")
    assert files.cache_folder() == tmp_path / "cache"

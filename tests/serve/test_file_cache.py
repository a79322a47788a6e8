import os

import pytest

from modalprism.serve.file_cache import FileCache


@pytest.fixture
def reads():
    return []


@pytest.fixture
def cached(tmp_path, reads):
    def read(name):
        reads.append(name)
        return (tmp_path / name).read_text()

    return FileCache(lambda name: [tmp_path / name], read, most=2)


def write(path, text, time):
    path.write_text(text)
    os.utime(path, (time, time))


def test_a_file_is_read_again_only_after_it_has_changed(tmp_path, cached, reads):
    write(tmp_path / "a", "one", 1000)
    assert [cached.get("a"), cached.get("a")] == ["one", "one"]
    assert reads == ["a"]
    write(tmp_path / "a", "two", 2000)
    assert cached.get("a") == "two"
    write(tmp_path / "a", "three", 2000)  # of another size
    assert cached.get("a") == "three"


def test_what_was_used_last_goes_last(tmp_path, cached, reads):
    for name in "abc":
        write(tmp_path / name, name, 1000)
    for name in "abacab":
        cached.get(name)
    assert reads == ["a", "b", "c", "b"]


def test_there_is_no_time_for_what_is_not_known(tmp_path, cached):
    for name in "ab":
        write(tmp_path / name, name, 1000)
    cached.get("a")
    assert cached.get_many("ab", 0) == {"a": "a", "b": None}
    assert cached.get_many("ab", 60) == {"a": "a", "b": "b"}

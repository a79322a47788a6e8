import os

import pytest

from modalprism.serve.remembered import Remembered


@pytest.fixture
def reads():
    return []


@pytest.fixture
def remembered(tmp_path, reads):
    def read(name):
        reads.append(name)
        return (tmp_path / name).read_text()

    return Remembered(lambda name: [tmp_path / name], read, most=2)


def write(path, text, time):
    path.write_text(text)
    os.utime(path, (time, time))


def test_a_file_is_read_again_only_after_it_has_changed(tmp_path, remembered, reads):
    write(tmp_path / "a", "one", 1000)
    assert [remembered.of("a"), remembered.of("a")] == ["one", "one"]
    assert reads == ["a"]
    write(tmp_path / "a", "two", 2000)
    assert remembered.of("a") == "two"
    write(tmp_path / "a", "three", 2000)  # of another size
    assert remembered.of("a") == "three"


def test_what_was_used_last_goes_last(tmp_path, remembered, reads):
    for name in "abc":
        write(tmp_path / name, name, 1000)
    for name in "abacab":
        remembered.of(name)
    assert reads == ["a", "b", "c", "b"]


def test_there_is_no_time_for_what_is_not_known(tmp_path, remembered):
    for name in "ab":
        write(tmp_path / name, name, 1000)
    remembered.of("a")
    assert remembered.of_many("ab", 0) == {"a": "a", "b": None}
    assert remembered.of_many("ab", 60) == {"a": "a", "b": "b"}

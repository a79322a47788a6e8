"""Results in a folder: made once, and only trusted where they are what was asked for."""

import json
import math
import threading

import pytest

from modalprism.cache import Cache, Entry, Key, MemoryCache

KEY = Key("a label: of mine", {"squares": 1}, {"number": 3, "names": ("a", "b")})


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path)


@pytest.fixture
def made():
    """Collect what was made, by a function that makes an entry."""
    made = []

    def make():
        made.append(1)
        return Entry({"square": 9, "none": math.nan}, {"bin": b"\0\1"})

    make.count = made
    return make


def test_an_entry_is_made_once_and_comes_back_as_it_was_written(cache, made):
    first = cache.get(KEY, made)
    assert first == cache.get(KEY, made) == Cache(cache.folder).find(KEY)
    assert first.value == {"square": 9, "none": None}
    assert first.files == {"bin": b"\0\1"}
    assert len(made.count) == 1
    assert sorted(path.name.partition("-")[0] for path in cache.folder.iterdir()) == ["a label"] * 2


def test_the_file_says_what_it_was_made_of(cache, made):
    cache.get(KEY, made)
    content = json.loads((cache.folder / f"{KEY.name}.json").read_text("utf-8"))
    assert content["makers"] == {"squares": 1}
    assert content["inputs"] == {"number": 3, "names": ["a", "b"]}
    assert content["value"]["square"] == 9


@pytest.mark.parametrize(
    "other",
    [
        Key(KEY.label, {"squares": 2}, KEY.inputs),
        Key(KEY.label, {"cubes": 1}, KEY.inputs),
        Key(KEY.label, KEY.makers, {**KEY.inputs, "number": 4}),
    ],
    ids=["a raised version", "another maker", "another input"],
)
@pytest.mark.parametrize("one_each", [False, True])
def test_what_depends_on_something_else_is_made_anew(cache, made, other, one_each):
    cache = Cache(cache.folder, one_each=one_each)
    cache.get(KEY, made)
    cache.get(other, made)
    assert len(made.count) == 2
    assert (cache.find(KEY) is None) == one_each


@pytest.mark.parametrize("ending", ["json", "bin"])
@pytest.mark.parametrize("damage", ["deleted", "cut", "empty", "changed", "a folder"])
def test_a_damaged_entry_is_made_anew(cache, made, ending, damage):
    expected = cache.get(KEY, made)
    path = cache.folder / f"{KEY.name}.{ending}"
    content = path.read_bytes()
    path.unlink()
    if damage == "a folder":
        path.mkdir()
    elif damage != "deleted":
        changed = content.replace(b"9", b"8").replace(b"\1", b"\2")
        path.write_bytes({"cut": content[:-1], "empty": b"", "changed": changed}[damage])
    assert cache.find(KEY) is None or (ending, damage) == ("json", "cut")  # the last line's end
    if damage == "a folder":
        path.rmdir()
    assert cache.get(KEY, made) == expected
    assert path.read_bytes() == content or (ending, damage) == ("json", "cut")


@pytest.mark.parametrize(
    "content", [b"[]", b'{"makers": 1}', b"null", b'{"files": 5, "value": 1}', b"\xff"]
)
def test_a_file_of_another_kind_is_no_entry(cache, made, content):
    cache.get(KEY, made)
    (cache.folder / f"{KEY.name}.json").write_bytes(content)
    assert cache.find(KEY) is None


def test_an_entry_names_no_file_elsewhere(cache, made, tmp_path):
    cache.get(KEY, made)
    path = cache.folder / f"{KEY.name}.json"
    (tmp_path / "secret").write_text("mine")
    path.write_text(path.read_text().replace('"bin"', '"bin/../../secret"'))
    assert cache.find(KEY) is None


def test_fresh_makes_everything_anew(cache, made):
    cache.get(KEY, made)
    Cache(cache.folder, fresh=True).get(KEY, made)
    assert len(made.count) == 2


def test_a_full_disk_names_the_file(cache, made, monkeypatch):
    def full(path, content):  # noqa: ARG001
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("modalprism.cache.write_whole", full)
    with pytest.raises(OSError, match="No space left"):
        cache.get(KEY, made)


def test_in_memory_the_one_used_least_recently_is_dropped():
    cache, made = MemoryCache(most=2), []
    for name in "abacab":
        cache.get(name, lambda name=name: made.append(name))
    assert made == ["a", "b", "c", "b"]
    assert cache.find("c", "gone") == "gone"


def test_in_memory_two_threads_make_one_value():
    cache, made = MemoryCache(), []
    begin = threading.Barrier(4)

    def ask():
        begin.wait()
        cache.get("key", lambda: made.append(1))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]

"""Addresses that mean harm: nothing is written outside of the cache, or more than fits."""

import io
import json
import tarfile
import zipfile
from collections import namedtuple

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from modalprism import remote
from modalprism.capture import store
from modalprism.capture.store import EmbeddingStore, local_path, write_store
from modalprism.errors import InputError
from modalprism.studies.study import Study

CLIMBS = "x.zarr/../../../victim/precious.txt"
NAMES = [
    *("x.zarr/" + "../" * depth + "victim/precious.txt" for depth in range(1, 6)),
    "x.zarr/..\\..\\..\\victim\\precious.txt",
    "x.zarr/C:/victim",
    "x.zarr/./a",
    "x.zarr/a\x1b[2J",
    "x.zarr/" + "n" * 300,
    "x.zarr/" + "d/" * 2500 + "f",
]


@pytest.fixture(autouse=True)
def victim(tmp_path, monkeypatch):
    """A file beside the cache, which stays what it is, and has no company."""
    monkeypatch.setenv("MODALPRISM_CACHE", str(tmp_path / "cache"))
    precious = tmp_path / "victim" / "precious.txt"
    precious.parent.mkdir()
    precious.write_text("precious")
    before = set(tmp_path.rglob("*"))
    MemoryFileSystem.store.clear()
    yield precious
    MemoryFileSystem.store.clear()
    assert precious.read_text() == "precious"
    assert list(precious.parent.iterdir()) == [precious]
    made = {path.relative_to(tmp_path).parts[0] for path in set(tmp_path.rglob("*")) - before}
    assert {name for name in made if "." not in name} <= {"cache", "run"}


def zipped(path, *names, content=b"planted"):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.zarr/zarr.json", "{}")
        for name in names:
            archive.writestr(name, content)
    return f"zip://x.zarr::file://{path}"


def tarred(path, *members):
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for member in ("x.zarr/zarr.json", *members):
            info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member)
            content = b"{}" if info.isreg() else b""
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return f"tar://x.zarr::file://{path}"


def refused(address):
    with pytest.raises(InputError) as raised:
        EmbeddingStore.open(address)
    words = str(raised.value)
    assert words.isprintable()
    assert not list(remote.cache_folder().rglob("*"))
    return words


@pytest.mark.parametrize("name", NAMES)
def test_archives_whose_names_lead_out_are_refused(tmp_path, name):
    for address in (
        zipped(tmp_path / "climbs.zip", name),
        tarred(tmp_path / "climbs.tar", name),
        tarred(tmp_path / "climbs.tar.gz", name),
    ):
        assert address.rpartition("/")[2] in refused(address)


def test_archives_in_archives_and_other_chains_are_refused(tmp_path):
    inner = tmp_path / "inner.zip"
    zipped(inner, CLIMBS)
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        archive.write(inner, "inner.zip")
    for address in (
        f"zip://x.zarr::zip://inner.zip::file://{tmp_path}/outer.zip",
        f"zip://x.zarr::simplecache::file://{inner}",
        f"dir://x.zarr::zip://::file://{inner}",
        f"zip://x.zarr/..::file://{inner}",
        f"zip://::file://{inner}",
        f"zip::file://{inner}",
    ):
        assert "leads out of its folder; nothing was copied" in refused(address)


@pytest.mark.parametrize("address", ["memory://..", "memory://a/../..", "memory://" + "n" * 400])
def test_an_address_itself_names_no_folder_outside(address):
    for unprintable in "\0\x1b\ud800":
        assert "holds control characters" in refused(f"{address}{unprintable}")
    assert not local_path(address).exists()
    assert remote.cache_folder() in local_path(address).parents


def test_a_file_made_of_pieces_of_other_files_is_refused(tmp_path, victim):
    references = {"x.zarr/zarr.json": "{}", "x.zarr/image": [f"file://{victim}"]}
    (tmp_path / "refs.json").write_text(json.dumps(references))
    for address in ("reference://x.zarr::", "dir://x.zarr::reference://::", "REFERENCE://::"):
        assert "reference:// is not read" in refused(f"{address}file://{tmp_path}/refs.json")


def test_links_and_pipes_in_an_archive_reach_nothing(tmp_path):
    for kind, target in (
        (tarfile.SYMTYPE, "../../victim/precious.txt"),
        (tarfile.LNKTYPE, "/etc/hostname"),
        (tarfile.FIFOTYPE, ""),
    ):
        member = tarfile.TarInfo("x.zarr/image")
        member.type, member.linkname = kind, target
        with pytest.raises(InputError, match="cannot be read"):
            EmbeddingStore.open(tarred(tmp_path / "links.tar", member))


@pytest.mark.parametrize("level", ["elsewhere", "the address", "the copy", "below"])
def test_nothing_is_written_through_a_link_in_the_cache(tmp_path, victim, level):
    address = zipped(tmp_path / "x.zip", "x.zarr/victim/precious.txt")
    copy = local_path(address)
    place = {
        "elsewhere": copy.parents[1],
        "the address": copy.parent,
        "the copy": copy,
        "below": copy / "victim",
    }[level]
    target = victim.parent if level == "below" else tmp_path / "run"
    place.rename(tmp_path / "run")
    place.symlink_to(target)
    zipped(tmp_path / "x.zip", "x.zarr/victim/precious.txt", "x.zarr/more", content=b"new")
    before = sorted((tmp_path / "run").rglob("*"))
    with pytest.raises(InputError, match="is a symbolic link, which is not followed"):
        local_path(address)
    assert sorted((tmp_path / "run").rglob("*")) == before


def test_names_of_one_place_are_refused(tmp_path):
    address = zipped(tmp_path / "x.zip", "x.zarr/a", "x.zarr/a/b")
    assert "'a' is the name of a file and, in 'a/b', of a folder" in refused(address)


def test_a_file_may_become_a_folder_and_a_folder_a_file(tmp_path):
    for name in ("x.zarr/a", "x.zarr/a/b", "x.zarr/a"):
        copy = local_path(zipped(tmp_path / "x.zip", name))
        files = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()}
        assert files == {"zarr.json", name.removeprefix("x.zarr/")}


def test_what_does_not_fit_on_the_disk_is_not_fetched(tmp_path, monkeypatch):
    address = zipped(tmp_path / "x.zip", "x.zarr/a", content=bytes(10**6))
    free = 10**6
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(remote.shutil, "disk_usage", lambda _: usage(free))
    with pytest.raises(InputError, match=r"would take 0\.0 GB, and the cache folder .* has room"):
        local_path(address)
    free = 10**7
    assert (local_path(address) / "a").stat().st_size == 10**6


def test_what_is_larger_than_it_says_is_cut_off(monkeypatch):
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/bucket/x.npz", bytes(10**6))
    told = MemoryFileSystem.info
    lies = lambda system, path, **options: {**told(system, path, **options), "size": None}  # noqa: E731
    monkeypatch.setattr(MemoryFileSystem, "info", lies)
    monkeypatch.setattr(MemoryFileSystem, "find", lambda *_, **__: {"/bucket/x.npz": {"size": 9}})
    monkeypatch.setattr(remote.shutil, "disk_usage", lambda _: namedtuple("usage", "free")(10**5))
    with pytest.raises(InputError, match=r"bucket/x\.npz has sent .* free some space"):
        EmbeddingStore.open("memory://bucket/x.npz")


@pytest.mark.parametrize("name", ["store.json", "finished.json", "redrawn/store.json"])
def test_a_description_that_unpacks_to_gigabytes_is_not_read(tmp_path, monkeypatch, name):
    monkeypatch.setattr(store, "_LARGEST_WORDS", 10**6)
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for one in {"store.json", name}:
            archive.writestr(f"x/{one}", b" " * 2 * 10**6 if one == name else "{}")
    with pytest.raises(InputError, match=rf"zip://x/{name}::.* has 2,000,000 bytes"):
        EmbeddingStore.open(f"zip://x::file://{tmp_path}/x.zip")


def test_an_archive_of_very_many_files_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "_MOST_FILES", 10)
    address = zipped(tmp_path / "x.zip", *(f"x.zarr/{number}" for number in range(11)))
    assert "has more than 10 files" in refused(address)


def test_a_study_and_the_command_line_refuse_as_well(tmp_path, run):
    address = zipped(tmp_path / "climbs.zip", CLIMBS)
    code, out, err = run("analyze", address, "--modality", "image", "--modality", "text")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "'../../../victim/precious.txt' leads out of its folder" in err
    (tmp_path / "study.yaml").write_text(f"sources: [{{path: '{address}'}}]\nout: run\n")
    code, _, err = run("run", "study.yaml")
    assert (code, err.count("\n")) == (2, 1)
    assert "leads out of its folder; nothing was copied" in err


def test_credentials_stand_in_no_message_and_no_run(tmp_path, monkeypatch, run):
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=(60, 2)) for name in ("image", "text")}
    write_store(tmp_path / "x.safetensors", {**arrays, "label": np.arange(60) % 2}, {})
    address = "memory://ada:tiger@bucket/x.safetensors?sig=TOKEN"
    code, _, err = run("inspect", address)
    assert code == 2
    assert "memory://***@bucket/x.safetensors" in err
    opened = (fsspec.filesystem("memory"), "/bucket/x.safetensors")
    opened[0].put_file(str(tmp_path / "x.safetensors"), opened[1])
    monkeypatch.setattr(fsspec.core, "url_to_fs", lambda *_: opened)
    study = Study(sources=[{"path": address}], out=tmp_path / "run", replicates=9, permutations=1)
    profile = study.run()
    written = b"".join(path.read_bytes() for path in (tmp_path / "run").rglob("*.[jy]*"))
    for word in ("tiger", "TOKEN"):
        assert word not in err
        assert word.encode() not in written
        assert word not in json.dumps(profile.manifest)
    code, _, err = run("run", "run/study.yaml")
    assert code == 2
    assert "stands without its credentials" in err

"""Stores elsewhere: what is written there is read there, and what cannot be reached is said."""

import errno
import importlib.util
import json
import shutil
from pathlib import Path
from urllib.parse import quote

import fsspec
import numpy as np
import pytest
import torch
from fsspec.implementations.memory import MemoryFileSystem
from torch import nn

from modalprism.capture.adapter import Site
from modalprism.capture.generic import ModuleAdapter
from modalprism.capture.run import RunConfig, run_capture
from modalprism.capture.shards import StoreReader, is_finished
from modalprism.capture.store import EmbeddingStore, local_path, write_store
from modalprism.datasets.dataset import Example
from modalprism.errors import InputError
from modalprism.remote import is_address
from modalprism.studies.inputs import EmbeddingsInput

ARRAYS = {"image": np.eye(4, 3, dtype=np.float32), "text": np.ones((4, 2)), "label": np.arange(4)}


@pytest.fixture(autouse=True)
def _own_places(tmp_path, monkeypatch):
    monkeypatch.setenv("MODALPRISM_CACHE", str(tmp_path / "cache"))
    MemoryFileSystem.store.clear()
    yield
    MemoryFileSystem.store.clear()


class Pair(nn.Module):
    """Two streams, and how often they were read."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.joined = nn.Linear(3, 4)
        self.read = 0

    def forward(self, image, text):
        self.read += len(image)
        return self.joined(torch.stack([image, text], 1))


def adapter_of(model):
    def prepare(examples):
        return {
            name: torch.stack([torch.as_tensor(one.inputs[name]) for one in examples])
            for name in ("image", "text")
        }

    def spans(inputs):
        place = torch.arange(2).expand(len(inputs["image"]), -1)
        return {"image": place == 0, "text": place == 1}

    sites = [[Site(layer, name, ("image", "text"))] for layer, name in ((1, "joined"), (2, ""))]
    return ModuleAdapter(
        model, prepare, {"image": sites[0], "text": sites[1]}, spans=spans,
        answer=lambda states: states.mean(1).softmax(1),
    )  # fmt: skip


def captured(out, n=20, *, model=None, **settings):
    draws = np.random.default_rng(0).normal(size=(n, 2, 3)).astype(np.float32)
    examples = [
        Example(f"e{i}", {"image": image, "text": text}, i % 2)
        for i, (image, text) in enumerate(draws)
    ]
    settings = RunConfig(shard_rows=8, batch_size=4, dtype="float32", **settings)
    words = {"model": "pair"}
    return run_capture(
        adapter_of(model or Pair()), examples, local_path(out), metadata=words, config=settings
    )


def remote_files(address):
    system, path = fsspec.core.url_to_fs(address)
    return sorted(name.removeprefix(path).strip("/") for name in system.find(path))


def arrays_here(store):
    return sorted(path.name for path in store.path.rglob("*.safetensors"))


PARTS = [f"part-0000{number}.{kind}" for number in range(3) for kind in ("parquet", "safetensors")]


def test_a_capture_elsewhere_is_that_here(tmp_path):
    here, there = captured(tmp_path / "s"), captured("memory://bucket/run/s")
    assert there.digest() == here.digest()
    assert remote_files("memory://bucket/run/s") == ["finished.json", *PARTS, "store.json"]
    assert is_finished(there.path)
    for name in here.names:
        np.testing.assert_array_equal(there.array(name), here.array(name))
    StoreReader.open(there.path).check()
    for place in ("file://", "local://"):
        assert EmbeddingStore.open(f"{place}{tmp_path / 's'}").path == tmp_path / "s"
        other = captured(f"{place}{tmp_path / place[:-3]}")
        assert other.digest() == here.digest()


@pytest.mark.parametrize(
    "form", ["file://{}", "file:{}", "file://localhost{}", "file://LOCALHOST{}", "local://{}"]
)
@pytest.mark.parametrize("name", ["s.npz", "a b.npz", "50%25.npz", "50%.npz"])
def test_files_of_this_machine_are_read_from_their_address(tmp_path, form, name):
    np.savez(tmp_path / name, image=np.ones((3, 2)))
    store = EmbeddingStore.open(form.format(tmp_path / name))
    assert store.path == tmp_path / name
    quoted = EmbeddingStore.open(form.format(quote(str(tmp_path / name))))
    assert quoted.array("image").shape == (3, 2)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("file://data/s.npz", "names a file of the machine 'data'; give file:// and an absolute"),
        ("file://host.example/s.npz", "names a file of the machine 'host.example'"),
        ("file:s.npz", "'file:s.npz' holds no absolute path"),
        ("file:./s.npz", "holds no absolute path"),
        ("file://", "holds no absolute path"),
        ("local:s.npz", "holds no absolute path"),
    ],
)
def test_file_addresses_that_are_no_absolute_path_are_refused(
    address, words, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    np.savez("s.npz", image=np.ones((3, 2)))
    with pytest.raises(InputError, match=words):
        EmbeddingStore.open(address)


def test_arrays_come_when_they_are_asked_for_and_are_fetched_once(tmp_path, monkeypatch):
    captured("memory://bucket/s")
    monkeypatch.setenv("MODALPRISM_CACHE", str(tmp_path / "another machine"))
    store = EmbeddingStore.open("memory://bucket/s")
    assert arrays_here(store) == ["part-00000.safetensors"]  # its names of arrays
    store.array("label")
    assert len(arrays_here(store)) == 1
    first = store.array("image/1")
    assert len(arrays_here(store)) == 3
    refused = lambda *_: pytest.fail("it was fetched again")  # noqa: E731
    monkeypatch.setattr(MemoryFileSystem, "get_file", refused)
    np.testing.assert_array_equal(EmbeddingStore.open("memory://bucket/s").array("image/1"), first)


def test_what_was_captured_anew_is_not_read_from_the_copy(tmp_path, monkeypatch):
    store = captured("memory://bucket/s", 20)
    before = store.array("image/1")
    monkeypatch.setenv("MODALPRISM_CACHE", str(tmp_path / "another machine"))
    fsspec.filesystem("memory").rm("/bucket/s", recursive=True)
    after = captured("memory://bucket/s", 12).array("image/1")
    monkeypatch.setenv("MODALPRISM_CACHE", str(tmp_path / "cache"))
    again = EmbeddingStore.open("memory://bucket/s").array("image/1")
    np.testing.assert_array_equal(again, after)
    assert len(before) == 20
    assert len(again) == 12


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_a_run_goes_on_after_the_last_part_that_is_there(tmp_path, monkeypatch, kept):
    whole = captured("memory://bucket/whole")
    captured("memory://bucket/s")
    memory = fsspec.filesystem("memory")
    for number in range(kept, 3):
        memory.rm(f"/bucket/s/part-0000{number}.parquet")
    monkeypatch.setenv("MODALPRISM_CACHE", str(tmp_path / "another machine"))
    model = Pair()
    store = captured("memory://bucket/s", model=model)
    assert model.read == 20 - 8 * kept
    assert store.digest() == whole.digest()
    StoreReader.open(store.path).check()


def test_another_capture_and_other_things_are_left_alone():
    captured("memory://bucket/s")
    with pytest.raises(InputError, match="memory://bucket/s holds another capture: its pool"):
        captured("memory://bucket/s", pool="max")
    fsspec.filesystem("memory").pipe_file("/other/letter.txt", b"mine")
    with pytest.raises(InputError, match=r"memory://other is no store and not empty"):
        captured("memory://other")
    with pytest.raises(InputError, match=r"memory://other is no store: it has no store\.json"):
        EmbeddingStore.open("memory://other")
    assert remote_files("memory://other") == ["letter.txt"]


def test_storage_that_is_full_is_one_sentence_and_what_was_written_stays(monkeypatch):
    whole = captured("memory://bucket/whole")
    written = MemoryFileSystem.pipe_file

    def full(system, path, content, **options):
        if "part-00001.safetensors" in path:
            raise OSError(errno.ENOSPC, "No space left on device")
        return written(system, path, content, **options)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", full)
    with pytest.raises(OSError, match="No space left") as raised:
        captured("memory://bucket/s")
    assert raised.value.filename == "memory://bucket/s/part-00001.safetensors"
    assert remote_files("memory://bucket/s") == [*PARTS[:2], "store.json"]
    monkeypatch.setattr(MemoryFileSystem, "pipe_file", written)
    assert captured("memory://bucket/s").digest() == whole.digest()


@pytest.mark.parametrize("name", ["x.npz", "x.safetensors", "x.zarr"])
def test_a_single_file_elsewhere_is_read_and_read_anew_when_it_changes(tmp_path, name):
    def put(arrays):
        path = tmp_path / name
        if name.endswith("npz"):
            np.savez(path, **arrays)
        elif name.endswith("zarr"):
            zarr = pytest.importorskip("zarr")
            shutil.rmtree(path, ignore_errors=True)
            zarr.save_group(path, **arrays)
        else:
            write_store(path, arrays, {})
        memory = fsspec.filesystem("memory")
        if memory.isdir(f"/bucket/{name}"):
            memory.rm(f"/bucket/{name}", recursive=True)
        memory.put(str(path), f"/bucket/{name}", recursive=path.is_dir())

    put(ARRAYS)
    store = EmbeddingStore.open(f"memory://bucket/{name}")
    assert sorted(store.modalities) == ["image", "text"]
    np.testing.assert_array_equal(store.span("image", 0), ARRAYS["image"])
    put(ARRAYS | {"image": ARRAYS["image"] + 1})
    again = EmbeddingStore.open(f"memory://bucket/{name}")
    np.testing.assert_array_equal(again.span("image", 0), ARRAYS["image"] + 1)


def test_a_store_in_an_archive_is_read(tmp_path):
    here = captured(tmp_path / "run" / "s")
    shutil.make_archive(str(tmp_path / "run"), "zip", tmp_path / "run")
    store = EmbeddingStore.open(f"zip://s::file://{tmp_path / 'run.zip'}")
    assert store.digest() == here.digest()
    np.testing.assert_array_equal(store.array("image/1"), here.array("image/1"))


def test_a_damaged_part_is_named_by_its_address(tmp_path, monkeypatch):
    captured("memory://bucket/s")
    fsspec.filesystem("memory").pipe_file("/bucket/s/part-00001.safetensors", b"no arrays")
    monkeypatch.setenv("MODALPRISM_CACHE", str(tmp_path / "another machine"))
    with pytest.raises(InputError, match=r"s/part-00001.safetensors cannot be read"):
        EmbeddingStore.open("memory://bucket/s").array("image/1")
    fsspec.filesystem("memory").rm("/bucket/s/part-00001.safetensors")
    monkeypatch.setenv("MODALPRISM_CACHE", str(tmp_path / "a third"))
    with pytest.raises(InputError, match=r"memory://bucket/s/part-00001.safetensors is missing"):
        StoreReader.open(EmbeddingStore.open("memory://bucket/s").path).check()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("nope://bucket/s", "nope://bucket/s cannot be read: Protocol not known: nope"),
        ("gs://bucket/s", "gs:// needs the package gcsfs; run pip install gcsfs"),
        ("memory://bucket/none.npz", "file memory://bucket/none.npz does not exist"),
        ("zip://s::file:///none.zip", "No such file or directory"),
    ],
)
def test_an_address_that_cannot_be_opened_is_one_sentence(run, address, words):
    if address.startswith("gs:") and importlib.util.find_spec("gcsfs"):
        pytest.skip("the package is there")
    code, out, err = run("inspect", address)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert words in err


def test_denied_is_one_sentence(monkeypatch):
    def denied(*_, **__):
        raise PermissionError(errno.EACCES, "Access Denied")

    captured("memory://bucket/s")
    monkeypatch.setattr(MemoryFileSystem, "find", denied)
    words = r"memory://bucket/s cannot be read: Access Denied; check the address, the network"
    with pytest.raises(InputError, match=words):
        EmbeddingStore.open("memory://bucket/s")


def test_an_address_as_a_path_has_lost_a_slash(tmp_path):
    with pytest.raises(InputError, match="an address that has lost a slash"):
        EmbeddingStore.open(Path("s3://bucket/s"))
    assert not is_address(tmp_path)


def test_the_command_line_captures_and_inspects_elsewhere(run, clip_folder, emoji_rows, tmp_path):
    columns = ("--column", "image=picture", "--column", "text=name", "--column", "group=block")
    options = (*columns, "--candidate", "A", "--candidate", "B", "--limit", 24)
    pairs = ("--redrawn", 6, "--partners", 2)
    address = "memory://bucket/clip"
    code, out, err = run(
        "capture", clip_folder, emoji_rows.name, *options, *pairs, "--out", address, "--json"
    )
    assert (code, err) == (0, "")
    assert json.loads(out) == {"store": address, "rows": 24, "skipped": []}
    code, out, _ = run("inspect", address)
    assert code == 0
    for words in (address, "redrawn/answer", "24 × 16"):
        assert words in out
    run("capture", clip_folder, emoji_rows.name, *options, *pairs, "--out", "s", "--json")
    digest = EmbeddingStore.open(address).digest()
    assert digest == EmbeddingStore.open(tmp_path / "s").digest()


def test_another_machine_has_a_copy_of_its_own(tmp_path, monkeypatch):
    captured("memory://bucket/s")
    captured(tmp_path / "s")
    store = EmbeddingStore.open("memory://bucket/s")
    monkeypatch.setenv("MODALPRISM_CACHE", str(tmp_path / "another machine"))
    there = store.on_this_machine()
    assert there.path.is_relative_to(tmp_path / "another machine")
    assert there.digest() == EmbeddingStore.open(tmp_path / "s").digest()
    here = EmbeddingStore.open(tmp_path / "s")
    assert here.on_this_machine() is here


def test_a_study_takes_an_address_and_fetches_all_of_it_beforehand(tmp_path, monkeypatch):
    captured("memory://bucket/s")
    monkeypatch.setenv("MODALPRISM_CACHE", str(tmp_path / "another machine"))
    source = EmbeddingsInput(path="memory://bucket/s").relative_to(tmp_path)
    (study_store,) = source.stores(tmp_path, 0)
    assert len(arrays_here(study_store.store)) == 3
    assert source.descriptions()[1] == {"dataset": "s"}
    fsspec.filesystem("memory").rm("/bucket/s/finished.json")
    with pytest.raises(InputError, match="memory://bucket/s is not finished"):
        list(source.stores(tmp_path, 0))


def test_a_file_that_another_process_put_in_the_copy_is_not_taken_for_the_newest(tmp_path):
    memory = fsspec.filesystem("memory")
    for content in (b"old", b"new"):
        memory.pipe_file("/bucket/x.npz", content)
        copy = local_path("memory://bucket/x.npz")
        assert copy.read_bytes() == content
    (tmp_path / "late").write_bytes(b"old")
    (tmp_path / "late").replace(copy)
    assert local_path("memory://bucket/x.npz").read_bytes() == b"new"

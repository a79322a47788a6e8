"""The store: what is written is read, and what cannot be read is said."""

import json

import numpy as np
import pytest

from modalprism.capture.store import EmbeddingStore, write_store
from modalprism.errors import InputError

RNG = np.random.default_rng(0)
ARRAYS = {
    "image/0": RNG.normal(size=(6, 3)).astype(np.float32),
    "image/2": RNG.normal(size=(6, 3)),
    "text": RNG.normal(size=(6, 2)).astype(np.float16),
    "text/2": RNG.normal(size=(6, 2))[:, ::-1],
    "text/3": RNG.normal(size=(6, 2)),
    "fused/2": RNG.normal(size=(6, 5)),
    "fused/10": RNG.normal(size=(6, 5)),
    "label": np.arange(6) % 2,
    "answer": np.full((6, 2), 0.5),
    "group/patient": np.arange(6),
    "redrawn/answer": np.full((4, 2), 0.5),
    "redrawn/image": np.array([0, 0, 1, 1]),
    "redrawn/text": np.array([1, 2, 2, 0]),
}


@pytest.fixture(params=["store.safetensors", "store.npz"])
def store(tmp_path, request):
    path = tmp_path / request.param
    if path.suffix == ".npz":
        np.savez_compressed(path, **ARRAYS)
    else:
        write_store(path, ARRAYS, {"layer_names": json.dumps({"2": "the end"}), "model": "m"})
    return EmbeddingStore.open(path)


def test_arrays_come_back_as_they_were_written(store):
    assert sorted(store.names) == sorted(ARRAYS)
    for name, array in ARRAYS.items():
        read = store.array(name)
        assert read.dtype == array.dtype
        np.testing.assert_array_equal(read, array)


def test_modalities_and_layers_are_found(store):
    assert sorted(store.modalities) == ["image", "text"]
    assert store.layers(("image", "text")) == [0, 2]
    assert store.fused_layers == [2, 10]
    np.testing.assert_array_equal(store.span("text", 0), ARRAYS["text"])
    np.testing.assert_array_equal(store.span("text", 3), ARRAYS["text/3"])
    assert list(store.groups()) == ["patient"]
    runs = store.redrawn(("text", "image"))
    np.testing.assert_array_equal(runs.inputs[0], ARRAYS["redrawn/text"])


def test_layers_have_names(store):
    assert store.layer_name(0) == "before fusion"
    named = store.path.suffix == ".safetensors"
    assert store.layer_name(2) == ("the end" if named else "layer 2")
    assert store.metadata.get("model") == ("m" if named else None)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda s: s.array("depth"), "has no array 'depth'; it has answer, fused/10"),
        (lambda s: s.span("audio", 0), "has no modality 'audio'; it has image, text|text, image"),
        (lambda s: s.layers(("image", "fused")), "has no modality 'fused'"),
        (lambda s: s.span("image", 7), "'image' has no layer 7 in .*; it has 0, 2"),
        (lambda s: s.redrawn(("image", "audio")), "has no array 'redrawn/audio'"),
    ],
)
def test_what_is_not_there_is_said(store, ask, message):
    with pytest.raises(InputError, match=message):
        ask(store)


def test_a_truncated_file_is_refused(store):
    content = store.path.read_bytes()
    for size in (0, 4, len(content) // 2, len(content) - 1):
        store.path.write_bytes(content[:size])
        with pytest.raises(InputError, match="is damaged or truncated"):
            EmbeddingStore.open(store.path)


def test_a_file_damaged_inside_is_refused_when_read(tmp_path):
    path = tmp_path / "x.npz"
    np.savez_compressed(path, image=RNG.normal(size=(50, 4)))
    content = bytearray(path.read_bytes())
    content[300:400] = bytes(100)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"the array 'image' of .* cannot be read"):
        EmbeddingStore.open(path).array("image")


def test_pickled_objects_are_refused(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, image=np.array([{"a": 1}, None], dtype=object))
    with pytest.raises(InputError, match=r"'image' of .* cannot be read: it holds pickled objects"):
        EmbeddingStore.open(path).array("image")


def test_a_single_array_under_the_name_of_an_archive_is_refused(tmp_path):
    path = tmp_path / "x.npz"
    with path.open("wb") as file:
        np.save(file, ARRAYS["image/0"])
    with pytest.raises(InputError, match=r"x\.npz .*holds \.npy"):
        EmbeddingStore.open(path)


@pytest.mark.parametrize("name", ["x.pt", "x.npy", "x"])
def test_other_kinds_of_files_are_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InputError, match=r"neither a store nor one of \.npz, \.safetensors"):
        EmbeddingStore.open(tmp_path / name)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist; check the path"):
        EmbeddingStore.open(tmp_path / "none.npz")


def test_a_folder_that_is_no_store_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"is no store: it has no store\.json"):
        EmbeddingStore.open(tmp_path)


def test_a_fused_state_without_a_number_is_refused(tmp_path):
    np.savez(tmp_path / "x.npz", **{"fused/last": np.ones((3, 2))})
    store = EmbeddingStore.open(tmp_path / "x.npz")
    with pytest.raises(InputError, match=r"'fused/last' of .* names no layer; call it fused/1"):
        assert store.fused_layers


def test_a_store_is_written_whole_or_not_at_all(tmp_path, disk_of):
    path = tmp_path / "deep" / "x.safetensors"
    write_store(path, {"label": np.arange(3)}, {})
    before = path.read_bytes()
    with disk_of(4096), pytest.raises(OSError, match=r"File too large: .*x\.safetensors"):
        write_store(path, {"label": np.arange(10_000)}, {})
    assert path.read_bytes() == before

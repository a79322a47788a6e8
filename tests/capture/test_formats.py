import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from modalprism.capture.store import EmbeddingStore
from modalprism.errors import InputError

RNG = np.random.default_rng(0)
IMAGE, TEXT = RNG.normal(size=(6, 4)), RNG.normal(size=(6, 3)).astype(np.float32)
LABEL = np.array(["a", "b", "a", "b", "c", "a"])


def write_parquet(path):
    frame = pd.DataFrame({"image": list(IMAGE), "text/2": list(TEXT), "label": LABEL})
    frame.to_parquet(path)


def write_hdf5(path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file["image"] = IMAGE
        file["text/2"] = TEXT
        file["label"] = LABEL.tolist()


def write_zarr(path):
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(path, mode="w")
    for name, values in (("image", IMAGE), ("text/2", TEXT)):
        group.create_array(name, data=values)
    group.create_array("label", data=np.unique(LABEL, return_inverse=True)[1])


@pytest.mark.parametrize(
    ("name", "write"), [("x.parquet", write_parquet), ("x.h5", write_hdf5), ("x.zarr", write_zarr)]
)
def test_embeddings_that_others_wrote_are_read(tmp_path, name, write):
    write(tmp_path / name)
    store = EmbeddingStore.open(tmp_path / name)
    assert set(store.modalities) == {"image", "text"}
    np.testing.assert_array_equal(store.span("image", 0), IMAGE)
    np.testing.assert_array_equal(store.span("text", 2), TEXT)
    label = store.array("label")
    np.testing.assert_array_equal(np.unique(label, return_inverse=True)[1], [0, 1, 0, 1, 2, 0])
    assert store.digest() == EmbeddingStore.open(tmp_path / name).digest()


@pytest.mark.parametrize("name", ["x.parquet", "x.h5", "x.npz", "x.safetensors"])
def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"PAR1 and then nothing of the kind")
    with pytest.raises(InputError, match="damaged or truncated"):
        EmbeddingStore.open(tmp_path / name)


@pytest.mark.parametrize("lists", [[[1.0], [1.0, 2.0]], [[1.0], None]])
def test_lists_of_different_lengths_are_refused(tmp_path, lists):
    pd.DataFrame({"image": lists}).to_parquet(tmp_path / "x.parquet")
    store = EmbeddingStore.open(tmp_path / "x.parquet")
    with pytest.raises(InputError, match="'image' differ in length, or some are missing"):
        store.array("image")


def test_bfloat16_is_read_as_float32(tmp_path):
    save_file(
        {"image": torch.tensor([[1.5, 2.0]], dtype=torch.bfloat16)}, tmp_path / "x.safetensors"
    )
    array = EmbeddingStore.open(tmp_path / "x.safetensors").array("image")
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, [[1.5, 2.0]])

import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file

from modalprism import isolation
from modalprism.capture import formats
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
    with pytest.raises(InputError, match="its lists differ in length, or some are missing"):
        store.array("image")


def test_bfloat16_is_read_as_float32(tmp_path):
    save_file(
        {"image": torch.tensor([[1.5, 2.0]], dtype=torch.bfloat16)}, tmp_path / "x.safetensors"
    )
    array = EmbeddingStore.open(tmp_path / "x.safetensors").array("image")
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, [[1.5, 2.0]])


FLOAT8 = ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu")


@pytest.mark.parametrize("kind", FLOAT8)
def test_float8_is_read_as_float32(tmp_path, kind):
    image = torch.tensor([[0.5, 2.0], [1.0, 4.0]])
    save_file({"image": image.to(getattr(torch, kind))}, tmp_path / "x.safetensors")
    array = EmbeddingStore.open(tmp_path / "x.safetensors").array("image")
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, image)


def column(values):
    """Write a column to a parquet file and read it as an array."""
    pq.write_table(pa.table({"image": values}), "x.parquet")
    return EmbeddingStore.open("x.parquet").array("image")


@pytest.mark.parametrize(
    "values",
    [
        pa.FixedShapeTensorArray.from_numpy_ndarray(IMAGE),
        pa.FixedSizeListArray.from_arrays(IMAGE.ravel(), 4),
        pa.array(IMAGE.tolist(), pa.list_view(pa.float64())),
        pa.array(IMAGE.tolist(), pa.large_list_view(pa.float64())),
        pa.array(IMAGE.tolist(), pa.large_list(pa.float64())),
    ],
)
def test_columns_of_lists_and_tensors_are_the_same_array(tmp_path, monkeypatch, values):
    monkeypatch.chdir(tmp_path)
    np.testing.assert_array_equal(column(values), IMAGE)


def test_nested_lists_and_tensors_of_higher_rank_keep_their_shape(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert column(pa.array(IMAGE[:, None].tolist())).shape == (6, 1, 4)
    tensors = pa.FixedShapeTensorArray.from_numpy_ndarray(IMAGE.reshape(6, 2, 2))
    np.testing.assert_array_equal(column(tensors), IMAGE.reshape(6, 2, 2))


def test_decimals_are_numbers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = column(pa.array(["0.25", "1.50"]).cast(pa.decimal128(5, 2)))
    np.testing.assert_array_equal(values, [0.25, 1.5])


def test_missing_tensors_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    storage = pa.array([[1.0, 2.0], None], pa.list_(pa.float64(), 2))
    tensors = pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.float64(), (2,)), storage)
    with pytest.raises(InputError, match="some of its tensors are missing"):
        column(tensors)


WORDS = np.array(["no", "yes", "no", ""])


def write_words(path, kind):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        if kind == "enum":  # 7 has no name
            file.create_dataset(
                "label", data=[0, 1, 0, 7], dtype=h5py.enum_dtype({"no": 0, "yes": 1}, "i1")
            )
        elif kind == "never written":
            label = file.create_dataset("label", (4,), h5py.string_dtype())
            label[:3] = WORDS[:3].astype(object)
        else:
            file["label"] = WORDS.astype({"fixed": "S3", "variable": h5py.string_dtype()}[kind])


@pytest.mark.parametrize("kind", ["fixed", "variable", "enum", "never written"])
def test_words_of_hdf5_are_words(tmp_path, kind):
    write_words(tmp_path / "x.h5", kind)
    label = EmbeddingStore.open(tmp_path / "x.h5").array("label")
    assert label.dtype.kind == "U"
    assert label.tolist() == WORDS.tolist()


@pytest.mark.parametrize("dtype", ["U3", "S3", np.dtypes.StringDType()])
@pytest.mark.parametrize("version", [2, 3])
def test_words_of_zarr_are_words(tmp_path, dtype, version):
    zarr = pytest.importorskip("zarr")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library warns of words in version 3
        group = zarr.open_group(tmp_path / "x.zarr", mode="w", zarr_format=version)
        group.create_array("label", data=WORDS.astype(dtype))
    assert EmbeddingStore.open(tmp_path / "x.zarr").array("label").tolist() == WORDS.tolist()


def test_bytes_of_npz_are_words_and_numbers_are_in_native_order(tmp_path):
    np.savez(tmp_path / "x.npz", label=WORDS.astype("S3"), image=np.arange(3, dtype=">i8"))
    store = EmbeddingStore.open(tmp_path / "x.npz")
    assert store.array("label").tolist() == WORDS.tolist()
    assert store.array("image").dtype == np.dtype("i8")
    assert store.array("image").tolist() == [0, 1, 2]


def test_links_are_followed_inside_of_an_hdf5_file(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["deep/image"] = IMAGE
        file["image"] = h5py.SoftLink("/deep/image")
        file["nowhere"] = h5py.SoftLink("/deep/text")
        file["deep/again"] = file["deep"]  # a circle
    store = EmbeddingStore.open(tmp_path / "x.h5")
    assert set(store.names) == {"deep/image", "image"}
    np.testing.assert_array_equal(store.array("image"), IMAGE)


def test_arrays_of_hdf5_are_read_in_blocks(tmp_path):
    h5py = pytest.importorskip("h5py")
    rows = RNG.normal(size=(200, 20_000)).astype(np.float32)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("image", data=rows)
        file.create_dataset("text", data=rows, chunks=(70, 9_000))
        file["scalar"], file["none"] = 3.5, np.zeros((0, 4))
    found = dict(EmbeddingStore.open(tmp_path / "x.h5").arrays(["image", "text", "scalar", "none"]))
    np.testing.assert_array_equal(found["image"], rows)
    np.testing.assert_array_equal(found["text"], rows)
    assert found["scalar"] == 3.5
    assert found["none"].shape == (0, 4)


def test_an_hdf5_file_that_takes_too_long_is_given_up(tmp_path, monkeypatch):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["image"] = np.ones((200, 20_000))
    monkeypatch.setattr(isolation, "PATIENCE", 1e-4)
    with pytest.raises(InputError, match=r"x\.h5 cannot be read: the HDF5 library .* took longer"):
        EmbeddingStore.open(tmp_path / "x.h5").array("image")


@pytest.mark.parametrize("name", ["a\x1b[2J", "two\nlines"])
def test_names_that_are_no_words_are_refused(tmp_path, name):
    save_file({name: torch.ones(2, 2)}, tmp_path / "x.safetensors")
    with pytest.raises(InputError, match="use printable names"):
        EmbeddingStore.open(tmp_path / "x.safetensors")


def test_a_layer_of_a_thousand_digits_is_a_name(tmp_path):
    np.savez(tmp_path / "x.npz", **{f"image/{'9' * 5000}": IMAGE})
    assert EmbeddingStore.open(tmp_path / "x.npz").modalities == ()


def test_of_many_arrays_a_message_names_the_first(tmp_path):
    save_file({f"a{n}": torch.ones(1) for n in range(100)}, tmp_path / "x.safetensors")
    store = EmbeddingStore.open(tmp_path / "x.safetensors")
    with pytest.raises(InputError, match=r"it has a0, a1, .* and 80 more"):
        store.array("image")


def test_a_file_is_opened_once_for_all_of_its_arrays(tmp_path, monkeypatch):
    save_file({f"a{n}": torch.ones(1) for n in range(20)}, tmp_path / "x.safetensors")
    store = EmbeddingStore.open(tmp_path / "x.safetensors")
    opened, safe_open = [], formats.safe_open
    monkeypatch.setattr(
        formats, "safe_open", lambda *a, **b: opened.append(a) or safe_open(*a, **b)
    )
    assert len(dict(store.arrays(store.names))) == 20
    assert len(opened) == 1

"""Datasets of the real library: saved to a folder, in its cache, and as streams."""

import importlib
import io
import json
import os
import shutil
import zipfile

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from modalprism.datasets.columns import Columns
from modalprism.datasets.config import Join
from modalprism.datasets.examples import Examples, open_examples
from modalprism.datasets.hub import LibraryDataset
from modalprism.datasets.labels import Labels
from modalprism.errors import InputError
from modalprism.strict_json import dumps

datasets = pytest.importorskip("datasets")

COLUMNS = Columns.from_flags(["text=question", "label=answer", "group=patient"])


@pytest.fixture(autouse=True)
def _apart(tmp_path, monkeypatch):
    """Keep the library's cache and words to the test."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()


@pytest.fixture(scope="session")
def made(pictures, rows):
    """A dataset with encoded pictures and a class label."""
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "question": datasets.Value("string"),
            "answer": datasets.ClassLabel(names=["no", "yes"]),
            "patient": datasets.Value("int64"),
        }
    )
    cells = [
        {"image": {"bytes": picture, "path": None}, **row}
        for picture, row in zip(pictures, rows, strict=True)
    ]
    return datasets.Dataset.from_list(cells, features=features)


def check(examples, on_white, rows, chosen=range(8)):
    found = list(examples)
    assert [example.id for example in found] == [str(n) for n in chosen]
    for n, example in zip(chosen, found, strict=True):
        np.testing.assert_array_equal(example.inputs["image"], on_white[n])
        assert example.inputs["text"] == rows[n]["question"]
        assert example.label == rows[n]["answer"]
        assert example.groups == {"patient": str(rows[n]["patient"])}


def test_a_saved_dataset_is_read_where_it_is(made, tmp_path, on_white, rows):
    made.save_to_disk(tmp_path / "saved", num_shards=3)
    examples = open_examples(tmp_path / "saved", COLUMNS)
    assert len(examples) == 8
    check(examples, on_white, rows)
    some = open_examples(tmp_path / "saved", COLUMNS, limit=3, seed=4)
    check(some, on_white, rows, some.chosen.tolist())


def test_a_saved_dataset_of_splits_wants_one(made, tmp_path, on_white, rows):
    parts = {"train": made, "test": made.select([5, 6])}
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "saved")
    check(open_examples(tmp_path / "saved", COLUMNS, split="train"), on_white, rows)
    test = open_examples(tmp_path / "saved", COLUMNS, split="test")
    assert [example.inputs["text"] for example in test] == [rows[n]["question"] for n in (5, 6)]
    assert test.fingerprint() != open_examples(tmp_path / "saved", split="train").fingerprint()
    with pytest.raises(InputError, match="has several splits; choose split from train, test"):
        open_examples(tmp_path / "saved")
    with pytest.raises(InputError, match="no split 'dev'; choose split from train, test"):
        open_examples(tmp_path / "saved", split="dev")
    datasets.DatasetDict({"train": made}).save_to_disk(tmp_path / "one")
    check(open_examples(tmp_path / "one", COLUMNS), on_white, rows)


def test_a_saved_dataset_has_no_split_but_its_own(made, tmp_path):
    made.save_to_disk(tmp_path / "saved")
    with pytest.raises(InputError, match="no split 'dev', only one, without a name; leave split"):
        open_examples(tmp_path / "saved", split="dev")


def test_the_fingerprint_is_of_what_was_saved(made, tmp_path):
    made.save_to_disk(tmp_path / "saved")
    before = open_examples(tmp_path / "saved", COLUMNS).fingerprint()
    shutil.copytree(tmp_path / "saved", tmp_path / "copy")
    assert open_examples(tmp_path / "copy", COLUMNS).fingerprint() == before
    made.select([1, 0, *range(2, 8)]).flatten_indices().save_to_disk(tmp_path / "other")
    assert open_examples(tmp_path / "other", COLUMNS).fingerprint() != before


def test_a_saved_dataset_that_is_damaged_is_refused(made, tmp_path):
    made.save_to_disk(tmp_path / "saved")
    for path in (tmp_path / "saved").glob("*.arrow"):
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"saved to .*saved cannot be read"):
        open_examples(tmp_path / "saved")
    with pytest.raises(InputError, match="the dataset none has no rows"):
        LibraryDataset(made.select([]), "none", "")


def test_a_damaged_picture_is_said_when_asked_for(made, tmp_path, pictures):
    cells = made.with_format("arrow")[:].to_pylist()
    cells[2]["image"]["bytes"] = pictures[2][:60]
    cells[3]["image"] = None
    cells[4]["answer"] = -1
    datasets.Dataset.from_list(cells, features=made.features).save_to_disk(tmp_path / "saved")
    examples = list(open_examples(tmp_path / "saved", COLUMNS))
    for n, words in (
        (2, "row '2', column 'image': the picture cannot be read"),
        (3, "row '3', column 'image': it is empty"),
        (4, "row '4': its label in column 'answer' is empty"),
    ):
        with pytest.raises(InputError, match=words):
            examples[n].inputs["image"]
    assert examples[5].inputs["image"].mode == "RGB"


def test_a_word_that_is_not_in_utf8_breaks_its_row_alone():
    words = pa.array([b"a", b"\xff\xfe"])
    words = pa.Array.from_buffers(pa.string(), 2, words.buffers())
    source = LibraryDataset(datasets.Dataset(pa.table({"text": words})), "made", "")
    whole, broken = source.rows(["text"], None)
    assert whole.values["text"] == "a"
    assert "column 'text' cannot be read" in broken.broken


@pytest.mark.parametrize("known", [True, False])
def test_a_stream_is_read_one_after_another(made, on_white, rows, known):
    asked = []

    def generate():
        for n, cells in enumerate(made.with_format("arrow")[:].to_pylist()):
            asked.append(n)
            yield cells if known else {**cells, "answer": rows[n]["answer"]}

    features = made.features if known else None
    stream = datasets.IterableDataset.from_generator(generate, features=features)
    source = LibraryDataset(stream, "made", "")
    assert (source.length, source.columns) == (None, tuple(made.column_names))
    asked.clear()
    examples = Examples(source, COLUMNS.among(source.columns), np.arange(3), 16_000)
    assert not hasattr(examples, "__len__")
    check(examples, on_white, rows, range(3))
    assert asked == [0, 1, 2]
    check(Examples(source, COLUMNS.among(source.columns), None, 16_000), on_white, rows)


def test_a_stream_of_many_is_not_read_ahead():
    asked = []

    def generate():
        for n in range(10**9):
            asked.append(n)
            yield {"text": f"word {n}"}

    features = datasets.Features({"text": datasets.Value("string")})
    stream = datasets.IterableDataset.from_generator(generate, features=features)
    source = LibraryDataset(stream, "made", "")
    examples = Examples(source, Columns().among(source.columns), None, 16_000)
    assert next(iter(examples)).inputs["text"] == "word 0"
    assert len(asked) <= 2


def test_a_stream_that_breaks_off_says_so():
    def generate():
        yield {"text": "a"}
        raise ConnectionError("the line is dead")

    features = datasets.Features({"text": datasets.Value("string")})
    stream = datasets.IterableDataset.from_generator(generate, features=features)
    source = LibraryDataset(stream, "made", "")
    examples = iter(Examples(source, Columns().among(source.columns), None, 16_000))
    assert next(examples).inputs["text"] == "a"
    with pytest.raises(InputError, match="made cannot be read: the line is dead; the same command"):
        next(examples)


def test_an_id_that_a_stream_has_twice_is_refused():
    stream = datasets.Dataset.from_dict({"text": ["a", "b"], "id": [7, 7]}).to_iterable_dataset()
    source = LibraryDataset(stream, "made", "")
    examples = iter(Examples(source, Columns().among(source.columns), None, 16_000))
    assert next(examples).id == "7"
    with pytest.raises(InputError, match="two examples have the id '7' in column 'id'"):
        next(examples)


@pytest.fixture
def repository(made, tmp_path, monkeypatch):
    """A local repository as the hub has them, in the working directory, known as owner/name."""
    folder = tmp_path / "owner" / "name"
    made.to_parquet(folder / "data" / "train-00000-of-00001.parquet")
    made.select([0]).to_parquet(folder / "data" / "test-00000-of-00001.parquet")
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize("streaming", [False, True])
def test_a_repository_is_opened_by_its_id(on_white, rows, streaming):
    def opened(**options):
        return open_examples("owner/name:default", COLUMNS, streaming=streaming, **options)

    examples = opened(split="train")
    assert isinstance(examples, Examples)
    assert hasattr(examples, "__len__") != streaming
    check(examples, on_white, rows)
    some = opened(split="train", limit=2, seed=1)
    check(some, on_white, rows, [0, 1] if streaming else some.chosen.tolist())
    assert (
        len({examples.fingerprint(), some.fingerprint(), opened(split="test").fingerprint()}) == 3
    )
    with pytest.raises(InputError, match="owner/name:default has several splits; choose split"):
        opened()
    with pytest.raises(InputError, match="no split 'dev'; choose split from train, test"):
        opened(split="dev")


def test_a_changed_repository_has_another_fingerprint(repository, made):
    before = open_examples("owner/name:default", COLUMNS, split="train", streaming=True)
    made.select([1, 0]).to_parquet(repository / "data" / "train-00000-of-00001.parquet")
    after = open_examples("owner/name:default", COLUMNS, split="train", streaming=True)
    assert before.fingerprint() != after.fingerprint()


def test_pictures_in_an_archive_are_read_where_they_stand(tmp_path, monkeypatch, on_white):
    folder = tmp_path / "owner" / "name"
    folder.mkdir(parents=True)
    encoded = io.BytesIO()
    Image.fromarray(on_white[0]).save(encoded, "PNG")
    with zipfile.ZipFile(folder / "train.zip", "w") as archive:
        archive.writestr("0.png", encoded.getvalue())
        archive.writestr("1.png", encoded.getvalue())
    monkeypatch.chdir(tmp_path)
    columns = Columns.from_flags(["group=image"])
    examples = list(open_examples("owner/name:default", columns, split="train", streaming=True))
    for example in examples:
        np.testing.assert_array_equal(example.inputs["image"], on_white[0])
    assert len({example.groups["image"] for example in examples}) == 1
    content = bytearray((folder / "train.zip").read_bytes())
    content[content.index(b"IDAT") : content.index(b"IEND")] = bytes(
        content.index(b"IEND") - content.index(b"IDAT")
    )
    (folder / "train.zip").write_bytes(content)
    with pytest.raises(InputError, match=r"row '0', column 'image': zip.* Bad CRC-32"):
        examples[0].inputs["image"]


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize("streaming", [False, True])
def test_rows_without_a_candidate_are_left_out_of_a_repository(streaming, rows):
    labels = Labels.of(("yes",), only="candidates")
    examples = open_examples(
        "owner/name:default", COLUMNS, labels=labels, split="train", limit=3, streaming=streaming
    )
    found = list(examples)
    assert len(found) == 3
    assert {example.label for example in found} == {"yes"}
    assert all(rows[int(example.id)]["answer"] == "yes" for example in found)
    if streaming:
        assert [example.id for example in found] == ["1", "3", "5"]


def test_pictures_of_another_configuration_are_joined(repository, made, on_white, rows):
    questions = made.remove_columns("image").add_column("key", list(range(8)))
    shots = made.select_columns("image").add_column("key", list(range(8)))
    questions.to_parquet(repository / "data" / "train-00000-of-00001.parquet")
    other = repository.parent / "pictures"
    shots.select([*range(4, 8), *range(4)]).to_parquet(other / "data" / "train.parquet")
    join = Join(data="owner/pictures", by={"key": "key"}, split="train")
    examples = open_examples("owner/name", COLUMNS, join=join, split="train")
    check(examples, on_white, rows)


@pytest.mark.usefixtures("repository")
def test_a_configuration_that_is_not_there_is_refused():
    with pytest.raises(InputError, match=r"hub it cannot be read: .*'nope' not found"):
        open_examples("owner/name:nope", split="train")


def test_a_hub_that_cannot_be_reached_is_said(monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(
        importlib.import_module("huggingface_hub.constants"), "HF_HUB_OFFLINE", True
    )
    with pytest.raises(InputError, match="owner/name is no file or folder here, and as a dataset"):
        open_examples("owner/name")


@pytest.mark.parametrize("data", ["json", "squad", "a/b/c", "photos.csv", "owner/photos.parquet"])
def test_what_is_no_id_is_not_looked_up(data):
    with pytest.raises(InputError, match=f"there is no file or folder {data}; check the path"):
        open_examples(data)


def test_without_the_library_the_remedy_is_said(made, tmp_path, monkeypatch):
    made.save_to_disk(tmp_path / "saved")
    real = importlib.import_module

    def missing(name):
        if name == "datasets":
            raise ImportError(name)
        return real(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    for data in (tmp_path / "saved", "owner/name"):
        with pytest.raises(InputError, match=r"run pip install 'modalprism\[datasets\]'"):
            open_examples(data)


def refusal(folder):
    with pytest.raises(InputError) as caught:
        open_examples(folder)
    return str(caught.value)


def test_a_saved_dataset_whose_lengths_lie_ends_no_process(tmp_path):
    folder = tmp_path / "saved"
    datasets.Dataset.from_dict({"text": ["a", "b", "c"] * 20}).save_to_disk(folder)
    (arrow,) = folder.glob("*.arrow")
    content = arrow.read_bytes()
    offsets = np.arange(61, dtype="<i4").tobytes()  # of 60 words of one letter
    assert content.count(offsets) == 1
    arrow.write_bytes(content.replace(offsets, offsets[:40] + b"\xff\xff\xff\x3f" * 51))
    assert "cannot be read" in refusal(folder)


def test_a_saved_dataset_reads_no_file_beside_its_folder(tmp_path):
    folder = tmp_path / "saved"
    datasets.Dataset.from_dict({"text": ["a", "b"]}).save_to_disk(folder)
    state = json.loads((folder / "state.json").read_text())
    state["_data_files"] = [{"filename": "../other.arrow"}]
    (folder / "state.json").write_text(dumps(state))
    assert "'../other.arrow' leads out of its folder" in refusal(folder)
    (folder / "dataset_dict.json").write_text('{"splits": ["../saved"]}')
    assert "'../saved' leads out of its folder" in refusal(folder)
    os.mkfifo(folder / "pipe")
    assert "pipe is not a regular file" in refusal(folder)


@pytest.mark.parametrize("form", ["{}", "file://{}", "zip://a.png::{}", "zip://a.png::file://{}"])
def test_a_picture_that_a_cell_names_is_a_regular_file(tmp_path, form):
    os.mkfifo(tmp_path / "pipe")
    cell = {"image": {"bytes": None, "path": form.format(tmp_path / "pipe")}, "text": "a"}
    features = datasets.Features({"image": datasets.Image(), "text": datasets.Value("string")})
    source = LibraryDataset(datasets.Dataset.from_list([cell], features=features), "made", "")
    (example,) = Examples(source, Columns().among(source.columns), None, 16_000)
    with pytest.raises(InputError, match="pipe is not a regular file"):
        example.inputs["image"]

"""The door: the same eight examples, however they are kept."""

import csv
import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import modalprism as mp
from modalprism.capture.generic import ModuleAdapter
from modalprism.capture.shards import StoreReader
from modalprism.datasets.columns import Columns
from modalprism.datasets.examples import Examples, _draw, open_examples
from modalprism.errors import InputError

COLUMNS = Columns.from_flags(["text=question", "label=answer", "group=patient"])


def _lines(folder, rows, name="table.jsonl"):
    (folder / name).write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return folder / name


def _separated(folder, rows, name):
    with (folder / name).open("w", encoding="utf-8", newline="") as file:
        delimiter = "\t" if name.endswith("tsv") else ","
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return folder / name


@pytest.fixture
def kept(named, pictures, write_tar):
    """Keep the eight examples as one kind of dataset, and return where it is."""
    folder, rows = named

    def keep(kind):
        if kind in {"csv", "tsv"}:
            return _separated(folder, rows, f"table.{kind}")
        if kind == "jsonl":
            return _lines(folder, rows)
        if kind == "image folder":
            cells = [
                {"file_name" if k == "image" else k: v for k, v in row.items()} for row in rows
            ]
            _separated(folder, cells, "metadata.csv")
            (folder / "notes.csv").write_text("not,meant\n")
            return folder
        if kind in {"parquet", "named parquet"}:
            cells = [
                row if kind != "parquet" else {**row, "image": {"bytes": picture, "path": None}}
                for row, picture in zip(rows, pictures, strict=True)
            ]
            pq.write_table(pa.Table.from_pylist(cells), folder / "data.parquet", row_group_size=3)
            return folder / "data.parquet"
        files = []
        for n, (row, picture) in enumerate(zip(rows, pictures, strict=True)):
            del row["image"]
            files += [(f"{n}.png", picture), (f"{n}.json", json.dumps(row))]
        return write_tar(folder / "shard.tar", files)

    return keep


KINDS = ("csv", "tsv", "jsonl", "image folder", "parquet", "named parquet", "shards")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_the_same_examples(kept, kind, on_white, rows):
    data = kept(kind)
    examples = open_examples(str(data), COLUMNS)
    assert len(examples) == 8
    for _ in range(2):  # as often as they are asked for
        for n, example in enumerate(examples):
            assert example.id == (f"shard.tar/{n}" if kind == "shards" else str(n))
            np.testing.assert_array_equal(example.inputs["image"], on_white[n])
            assert example.inputs["text"] == rows[n]["question"]
            assert example.label == rows[n]["answer"]
            assert example.groups == {"patient": str(n // 2)}
    some = open_examples(data, COLUMNS, limit=3, seed=5)
    assert len(some) == 3
    texts = [example.inputs["text"] for example in some]
    assert texts == [rows[n]["question"] for n in some.chosen]


@pytest.mark.parametrize("kind", KINDS)
def test_a_moved_copy_has_the_same_fingerprint(kept, kind, tmp_path):
    data = kept(kind)
    before = open_examples(data, COLUMNS).fingerprint()
    shutil.copytree(tmp_path / "data", tmp_path / "elsewhere" / "data")
    moved = tmp_path / "elsewhere" / data.relative_to(tmp_path)
    assert open_examples(moved, COLUMNS).fingerprint() == before
    assert len(before) == 16


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_asked_for_is_in_the_fingerprint(kept, kind):
    data = kept(kind)
    asked = [
        open_examples(data, columns, limit=limit, seed=seed).fingerprint()
        for columns in (
            COLUMNS,
            Columns.from_flags(["text=answer", "label=question", "group=patient"]),
            Columns.from_flags(["text=question", "label=answer"]),
            Columns.from_flags(["text=question", "label=", "group=patient"]),
            Columns.from_flags(["text=question", "label=answer", "image="]),
            Columns.from_flags(["words:text=question", "text=", "label=answer", "group=patient"]),
        )
        for limit, seed in ((None, 0), (4, 0), (4, 1), (5, 0))
    ]
    assert len(set(asked)) == len(asked)
    assert open_examples(data, COLUMNS, limit=8).fingerprint() == asked[0]
    assert open_examples(data, COLUMNS, sampling_rate=8_000).fingerprint() == asked[0]


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "image folder", "named parquet"])
def test_sizes_of_files_and_cells_are_in_the_fingerprint(kept, kind, named):
    data = kept(kind)
    seen = {open_examples(data, COLUMNS).fingerprint()}
    picture = named[0] / "scans" / "3.png"
    picture.write_bytes(picture.read_bytes() + b"\0")
    seen.add(open_examples(data, COLUMNS).fingerprint())
    picture.unlink()
    seen.add(open_examples(data, COLUMNS).fingerprint())
    table = data if data.is_file() else data / "metadata.csv"
    content = table.read_bytes()
    assert b"yes" in content
    table.write_bytes(content.replace(b"yes", b"yep", 1))
    seen.add(open_examples(data, COLUMNS).fingerprint())
    assert len(seen) == 4


def test_a_changed_byte_of_parquet_or_shards_is_in_the_fingerprint(kept):
    for kind in ("parquet", "shards"):
        data = kept(kind)
        before = open_examples(data, COLUMNS).fingerprint()
        content = data.read_bytes()
        data.write_bytes(content.replace(b"IDAT", b"iDAT", 1))
        assert open_examples(data, COLUMNS).fingerprint() != before


def test_files_in_lists_are_in_the_fingerprint(named):
    folder, rows = named
    path = _lines(folder, [{**row, "image": [row["image"]]} for row in rows])
    examples = open_examples(path, COLUMNS)
    before = examples.fingerprint()
    (folder / "scans" / "0.png").write_bytes(b"")
    assert examples.fingerprint() != before


def test_the_rate_of_recordings_is_in_the_fingerprint(tmp_path):
    path = _lines(tmp_path, [{"audio": "a.wav"}])
    rates = {open_examples(path, sampling_rate=rate).fingerprint() for rate in (8_000, 16_000)}
    assert len(rates) == 2


@given(st.integers(1, 200), st.integers(1, 250), st.integers(0, 2**32))
def test_a_draw_is_ascending_without_repeats_and_of_its_size(length, limit, seed):
    chosen = _draw(length, limit, seed)
    if limit >= length:
        assert chosen is None
        return
    assert len(chosen) == limit
    assert (np.diff(chosen) > 0).all()
    assert 0 <= chosen[0] <= chosen[-1] < length
    np.testing.assert_array_equal(chosen, _draw(length, limit, seed))


def test_a_draw_is_even_and_another_seed_draws_others():
    counts = np.bincount(np.concatenate([_draw(20, 5, seed) for seed in range(2_000)]))
    assert counts.min() > 400
    assert counts.max() < 600
    assert len({tuple(_draw(1_000, 10, seed)) for seed in range(50)}) == 50


def test_of_a_stream_the_first_are_taken():
    np.testing.assert_array_equal(_draw(None, 3, 7), [0, 1, 2])
    assert _draw(None, None, 7) is None


def test_nothing_is_opened_before_it_is_asked_for(named):
    folder, rows = named
    path = _lines(folder, rows)
    shutil.rmtree(folder / "scans")
    examples = list(open_examples(path, COLUMNS))
    assert [example.inputs["text"] for example in examples] == [row["question"] for row in rows]
    with pytest.raises(InputError, match=r"row '0', column 'image': the file scans/0.png does not"):
        examples[0].inputs["image"]


@pytest.mark.parametrize("name", ["table.jsonl", "table.csv"])
def test_an_id_that_stands_twice_is_refused_at_once(tmp_path, name):
    rows = [{"text": word, "id": key} for word, key in (("a", 1), ("b", 2), ("c", 1))]
    write = _lines if name.endswith("jsonl") else _separated
    path = write(tmp_path, rows, name)
    with pytest.raises(InputError, match=r"two examples have the id '1' in column 'id'; .*, id="):
        open_examples(path)
    assert len(list(open_examples(path, Columns.from_flags(["id="])))) == 3
    (chosen,) = open_examples(path, limit=1)
    assert chosen.id in {"1", "2"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"limit": 0}, "the limit is 0; take 1 or more"),
        ({"seed": -1}, "the seed is -1; give 0 or more"),
        ({"sampling_rate": 0}, "the sampling rate is 0 Hz"),
        ({"split": "train"}, "has no splits.*; give the file or folder of the split 'train'"),
        (
            {"columns": Columns.from_flags(["image=scan"])},
            "no column 'scan'; the columns are image",
        ),
    ],
)
def test_options_without_a_meaning_are_refused(named, options, words):
    with pytest.raises(InputError, match=words):
        open_examples(_lines(*named), **options)


def test_what_is_not_there_or_unknown_is_refused(tmp_path, named):
    with pytest.raises(
        InputError, match=r"there is no file or folder .*none.jsonl; check the path"
    ):
        open_examples(tmp_path / "none.jsonl")
    (tmp_path / "a.xlsx").write_bytes(b"")
    with pytest.raises(
        InputError, match=r"a.xlsx is none of .csv, .jsonl, .ndjson, .tsv, .parquet"
    ):
        open_examples(tmp_path / "a.xlsx")
    folder, rows = named
    _lines(folder, rows, "a.jsonl")
    _lines(folder, rows, "b.jsonl")
    with pytest.raises(InputError, match=r"holds a.jsonl, b.jsonl; give the one that is meant"):
        open_examples(folder)


def test_a_split_of_a_folder_of_pictures_is_refused(named):
    with pytest.raises(InputError, match="has no splits"):
        open_examples(named[0] / "scans", split="train")


def _damaged(folder, rows):
    """Return a table of eight of which five cannot be read."""
    whole = (folder / "scans" / "1.png").read_bytes()
    (folder / "scans" / "1.png").write_bytes(whole[: len(whole) // 2])
    (folder / "scans" / "2.png").unlink()
    rows[3]["answer"] = float("nan")
    rows[4]["image"] = "../secret.png"
    path = _lines(folder, rows)
    lines = path.read_text("utf-8").splitlines()
    lines[5] = lines[5][:-3]
    path.write_text("\n".join(lines), "utf-8")
    return path


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.image, self.text = nn.Linear(3, 4), nn.Linear(1, 4)

    def forward(self, image, text):
        return self.image(image) + self.text(text)


def _prepared(examples):
    """Give a model the mean colour of a picture and the length of a text."""
    colours = [np.asarray(example.inputs["image"]).mean((0, 1)) / 255 for example in examples]
    lengths = [[len(example.inputs["text"]) / 10] for example in examples]
    return {
        "image": torch.tensor(np.array(colours), dtype=torch.float32),
        "text": torch.tensor(lengths, dtype=torch.float32),
    }


@pytest.fixture
def model():
    layers = {"image": ["image"], "text": ["text"]}
    return ModuleAdapter(Pair(), _prepared, layers)


def test_what_cannot_be_read_is_skipped_with_a_list(named, model, tmp_path):
    examples = open_examples(_damaged(*named), COLUMNS)
    assert isinstance(examples, Examples)
    out = tmp_path / "store"
    store = mp.capture(model, None, examples, out=out, on_error="skip", device="cpu")
    assert store.array("id").tolist() == ["0", "6", "7"]
    assert store.groups()["patient"].tolist() == ["0", "3", "3"]
    skipped = StoreReader.open(out).skipped()
    assert [id for id, _ in skipped] == ["1", "2", "3", "4", "5"]
    expected = (
        "row '1', column 'image': the picture cannot be read",
        "row '2', column 'image': the file scans/2.png does not exist; check the path",
        "row '3': its label in column 'answer' is empty",
        "row '4', column 'image': the file ../secret.png is outside of",
        "row '5': the JSON of its line cannot be read",
    )
    for (_, why), words in zip(skipped, expected, strict=True):
        assert words in why


def test_what_cannot_be_read_stops(named, model, tmp_path):
    examples = open_examples(_damaged(*named), COLUMNS)
    with pytest.raises(InputError, match="example '1' cannot be prepared: row '1', column"):
        mp.capture(model, None, examples, out=tmp_path / "store", device="cpu")

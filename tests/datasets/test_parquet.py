import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modalprism.datasets import parquet
from modalprism.datasets.columns import Columns
from modalprism.datasets.dataset import pick
from modalprism.datasets.examples import open_examples
from modalprism.datasets.parquet import ParquetFiles
from modalprism.errors import InputError


@pytest.fixture
def write(tmp_path):
    def table(values, name="a.parquet", **options):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(values) if isinstance(values, dict) else values, path, **options)
        return path

    return table


def test_rows_are_chosen_across_files_and_groups(write, tmp_path):
    paths = [
        write({"text": [f"{name}{n}" for n in range(50)]}, f"{name}.parquet", row_group_size=20)
        for name in "ab"
    ]
    source = ParquetFiles(paths, tmp_path)
    assert source.length == 100
    chosen = np.array([0, 15, 16, 19, 20, 49, 50, 99])
    rows = list(source.rows(["text"], chosen))
    assert [row.position for row in rows] == chosen.tolist()
    words = [f"{name}{n}" for name in "ab" for n in range(50)]
    assert [row.values["text"] for row in rows] == [words[n] for n in chosen]
    assert [row.values["text"] for row in source.rows(["text"], None)] == words


def test_only_the_columns_that_are_asked_for_are_read(write):
    source = ParquetFiles([write({"text": ["a"], "image": [b"x"]})], write)
    assert [dict(row.values) for row in source.rows(["text"], None)] == [{"text": "a"}]


def test_groups_of_rows_without_a_chosen_one_are_not_read(write):
    path = write({"text": ["a"] * 40}, row_group_size=20, use_dictionary=False, compression=None)
    metadata = pq.read_metadata(path)
    column = metadata.row_group(0).column(0)
    content = bytearray(path.read_bytes())
    begin = column.data_page_offset
    content[begin : begin + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(content)
    examples = list(open_examples(path))
    assert len(examples) == 40
    with pytest.raises(InputError, match="row '0': the file is damaged there"):
        examples[0].inputs["text"]
    assert examples[20].inputs["text"] == "a"
    source = ParquetFiles([path], path.parent)
    assert [row.broken for row in source.rows(["text"], np.array([25]))] == [""]


def test_a_word_that_is_not_in_utf8_breaks_its_row_alone(write):
    words = pa.array([b"a", b"\xff\xfe", b"c"])
    words = pa.Array.from_buffers(pa.string(), 3, words.buffers())
    examples = list(open_examples(write(pa.table({"text": words}))))
    assert [e.inputs["text"] for e in (examples[0], examples[2])] == ["a", "c"]
    with pytest.raises(InputError, match=r"row '1': column 'text' cannot be read: .*utf-8"):
        examples[1].inputs["text"]


def test_pictures_are_bytes_structs_or_names(write, pictures, on_white, tmp_path):
    (tmp_path / "0.png").write_bytes(pictures[0])
    for cell in (
        pictures[0],
        {"bytes": pictures[0], "path": "x.png"},
        {"bytes": None, "path": "0.png"},
        "0.png",
        ["0.png"],
    ):
        (example,) = open_examples(write({"image": [cell]}))
        np.testing.assert_array_equal(example.inputs["image"], on_white[0])


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["0.png"]),
        pa.array(["0.png"], pa.large_string()),
        pa.array(["0.png"]).dictionary_encode(),
        pa.array([["0.png"]]),
    ],
)
def test_the_sizes_of_files_that_rows_name_are_in_the_fingerprint(write, tmp_path, column):
    path = write(pa.table({"image": column}))
    (tmp_path / "0.png").write_bytes(b"1")
    before = open_examples(path).fingerprint()
    (tmp_path / "0.png").write_bytes(b"12")
    assert open_examples(path).fingerprint() != before


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_label_that_is_missing_is_said_when_asked_for(write, missing):
    path = write({"text": ["a", "b", "c"], "label": pa.array([1.0, missing, 2.0])})
    examples = list(open_examples(path))
    assert [example.label for example in examples] == [1, None, 2]
    with pytest.raises(
        InputError, match=r"row '1': its label in column 'label' is empty; .*label="
    ):
        examples[1].inputs["text"]
    unlabelled = list(open_examples(path, Columns.from_flags(["label="])))
    assert [example.inputs["text"] for example in unlabelled] == ["a", "b", "c"]
    assert {example.label for example in unlabelled} == {None}


def test_a_label_that_is_a_fraction_is_said_when_asked_for(write):
    (example,) = open_examples(write({"text": ["a"], "label": [0.5]}))
    with pytest.raises(InputError, match=r"its label in column 'label' is 0.5; .* a whole number"):
        example.inputs["text"]


def test_a_states_column_is_an_array(write):
    path = write({"ecg": [[[1, 2], [3, 4]], [[1], [2, 3]], [[float("inf")]], []]})
    examples = list(open_examples(path, Columns.from_flags(["ecg:array=ecg"])))
    np.testing.assert_array_equal(examples[0].inputs["ecg"], np.float32([[1, 2], [3, 4]]))
    with pytest.raises(InputError, match="row '1', column 'ecg': it is no array of numbers"):
        examples[1].inputs["ecg"]
    for example in examples[2:]:
        with pytest.raises(InputError, match="it is empty, or a number is not finite"):
            example.inputs["ecg"]


def test_splits_are_told_by_the_names_of_files_or_folders(write, tmp_path):
    def words(folder, split=None):
        return [e.inputs["text"] for e in open_examples(tmp_path / folder, split=split)]

    for number in range(2):
        write({"text": [f"train {number}"]}, f"numbered/data/train-0000{number}-of-00002.parquet")
    write({"text": ["test 0"]}, "numbered/data/test-00000-of-00001-0a1b.parquet")
    write({"text": ["train"]}, "plain/train.parquet")
    write({"text": ["test"]}, "plain/test.parquet")
    write({"text": ["train"]}, "folders/train/0000.parquet")
    write({"text": ["test"]}, "folders/test/0000.parquet")
    write({"text": ["hidden"]}, "plain/.cache/train.parquet")
    write({"text": ["a"]}, "parts/a.parquet")
    write({"text": ["b"]}, "parts/b.parquet")
    assert words("numbered", "train") == ["train 0", "train 1"]
    assert words("numbered", "test") == ["test 0"]
    for folder in ("plain", "folders"):
        assert words(folder, "test") == ["test"]
    assert words("parts") == ["a", "b"]
    for folder in ("numbered", "plain", "folders"):
        with pytest.raises(InputError, match="has several splits; choose split from test, train"):
            words(folder)
    with pytest.raises(InputError, match="no split 'dev'; choose split from test, train"):
        words("plain", "dev")
    with pytest.raises(InputError, match="no split 'dev'; choose from its files"):
        words("parts", "dev")


def test_several_configurations_are_not_mixed(write, tmp_path):
    for name in ("art", "music"):
        write({"text": [name]}, f"all/{name}/test-00000-of-00001.parquet")
    for split in (None, "test"):
        with pytest.raises(InputError, match=r"several datasets; give one: .*art or .*music"):
            open_examples(tmp_path / "all", split=split)
    (example,) = open_examples(tmp_path / "all" / "art", split="test")
    assert example.inputs["text"] == "art"


def test_files_that_do_not_fit_are_refused(write, tmp_path, monkeypatch):
    write({"text": ["a"], "image": ["b"]}, "parts/a.parquet")
    write({"text": ["a"]}, "parts/b.parquet")
    with pytest.raises(InputError, match=r"b.parquet has no column 'image', but a.parquet has"):
        open_examples(tmp_path / "parts")
    with pytest.raises(InputError, match=r"a.parquet has no rows"):
        open_examples(write({"text": pa.array([], pa.string())}))
    monkeypatch.setattr(parquet, "_ROWS_PER_BYTE", 1e-6)
    with pytest.raises(InputError, match=r"says that it has 1 rows, more than its .* bytes can"):
        open_examples(write({"text": ["a"]}))
    (tmp_path / "no.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(InputError, match=r"no.parquet cannot be read: .* smaller than"):
        open_examples(tmp_path / "no.parquet")


def test_a_large_table_is_read_a_batch_at_a_time(write):
    path = write({"text": ["x" * 1_000] * 20_000}, use_dictionary=False, compression=None)
    assert pq.read_metadata(path).num_row_groups == 1
    before = pa.total_allocated_bytes()
    rows = ParquetFiles([path], path.parent).rows(["text"], None)
    assert len(next(rows).values["text"]) == 1_000
    assert pa.total_allocated_bytes() - before < 5_000_000 < path.stat().st_size / 3
    rows.close()


def test_nothing_is_read_beyond_the_last_that_is_chosen():
    def endless():
        yield from "abc"
        pytest.fail("read too far")

    assert list(pick(endless(), np.array([0, 2]))) == [(0, "a"), (2, "c")]

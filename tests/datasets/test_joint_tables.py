"""Joint distributions from files of every kind, and files that are none."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modalprism.datasets.joint_tables import read_joint
from modalprism.errors import InputError

XOR = pd.DataFrame({"a": [0, 0, 1, 1], "b": [0, 1, 0, 1], "y": [*"tfft"]})


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_observations_are_counted(tmp_path, suffix):
    path = tmp_path / f"xor{suffix}"
    if suffix == ".parquet":
        XOR.to_parquet(path)
    else:
        XOR.to_csv(path, sep="," if suffix == ".csv" else "\t", index=False)
    table = read_joint(path)
    assert table.sources == ("a", "b")
    assert table.target == "y"
    expected = np.zeros((2, 2, 2))
    expected[[0, 0, 1, 1], [0, 1, 0, 1], [1, 0, 0, 1]] = 1
    np.testing.assert_array_equal(table.tables[0], expected)


def test_columns_may_be_named_in_any_order(tmp_path):
    XOR.assign(count=[1, 2, 3, 4]).to_csv(tmp_path / "x.csv", index=False)
    table = read_joint(tmp_path / "x.csv", sources=["y", "b"], target="a")
    assert table.sources == ("y", "b")
    assert table.target == "a"
    # f < t; (a, b, y) = (0, 1, f) was seen twice.
    assert table.tables[0][0, 1, 0] == 2
    assert table.tables[0].sum() == 10


def test_counts_add_up_over_repeated_rows(tmp_path):
    rows = pd.concat([XOR, XOR]).assign(count=[1, 2, 3, 4, 10, 20, 30, 40.5])
    rows.to_csv(tmp_path / "x.csv", index=False)
    table = read_joint(tmp_path / "x.csv")
    assert table.tables[0][1, 1, 1] == 44.5
    assert table.tables[0].sum() == 110.5


def test_arrays_are_read(tmp_path):
    joint = np.random.default_rng(0).random((2, 3, 4))
    np.save(tmp_path / "joint.npy", joint)
    np.savez(tmp_path / "joint.npz", joint=joint)
    np.savez(tmp_path / "marginals.npz", p_x1y=joint.sum(1), p_x2y=joint.sum(0))
    for name in ("joint.npy", "joint.npz"):
        table = read_joint(tmp_path / name)
        np.testing.assert_array_equal(table.tables[0], joint)
        assert table.sources == ("source 1", "source 2")
    named = read_joint(tmp_path / "marginals.npz", sources=("image", "text"), target="answer")
    assert (named.sources, named.target) == (("image", "text"), "answer")
    np.testing.assert_array_equal(named.tables[1], joint.sum(0))


def text(words):
    return lambda path: path.write_text(words)


def npz(**arrays):
    return lambda path: path.write_bytes(b"") or np.savez(path, **arrays)


def other_kind(path):
    """A file of the one kind of NumPy's under the name of the other."""
    with path.open("wb") as file:
        (np.savez if path.suffix == ".npy" else np.save)(file, np.ones((2, 2, 2)))


def truncated(path):
    other = path.with_name("whole" + path.suffix)
    if path.suffix == ".parquet":
        XOR.to_parquet(other)
    elif path.suffix == ".npy":
        np.save(other, np.ones((4, 4, 4)))
    else:
        np.savez_compressed(other, joint=np.random.default_rng(0).random((9, 9, 9)))
    path.write_bytes(other.read_bytes()[:-60])


def flipped(path):
    np.savez_compressed(path, joint=np.random.default_rng(0).random((9, 9, 9)))
    content = bytearray(path.read_bytes())
    content[200:230] = bytes(30)
    path.write_bytes(content)


def continuous(path):
    pd.DataFrame(np.random.default_rng(0).random((3000, 3)), columns=[*"aby"]).to_csv(
        path, index=False
    )


def lists(path):
    XOR.assign(y=[[0], [1], [1], [0]]).to_parquet(path)


PICKLED = np.array([None, {}], dtype=object)


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("x.csv", text("a,b\n0,1\n"), "two source columns and a target.*are 'a', 'b'"),
        ("x.csv", text("a\n0\n"), "its columns are 'a'$"),
        ("x.csv", text(",a,b\n0,1,2\n"), "two source columns and a target"),
        ("x.csv", text(""), "is empty; its first line names the columns"),
        ("x.csv", text("a,b,y\n"), "has no rows"),
        ("x.csv", text("a,b,y\n\n\r\n"), "has no rows"),
        ("x.csv", text("a,b,y\n0,1,t\n1,,f\n"), "column 'b' is empty or NaN in data row 2"),
        ("x.csv", text("a,b,y\n0,1,t\n1, ,f\n"), "column 'b' is empty or NaN in data row 2"),
        ("x.csv", text("a,b,y\n0,1,t\n0,1,t,\n"), "row 2: it has 4 cells, .* first line names 3"),
        ("x.tsv", text("a\tb\ty\n0\t1\n"), "row 1: it has 2 cells, .* first line names 3"),
        ("x.csv", text("a,a,y\n0,1,t\n"), "two columns 'a'"),
        ("x.csv", text("a,b,y,count,proportion\n0,1,t,1,1\n"), "name one with count="),
        ("x.csv", text("a,b,y,count\n0,1,t,2\n1,1,f,\n"), "'count' is empty or NaN in data row 2"),
        ("x.csv", text('a,b,y\n"0,1,t\n'), "cannot be read"),
        ("x.csv", lambda path: path.write_bytes(b"\xff\xfe\x00\x81"), "not in UTF-8"),
        ("x.csv", lambda path: path.write_bytes("a,b,y\né,1,2\n".encode("latin-1")), "UTF-8"),
        ("x.csv", continuous, "has 3,000 × 3,000 × 3,000 distinct values.*into few classes"),
        ("x.jsonl", text('{"a": 1, "b": 2, "y": 3}\n{"a": "1", "b": 2, "y": 3}\n'), "of one type"),
        ("x.jsonl", text('{"a": 1, "b": 2, "y": 3}\n{"a": 1, "b": 2}\n'), "'y' is empty"),
        ("x.parquet", lists, "column 'y' holds list.*; give a column of words or numbers"),
        ("x.txt", text("a,b,y\n"), "none of .npy, .npz, .csv, .tsv, .jsonl, .ndjson and .parquet"),
        ("x.parquet", text("no parquet"), "cannot be read"),
        ("x.parquet", truncated, "cannot be read"),
        ("x.npy", truncated, "cannot be read"),
        ("x.npz", truncated, "cannot be read"),
        ("x.npz", flipped, "cannot be read"),
        ("x.npy", text(""), "cannot be read"),
        ("x.npz", text("no archive"), "cannot be read"),
        ("x.npy", other_kind, "x.npy cannot be read.*holds .npz"),
        ("x.npz", other_kind, "x.npz cannot be read.*holds .npy"),
        ("x.npz", npz(table=np.ones(3)), "needs an array 'joint', or .* it has table"),
        ("x.npz", npz(joint=PICKLED), "cannot be read.*pickled"),
        ("x.npy", lambda path: np.save(path, PICKLED), "cannot be read.*pickled"),
    ],
)
def test_files_are_refused(tmp_path, name, write, message):
    write(tmp_path / name)
    with pytest.raises(InputError, match=message) as caught:
        read_joint(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"sources": ["a", "A "]},
            "no column 'A '; did you mean 'a'.*; its columns are 'a', 'b', 'y'",
        ),
        ({"target": "z"}, "no column 'z'; its columns are 'a', 'b', 'y'"),
        ({"count": "z"}, "no column 'z'"),
        ({"sources": ["a", "a"]}, "different names; 'a', 'a' were named"),
        ({"sources": ["a", "b"], "target": "a"}, "different names; 'a', 'b', 'a' were named"),
        ({"target": "y", "count": "y"}, "different columns.*'y' the counts"),
        ({"sources": ["a"]}, "two sources; 1 were named"),
    ],
)
def test_names_are_refused(tmp_path, options, message):
    XOR.to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(InputError, match=message):
        read_joint(tmp_path / "x.csv", **options)


def test_arrays_have_no_columns_but_different_names(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((2, 2, 2)))
    with pytest.raises(InputError, match="different names; 'a', 'b', 'a' were named"):
        read_joint(tmp_path / "x.npy", sources=["a", "b"], target="a")
    with pytest.raises(InputError, match="holds arrays, which have no columns"):
        read_joint(tmp_path / "x.npy", count="n")


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist; check the path"):
        read_joint(tmp_path / "none.csv")
    with pytest.raises(InputError, match="is a folder; name a file"):
        read_joint(tmp_path)


@pytest.mark.parametrize("suffix", [".csv", ".TSV"])
@pytest.mark.parametrize(
    "words",
    [
        ("None", "NA", "null", "NaN"),
        ("nan", "N/A", "#N/A", "<NA>"),
        ("01", "1", "1.0", "1e0"),
        ("inf", "Infinity", "-inf", "+inf"),
        ("True", "TRUE", "true", "1"),
        ("a", "a ", " a", "A"),
        ("é", "e\u0301", "\x1b[2J", "x" * 10_000),
        ("2020-01-01", "2020-1-1", "-0", "0"),
    ],
)
def test_every_cell_is_a_string_as_it_stands(tmp_path, suffix, words):
    separator = "," if suffix == ".csv" else "\t"
    lines = [separator.join([w, t, w]) for w in words for t in ("p", "q")]
    header = separator.join(["image", "text", "answer"])
    path = tmp_path / f"x{suffix}"
    path.write_text("\r\n".join([header, *lines]), encoding="utf-8", newline="")
    (joint,) = read_joint(path).tables
    expected = np.repeat(np.eye(4)[:, None], 2, axis=1)
    np.testing.assert_array_equal(joint, expected)


def test_a_marker_of_the_encoding_quotes_and_blank_lines_are_no_symbols(tmp_path):
    path = tmp_path / "x.csv"
    content = '"a",b,y\r\n\r\n"p, ""q""",1,t\r\np,1,t\r\n\r\n'
    path.write_bytes(b"\xef\xbb\xbf" + content.encode())
    table = read_joint(path)
    assert table.sources == ("a", "b")
    np.testing.assert_array_equal(table.tables[0], [[[1.0]], [[1.0]]])


def test_a_column_without_a_name_is_no_variable(tmp_path):
    XOR.to_csv(tmp_path / "x.csv")  # with the row numbers first
    assert read_joint(tmp_path / "x.csv").sources == ("a", "b")
    XOR[::-1].to_parquet(tmp_path / "x.parquet")
    assert read_joint(tmp_path / "x.parquet").sources == ("a", "b")


@pytest.mark.parametrize(
    ("cell", "count"),
    [("3", 3), ("3.0", 3), ("1e3", 1000), (".5", 0.5), ("5.", 5), ("+2", 2), ("0", 0), ("007", 7)],
)
def test_counts_are_plain_numbers(tmp_path, cell, count):
    (tmp_path / "x.csv").write_text(f"a,b,y,count\n0,0,t,1\n1,1,f,{cell}\n")
    table = read_joint(tmp_path / "x.csv")
    assert table.count == "count"
    assert table.tables[0][1, 1, 0] == count


@pytest.mark.parametrize(
    "cell", [" 3", "3 ", "1_000", "nan", "-1", "-0", "inf", "1e999", "٣", "0x10", "many", "1e", "."]
)
def test_other_counts_are_refused(tmp_path, cell):
    (tmp_path / "x.csv").write_text(f"a,b,y,count\n0,0,t,1\n1,1,f,{cell}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"'count' holds .* in data row 2, which is no number"):
        read_joint(tmp_path / "x.csv")


@pytest.mark.parametrize("counts", [[1, -1], [1.0, np.inf], [True, False], [b"1", b"1"]])
def test_other_counts_of_parquet_are_refused(tmp_path, counts):
    pd.DataFrame({"a": [0, 1], "b": [0, 1], "y": [0, 1], "count": counts}).to_parquet(
        tmp_path / "x.parquet"
    )
    with pytest.raises(InputError, match=r"'count' holds .* which is no number"):
        read_joint(tmp_path / "x.parquet")


def test_a_column_called_count_may_be_a_variable(tmp_path):
    XOR.assign(count=[*"kllk"], n=[1, 2, 3, 4]).to_csv(tmp_path / "x.csv", index=False)
    table = read_joint(tmp_path / "x.csv", sources=["a", "b"], target="count")
    assert (table.target, table.count, table.tables[0].sum()) == ("count", "", 4)
    table = read_joint(tmp_path / "x.csv", sources=["a", "b"], target="count", count="n")
    assert table.tables[0].sum() == 10


def test_counts_whose_sum_is_beyond_a_float_are_relative(tmp_path):
    XOR.assign(count=[1e308, 1e308, 5e307, 1e308]).to_csv(tmp_path / "x.csv", index=False)
    (joint,) = read_joint(tmp_path / "x.csv").tables
    assert joint.sum() == pytest.approx(3.5)
    assert joint[1, 0, 0] == pytest.approx(0.5)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("columns", [["a", "b", "y"], ["y", "a", "b"]])
def test_a_key_that_is_the_index_is_read_as_columns(tmp_path, columns, normalize):
    counts = pd.concat([XOR, XOR[:2]])[columns].value_counts(normalize=normalize).to_frame()
    counts.to_csv(tmp_path / "x.csv")
    counts.to_parquet(tmp_path / "x.parquet")
    written, typed = (read_joint(tmp_path / f"x.{kind}") for kind in ("csv", "parquet"))
    assert written.sources == typed.sources == tuple(columns[:2])
    assert written.target == typed.target == columns[2]
    np.testing.assert_array_equal(written.tables[0], typed.tables[0])
    assert typed.tables[0].sum() == pytest.approx(1 if normalize else 6)


def test_an_index_of_names_is_no_default_variable(tmp_path):
    XOR.assign(id=[*"wxyz"]).set_index("id").to_parquet(tmp_path / "x.parquet")
    assert read_joint(tmp_path / "x.parquet").sources == ("a", "b")
    named = read_joint(tmp_path / "x.parquet", sources=["id", "b"], target="y")
    assert named.tables[0].shape == (4, 2, 2)


@pytest.mark.parametrize("more", ["id", "probability", "weight", "n"])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_nothing_is_chosen_among_more_than_three_columns(tmp_path, suffix, more):
    table = XOR.assign(**{more: [1, 2, 3, 4]})
    path = tmp_path / f"x.{suffix}"
    table.to_csv(path, index=False) if suffix == "csv" else table.to_parquet(path)
    for options in ({}, {"target": "y"}, {"sources": ["a", "b"]}):
        with pytest.raises(InputError, match=f"'a', 'b', 'y', '{more}': name the sources"):
            read_joint(path, **options)
    named = read_joint(path, sources=["a", "b"], target="y")
    assert (named.count, named.tables[0].sum()) == ("", 4)
    counted = read_joint(path, count=more)
    assert (counted.sources, counted.target, counted.count) == (("a", "b"), "y", more)
    assert counted.tables[0].sum() == 10


def test_the_columns_that_are_left_are_taken(tmp_path):
    XOR.to_csv(tmp_path / "x.csv", index=False)
    table = read_joint(tmp_path / "x.csv", target="a")
    assert (table.sources, table.target) == (("b", "y"), "a")
    assert read_joint(tmp_path / "x.csv", sources=["y", "b"]).target == "a"


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, 2, 1]),
        pa.array([2**53, 2**53 + 1, 2**53]),
        pa.array([1.0, 2.0, 1.0], pa.float16()),
        pa.array([0.0, 1.0, -0.0]),
        pa.array([False, True, False]),
        pa.array([b"a", b"b", b"a"]),
        pa.array(["a", "b", "a"], pa.string_view()),
        pa.array([b"a", b"b", b"a"], pa.binary_view()),
        pa.array(["a", "b", "a"], pa.large_string()),
        pa.array([1, 2, 1], pa.timestamp("ns", "UTC")),
        pa.array([1, 2, 1], pa.decimal128(3)),
        pa.array(["a", "b", "a"]).dictionary_encode(),
        pa.DictionaryArray.from_arrays(pa.array([0, 1, 2]), pa.array(["a", "b", "a"])),
    ],
    ids=lambda values: str(values.type)[:30],
)
def test_values_of_parquet_keep_their_type(tmp_path, values):
    table = pa.table({"a": values, "b": [0, 0, 1], "y": values})
    pq.write_table(table, tmp_path / "x.parquet")
    (joint,) = read_joint(tmp_path / "x.parquet").tables
    np.testing.assert_array_equal(joint.sum(1), [[2, 0], [0, 1]])


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, None, 1]),
        pa.array([1.0, np.nan, 1.0]),
        pa.array(["a", "", "a"]),
        pa.array(["a", " \u3000", "a"], pa.large_string()),
        pa.array(["a", "\t", "a"], pa.string_view()),
        pa.array([b"a", b"", b"a"]),
        pa.array([None, None, None]).slice(0, 3),
        pa.array(["a", None, "a"]).dictionary_encode(),
    ],
    ids=lambda values: str(values.type)[:30],
)
def test_missing_values_of_parquet_are_refused(tmp_path, values):
    pq.write_table(pa.table({"a": values, "b": [0, 0, 1], "y": [0, 1, 2]}), tmp_path / "x.parquet")
    with pytest.raises(InputError, match=r"column 'a' is empty or NaN in data row"):
        read_joint(tmp_path / "x.parquet")


def test_values_of_json_keep_their_type(tmp_path):
    rows = ['{"a": "1", "b": 1, "y": true}', '{"a": "01", "b": 2.5, "y": false}']
    (tmp_path / "x.jsonl").write_text("\n".join(rows))
    assert read_joint(tmp_path / "x.jsonl").tables[0].shape == (2, 2, 2)


@pytest.mark.parametrize("folder", ["~", "~root", "s3:", "file:", "a::b"])
def test_a_folder_whose_name_means_another_place_is_read_itself(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for place in (folder, "home"):
        (tmp_path / place).mkdir()
    XOR.to_parquet(tmp_path / folder / "x.parquet")
    XOR.assign(a=0).to_parquet(tmp_path / "home" / "x.parquet")
    assert read_joint(f"{folder}/x.parquet").tables[0].shape == (2, 2, 2)


@pytest.mark.parametrize("mark", [";", "|", "\t"])
def test_a_table_that_other_marks_separate_is_recognised(tmp_path, mark):
    (tmp_path / "x.csv").write_text(XOR.to_csv(index=False, sep=mark))
    for options in ({}, {"sources": ["a", "b"], "target": "y"}):
        with pytest.raises(InputError, match="seems to be separated by"):
            read_joint(tmp_path / "x.csv", **options)


def test_of_hundreds_of_columns_the_first_are_named(tmp_path):
    pd.DataFrame([range(500)]).to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(InputError, match=r"'0', '1', .*'19' and 480 more"):
        read_joint(tmp_path / "x.csv", target="z")

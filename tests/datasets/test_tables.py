"""Joint distributions from files of every kind, and files that are none."""

import numpy as np
import pandas as pd
import pytest

from modalprism.datasets.tables import read_joint
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
        ("x.csv", text("a,b\n0,1\n"), "two source columns and a target.*found a, b"),
        ("x.csv", text("a\n0\n"), "found a$"),
        ("x.csv", text(""), "cannot be read: No columns"),
        ("x.csv", text("a,b,y\n"), "has no rows"),
        ("x.csv", text("a,b,y\n0,1,t\n1,,f\n"), "empty or NaN cell in data row 2"),
        ("x.csv", text("a,b,y,count\n0,1,t,2\n1,1,f,\n"), "count in data row 2 is nan"),
        ("x.csv", text("a,b,y,count\n0,1,t,many\n"), "count in data row 1 is nan"),
        ("x.csv", text("a,b,y,count\n0,1,t,-2\n"), "count in data row 1 is -2"),
        ("x.csv", text('a,b,y\n"0,1,t\n'), "cannot be read"),
        ("x.csv", lambda path: path.write_bytes(b"\xff\xfe\x00\x81"), "cannot be read"),
        ("x.csv", continuous, "takes 3,000 × 3,000 × 3,000 values.*into few classes"),
        ("x.parquet", lists, "column 'y' holds values that cannot be counted"),
        ("x.txt", text("a,b,y\n"), "none of .npy, .npz, .csv, .tsv and .parquet"),
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
        ("x.npz", npz(joint=PICKLED), "cannot be read.*allow_pickle"),
        ("x.npy", lambda path: np.save(path, PICKLED), "cannot be read.*allow_pickle"),
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
        ({"sources": ["a", "z"]}, "wanted a, z, y, found a, b, y"),
        ({"target": "z"}, "wanted a, b, z, found a, b, y"),
        ({"sources": ["a", "a"]}, "all different; wanted a, a, y"),
        ({"target": "a"}, "all different; wanted a, b, a"),
        ({"sources": ["a"]}, "two sources; 1 were named"),
    ],
)
def test_names_are_refused(tmp_path, options, message):
    XOR.to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(InputError, match=message):
        read_joint(tmp_path / "x.csv", **options)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    for name in ("none.csv", "."):
        with pytest.raises(InputError, match="does not exist; check the path"):
            read_joint(tmp_path / name)

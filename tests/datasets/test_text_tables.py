import codecs
import json
import tracemalloc
from collections import deque

import numpy as np
import pytest

from modalprism.datasets.columns import Columns
from modalprism.datasets.examples import open_examples
from modalprism.datasets.text_tables import text_table
from modalprism.errors import InputError


@pytest.fixture
def write(tmp_path):
    def table(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return table


def read(path, columns=("text",)):
    return [dict(row.values) for row in text_table(path).rows(columns, None)]


def test_cells_are_read_as_they_stand(write):
    content = 'text,label\n"a, ""b""\nc",1\n\n  é ,\n'
    expected = [{"text": 'a, "b"\nc', "label": "1"}, {"text": "  é ", "label": ""}]
    assert read(write("a.csv", content)) == expected
    assert read(write("a.tsv", "text\tlabel\r\na b\t1\r\n")) == [{"text": "a b", "label": "1"}]
    assert read(write("b.csv", codecs.BOM_UTF8 + b"text\nx")) == [{"text": "x"}]


def test_json_lines_are_read_as_they_stand(write):
    content = codecs.BOM_UTF8 + b'{"text": "a", "n": 1}\r\n\n{"text": "\\u00e9", "late": [2]}'
    table = text_table(write("a.jsonl", content))
    assert (table.columns, table.length) == (("text", "n", "late"), 2)
    assert [dict(row.values) for row in table.rows(["text"], None)] == [
        {"text": "a", "n": 1},
        {"text": "é", "late": [2]},
    ]
    assert len(read(write("a.ndjson", content))) == 2


@pytest.mark.parametrize(
    ("name", "content", "broken"),
    [
        ("a.csv", "text,n\na,1\nb\nc,1,2\nd,4\n",
         {1: "it has 1 cells, and the first line names 2", 2: "it has 3 cells"}),
        ("a.csv", 'text,n\na,1\n"b"x,2\nc,3\n', {1: "line 3 cannot be read"}),
        ("a.csv", 'text,n\na,1\n"b,2\nc,3\n', {1: "lines 3 to 4 cannot be read: unexpected end"}),
        ("a.jsonl", '{"text": "a"}\n{"text": \n[1]\n{"text": "d"}\n',
         {1: "the JSON of its line cannot be read: ", 2: r"its line is no JSON object: \[1\]"}),
        ("a.jsonl", b'{"text": "a"}\n{"text": "\xff"}\n', {1: "the JSON of its line .*utf-8"}),
        ("a.jsonl", '{"text": "a"}\n{"text": "b", "n": {"k": 1, "k": 2}}\n',
         {1: "the JSON .* the key 'k' stands twice"}),
        ("a.jsonl", '{"text": "a"}\n' + "[" * 60 + "]" * 60 + "\n",
         {1: "the JSON of its line .* nests deeper than 50 levels"}),
        ("a.jsonl", '{"text": "a"}\n{"text": "\\ud83d"}\n', {1: "the JSON .* surrogates"}),
        ("a.jsonl", '{"text": "a"}\n' + "[" * 100_000 + "\n", {1: "the JSON .* RecursionError"}),
    ],
)  # fmt: skip
def test_a_broken_row_is_said_when_asked_for(write, name, content, broken):
    examples = list(open_examples(write(name, content)))
    assert [example.id for example in examples] == [str(n) for n in range(len(examples))]
    for position, example in enumerate(examples):
        if position in broken:
            with pytest.raises(InputError, match=f"row '{position}': {broken[position]}"):
                example.inputs["text"]
        else:
            assert len(example.inputs["text"]) == 1


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "", "is empty; its first line names the columns"),
        ("a.csv", "text,label\n", "has no rows"),
        ("a.csv", "text,text\na,b\n", "has two columns 'text'"),
        ("a.csv", ",".join(map(str, range(20_000))) + ",7\n1\n", "has two columns '7'"),
        ("a.csv", "text\n\xe9\n".encode("latin-1"), "is not in UTF-8 .*; save it so"),
        ("a.csv", '"text\n', "a.csv: line 1 cannot be read"),
        ("a.csv", "text\0\0,label\na,b\n", "NUL characters in line 1"),
        ("a.csv", "text,label\na,b\n".encode("utf-16-le"), "not in UTF-8; save it anew, in UTF-8"),
        ("a.tsv", "\ufeff\ufefftext\tlabel\na\tb\n", "column .* has a byte order mark"),
        ("a.jsonl", "\n \n", "has no rows"),
        ("a.jsonl", "[1]\n[2]\n", r"no JSON object in its first lines: .*\[1\]"),
    ],
)
def test_a_table_of_nothing_is_refused(write, name, content, words):
    with pytest.raises(InputError, match=words):
        open_examples(write(name, content))


def test_a_million_columns_are_compared_at_once(write):
    names = [f"c{number}" for number in range(10**6)]
    header = ",".join([*names, "text"])
    assert len(text_table(write("a.csv", f"{header}\n{',' * 10**6}x\n")).columns) == 10**6 + 1


def test_a_table_that_cannot_be_opened_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist; check the path"):
        text_table(tmp_path / "a.csv")


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_memory_does_not_grow_with_rows(tmp_path, kind):
    path, many, long = tmp_path / f"a.{kind}", 4_000, "x" * 1_000
    with path.open("w", newline="") as file:
        file.write("text,n\n" if kind == "csv" else "")
        for number in range(many):
            line = f"{long},{number}" if kind == "csv" else json.dumps({"text": long, "n": number})
            file.write(f"{line}\n")
    tracemalloc.start()
    try:
        examples = open_examples(path, Columns.from_flags(["group=n"]))
        (last,) = deque(examples, maxlen=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert last.groups == {"n": str(many - 1)}
    assert peak < 1_000_000 < path.stat().st_size / 4


def test_only_what_is_chosen_is_read_to_its_end(write):
    table = text_table(write("a.csv", "text\n" + "\n".join("abcdef")))
    chosen = table.rows(["text"], np.array([1, 3]))
    assert [(row.position, row.values["text"]) for row in chosen] == [(1, "b"), (3, "d")]

"""Questions in one table, their pictures in another."""

import json

import cloudpickle
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modalprism.datasets.columns import Columns
from modalprism.datasets.config import Join
from modalprism.datasets.examples import open_examples
from modalprism.errors import InputError

COLUMNS = Columns.from_flags(["label=answer", "id=id", "group=imageId"])


@pytest.fixture
def tables(tmp_path, pictures):
    """Two questions a picture, by number; the pictures in another order, by word."""
    questions = [
        {"id": f"q{n}", "imageId": n // 2, "question": f"what {n}?", "answer": "yes"}
        for n in range(8)
    ]
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, questions)))
    order = [2, 0, 3, 1]
    shots = {"id": [str(n) for n in order], "image": [{"bytes": pictures[n]} for n in order]}
    pq.write_table(pa.table(shots), tmp_path / "pictures.parquet")
    return tmp_path / "questions.jsonl", tmp_path / "pictures.parquet"


def test_every_question_has_its_picture(tables, on_white):
    questions, pictures = tables
    examples = open_examples(
        questions, COLUMNS, join=Join(data=str(pictures), by={"imageId": "id"})
    )
    assert len(examples) == 8
    for n, example in enumerate(examples):
        assert example.id == f"q{n}"  # the first table's, though both have an id
        assert example.groups == {"imageId": str(n // 2)}
        assert example.inputs["text"] == f"what {n}?"
        np.testing.assert_array_equal(example.inputs["image"], on_white[n // 2])


def test_a_part_of_them_is_joined_as_well(tables, on_white):
    questions, pictures = tables
    join = Join(data=str(pictures), by={"imageId": "id"})
    some = open_examples(questions, COLUMNS, join=join, limit=3, seed=2)
    for place, example in zip(some.chosen, some, strict=True):
        np.testing.assert_array_equal(example.inputs["image"], on_white[place // 2])


def test_both_tables_are_in_the_fingerprint(tables, pictures):
    questions, shots = tables
    join = Join(data=str(shots), by={"imageId": "id"})
    seen = {open_examples(questions, COLUMNS, join=join).fingerprint()}
    pq.write_table(pa.table({"id": list("0123"), "image": pictures[:4]}), shots)
    seen.add(open_examples(questions, COLUMNS, join=join).fingerprint())
    questions.write_text(questions.read_text() + "\n" + questions.read_text().splitlines()[0])
    seen.add(open_examples(questions, Columns.from_flags(["id="]), join=join).fingerprint())
    assert len(seen) == 3


def test_names_of_files_are_relative_to_the_first(tmp_path, tables, pictures):
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "a.png").write_bytes(pictures[0])
    rows = [f'{{"id": {n}, "image": "scans/a.png"}}' for n in range(4)]
    (tmp_path / "names.jsonl").write_text("\n".join(rows))
    join = Join(data=str(tmp_path / "names.jsonl"), by={"imageId": "id"})
    examples = open_examples(tables[0], COLUMNS, join=join)
    assert examples.fingerprint()
    assert next(iter(examples)).inputs["image"].size == (72, 72)


def test_a_question_without_a_picture_is_said(tables, pictures):
    questions, shots = tables
    pq.write_table(pa.table({"id": list("012"), "image": pictures[:3]}), shots)
    examples = list(
        open_examples(questions, COLUMNS, join=Join(data=str(shots), by={"imageId": "id"}))
    )
    assert examples[5].inputs["image"].mode == "RGB"
    with pytest.raises(InputError, match=r"row '.*': .*pictures.parquet has no row of 3"):
        examples[6].inputs["image"]


def test_tables_that_do_not_fit_are_refused(tables, pictures):
    questions, shots = tables
    with pytest.raises(InputError, match=r"to join .*, there is no column 'image_id'; the columns"):
        open_examples(questions, COLUMNS, join=Join(data=str(shots), by={"image_id": "id"}))
    with pytest.raises(InputError, match=r"no column 'key'; the columns are id, image"):
        open_examples(questions, COLUMNS, join=Join(data=str(shots), by={"imageId": "key"}))
    with pytest.raises(InputError, match="there is no file or folder nowhere"):
        open_examples(questions, COLUMNS, join=Join(data="nowhere.parquet", by={"imageId": "id"}))
    pq.write_table(pa.table({"id": list("00"), "image": pictures[:2]}), shots)
    with pytest.raises(InputError, match=r"has '0' twice in column 'id'; every row has a key"):
        open_examples(questions, COLUMNS, join=Join(data=str(shots), by={"imageId": "id"}))


def test_a_missing_key_belongs_to_no_row(tmp_path):
    questions = [{"question": "a", "key": "1"}, {"question": "b", "key": " "}]
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, questions)))
    pq.write_table(
        pa.table({"id": ["1", "", None], "hint": ["x", "y", "z"]}), tmp_path / "h.parquet"
    )
    columns = Columns.from_flags(["text=hint", "id="])
    join = Join(data=str(tmp_path / "h.parquet"), by={"key": "id"})
    first, second = open_examples(tmp_path / "q.jsonl", columns, join=join)
    assert first.inputs["text"] == "x"
    with pytest.raises(InputError, match="has no row of ' '"):
        second.inputs["text"]


def test_it_can_be_sent_to_another_machine(tables):
    questions, pictures = tables
    join = Join(data=str(pictures), by={"imageId": "id"})
    examples = open_examples(questions, COLUMNS, join=join)
    given = [example.inputs["image"].tobytes() for example in examples]
    sent = cloudpickle.loads(cloudpickle.dumps(examples))
    assert [example.inputs["image"].tobytes() for example in sent] == given

import json

import numpy as np
import pytest

from modalprism.datasets.columns import Columns
from modalprism.datasets.examples import Examples, open_examples
from modalprism.datasets.labels import Labels, label_from
from modalprism.errors import InputError

COLUMNS = Columns.from_flags(["image=", "text=question", "label=answer"])


def test_labels_become_candidates():
    labels = Labels.of(("Yes", "No"), {False: "No", True: "Yes", "maybe": "No"})
    read = [labels.read(label) for label in ("true", "False", "Maybe", "no.", "yes", "who", 7)]
    assert read == ["Yes", "No", "No", "No", "Yes", "who", 7]


def test_places_become_letters():
    labels = Labels.of(("A", "B", "C"), "letters", "candidates")
    assert [labels.read(label) for label in (0, 2, 4, "b", "A")] == ["A", "C", "E", "B", "A"]
    assert labels.read("2") == "C"  # a table in CSV holds words
    assert [labels.keeps(labels.read(label)) for label in (0, 4)] == [True, False]
    with pytest.raises(InputError, match="it is 26, and letters are of 0 to 25"):
        labels.read(26)


def test_without_anything_asked_labels_stay():
    assert [Labels().read(label) for label in ("Yes", 3)] == ["Yes", 3]
    assert Labels().keeps("anything")
    assert Labels().words() == []


@pytest.mark.parametrize(
    ("answers", "only", "candidates", "words"),
    [
        ({0: "nope"}, None, ("yes", "no"), "0 is 'nope', which is none of the candidates yes, no"),
        ({0: False}, None, ("yes", "no"), "0 is False, no word; put yes and no in quotes"),
        ({"1": "no", 1: "yes"}, None, ("yes", "no"), "1 stands twice, with different candidates"),
        ({" ": "no"}, None, ("yes", "no"), "' ' is empty, and an empty label is missing"),
        (None, None, ("yes", ""), "candidates: one is empty"),
        (None, None, ("yes", "no", "yes"), "candidates: 'yes' is given twice"),
        (None, "candidates", (), "only: candidates, but there are none; give candidates"),
    ],
)
def test_answers_that_make_no_sense_are_refused(answers, only, candidates, words):
    with pytest.raises(InputError, match=words):
        Labels.of(candidates, answers, only)


@pytest.mark.parametrize(
    ("candidates", "label", "right"),
    [
        (("-1", "1"), -1, "-1"), (("0", "1"), -1, -1), (("0", "1"), "−1", "−1"),
        (("👍", "👎"), "😐", "😐"), (("+", "-"), "−", "-"), (("C", "C++"), "c#", "c#"),
        (("yes", "Yes."), "yes", "yes"), (("one", "1"), "One", "one"), ((",",), ".", "."),
        (("314",), "3.14", "3.14"), (("50",), "50%", "50%"), (("कि", "का"), "की", "की"),
        (("before 1900", "after 1900"), "Before 1900.", "before 1900"),
    ],
)  # fmt: skip
def test_a_label_is_the_candidate_that_is_most_like_it(candidates, label, right):
    assert Labels.of(candidates).read(label) == right


def test_two_candidates_that_are_alike_are_refused_where_a_label_needs_the_choice():
    labels = Labels.of(("yes", "Yes.", "no"))
    assert [labels.read(label) for label in ("yes", "Yes.", "NO")] == ["yes", "Yes.", "no"]
    with pytest.raises(InputError, match=r"'yes!' is alike to the candidates 'yes' and 'Yes.'"):
        labels.read("yes!")


def test_keys_of_answers_are_looked_up_as_candidates_are():
    labels = Labels.of(("no", "yes"), {"A.": "no", "a": "yes", "-1": "no", 1: "yes", "👎": "no"})
    assert [labels.read(label) for label in ("A.", "A", 1, -1, "👎")] == [
        "no", "yes", "yes", "no", "no",
    ]  # fmt: skip
    assert labels.read("👍") == "👍"
    with pytest.raises(InputError, match=r"'a!' is alike to the values 'A.' and 'a'"):
        labels.read("a!")


def test_answers_go_before_candidates_in_every_format():
    labels = Labels.of(("0", "1"), {0: "1", 1: "0"})
    assert [labels.read(label) for label in (0, "0", 1, "1")] == ["1", "1", "0", "0"]


@pytest.mark.parametrize("empty", [None, float("nan"), np.nan, np.float32("nan"), "", " ", b""])
def test_an_empty_label_is_missing(empty):
    assert label_from(empty, Labels()) is None


@pytest.mark.parametrize(
    ("value", "label"),
    [(np.int64(3), 3), (2.0, 2), (np.float32(2), 2), (np.True_, "true"), (np.str_("a"), "a")],
)
def test_numbers_of_libraries_are_labels_as_others(value, label):
    assert label_from(value, Labels()) == label


ROWS = [("Yes", "q0"), ("2", "q1"), ("no", "q2"), ("", "q3"), ("NO", "q4"), ("red", "q5")] * 4
ONLY = Labels.of(("yes", "no"), only="candidates")


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("answer,question\n" + "".join(f"{a},{q}\n" for a, q in ROWS))
    return path


def test_rows_whose_label_is_no_candidate_are_left_out(table):
    examples = open_examples(table, COLUMNS, labels=ONLY)
    assert len(examples) == 12
    assert [example.label for example in examples] == ["yes", "no", "no"] * 4
    assert [example.inputs["text"] for example in examples] == ["q0", "q2", "q4"] * 4


def test_a_limit_counts_the_rows_that_are_kept(table):
    drawn = open_examples(table, COLUMNS, labels=ONLY, limit=5, seed=1)
    assert len(drawn) == len(list(drawn)) == 5
    assert drawn.chosen.tolist() == sorted(set(drawn.chosen.tolist()))
    assert {example.label for example in drawn} == {"yes", "no"}
    again = open_examples(table, COLUMNS, labels=ONLY, limit=5, seed=1)
    assert again.fingerprint() == drawn.fingerprint()
    assert open_examples(table, COLUMNS, labels=ONLY, limit=12).fingerprint() == (
        open_examples(table, COLUMNS, labels=ONLY).fingerprint()
    )


def test_a_stream_ends_with_the_last_that_is_kept(table):
    dataset = open_examples(table, COLUMNS).dataset
    asked = []

    class Stream(type(dataset)):
        quick, length = False, None

        def _records(self):
            for number, record in enumerate(super()._records()):
                asked.append(number)
                yield record

    stream = Stream(table)
    stream.quick, stream.length = False, None
    asked.clear()
    examples = Examples(stream, COLUMNS.among(stream.columns), None, 16_000, ONLY, 4)
    assert [example.inputs["text"] for example in examples] == ["q0", "q2", "q4", "q0"]
    assert asked == list(range(7))


def test_labels_change_the_fingerprint(table):
    seen = {open_examples(table, COLUMNS, labels=labels).fingerprint() for labels in (
        None, Labels.of(("yes", "no")), ONLY, Labels.of(("yes", "no"), {"2": "no"}),
    )}  # fmt: skip
    assert len(seen) == 4


def test_where_no_label_is_a_candidate_the_commonest_are_said(table):
    labels = Labels.of(("left", "right"), only="candidates")
    with pytest.raises(InputError, match=r"'answer' is one of the candidates left, right; .*'Yes'"):
        open_examples(table, COLUMNS, labels=labels)
    without = Columns.from_flags(["image=", "text=question", "label="])
    with pytest.raises(InputError, match="no column is known to be the label; say which, label=…"):
        open_examples(table, without, labels=labels)


def test_a_row_that_cannot_be_read_is_no_row_without_an_answer(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"question": "q", "answer": "yes"}\n{"question"\n{"question": "r"}\n')
    examples = list(open_examples(path, COLUMNS, labels=ONLY))
    assert [example.id for example in examples] == ["0", "1"]
    with pytest.raises(InputError, match="row '1'"):
        examples[1].inputs["text"]


def test_letters_out_of_reach_are_said_with_the_row(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"question": "q", "answer": 99}\n')
    (example,) = open_examples(path, COLUMNS, labels=Labels.of(("A",), "letters"))
    with pytest.raises(InputError, match="row '0': its label in column 'answer' cannot be read"):
        example.inputs["text"]


def test_labels_none_of_which_is_a_candidate_are_refused_before_a_model_runs(table):
    with pytest.raises(InputError, match=r"'answer' is one of the candidates left, right"):
        open_examples(table, COLUMNS, labels=Labels.of(("left", "right")))
    assert len(open_examples(table, COLUMNS, labels=Labels.of(("left", "red")))) == len(ROWS)


def test_numbers_of_candidates_are_labels_that_match(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text(
        "".join(json.dumps({"question": "q", "answer": k % 2}) + "\n" for k in range(4))
    )
    labels = Labels.of(("no", "yes"))
    assert [one.label for one in open_examples(path, COLUMNS, labels=labels)] == [0, 1, 0, 1]


def test_positions_are_whole_numbers(table):
    assert open_examples(table, COLUMNS, labels=ONLY).chosen.dtype == np.int64

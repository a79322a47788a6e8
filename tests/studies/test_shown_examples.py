"""Examples: which rows stand for an atom, and what a person sees of them."""

import io
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from modalprism.capture.store import EmbeddingStore
from modalprism.datasets.dataset import Example
from modalprism.errors import InputError
from modalprism.estimation.evidence import Evidence
from modalprism.results.examples import ShownExample
from modalprism.studies.capture_input import _shown
from modalprism.studies.evidence_store import AnalysisKey, StoredEvidence
from modalprism.studies.example_store import EXAMPLES_FILE, read_examples, write_examples
from modalprism.studies.shown_examples import (
    LONGEST_TEXT,
    THUMBNAIL,
    chosen_rows,
    clipped,
    gather_examples,
    net_atoms,
    picture_and_text,
    thumbnail,
    waveform,
)
from modalprism.studies.study import Study
from modalprism.studies.study_store import Recording, StudyStore

MODALITIES = ("image", "text")
ATOMS = ("redundancy", "first_unique", "second_unique", "synergy")


def opened(content):
    return Image.open(io.BytesIO(content))


# Which rows


def test_what_other_atoms_take_back_does_not_count():
    atoms = np.array([[5.0, -5.5, 0.0, 1.0], [2.0, 0.0, 0.5, 0.0], [1.0, -0.5, 3.0, -4.0]])
    assert net_atoms(atoms)[:, 0].tolist() == [-0.5, 2.0, -3.5]
    assert (net_atoms(atoms) <= atoms.sum(1, keepdims=True) + 1e-12).all()


def test_the_best_come_first_and_of_the_same_the_first_row():
    score = np.array([0.1, 2.0, 0.3, 2.0, -1.0, 0.004])
    assert chosen_rows(score, [], None, 9) == [1, 3, 2, 0]
    assert chosen_rows(score, [], None, 2) == [1, 3]
    assert chosen_rows(-np.abs(score), [], None, 2) == []


def test_the_same_input_waits_for_others_that_are_about_as_good():
    picture = np.array(["cat", "cat", "dog", "owl", "cat"])
    score = np.array([3.0, 2.9, 2.5, 1.0, 2.8])
    assert chosen_rows(score, [picture], None, 4) == [0, 2, 1, 4]
    word = np.array(["a", "b", "a", "c", "d"])
    # The dog has the first row's word: no row is another input with another word.
    assert chosen_rows(score, [picture, word], None, 2) == [0, 1]


def test_other_answers_come_first_among_other_inputs_and_never_at_their_cost():
    picture = np.array(["cat", "dog", "cat", "owl"])
    answer = np.array([1, 1, 0, 0])
    assert chosen_rows(np.array([3.0, 2.9, 2.9, 2.7]), [picture], answer, 2) == [0, 3]
    assert chosen_rows(np.array([3.0, 2.9, 2.9, 0.1]), [picture], answer, 2) == [0, 1]


# What is seen


def test_a_picture_becomes_small_and_stays_what_it_was():
    wide = Image.new("RGB", (800, 200), (200, 30, 30))
    small = opened(thumbnail(wide))
    assert (small.format, small.size) == ("WEBP", (THUMBNAIL, THUMBNAIL // 4))
    assert small.convert("RGB").getpixel((10, 10)) == pytest.approx((200, 30, 30), abs=8)
    assert opened(thumbnail(Image.new("L", (40, 90)))).size == (40, 90)  # never larger
    assert opened(thumbnail(Image.new("RGB", (4000, 1)))).size == (THUMBNAIL, 1)


def test_a_long_text_is_cut_after_a_word():
    text = clipped("word " * 200)
    assert len(text) <= LONGEST_TEXT
    assert text.endswith("word…")
    assert clipped("漢" * 300) == "漢" * (LONGEST_TEXT - 1) + "…"
    assert picture_and_text("short\n\ttext") == (None, "short text")


def test_a_recording_is_drawn_and_its_length_said():
    samples = np.concatenate([np.zeros(8000), np.sin(np.arange(8000))]).astype(np.float32)
    picture, words = picture_and_text(Recording(samples, 8000))
    assert words == "a recording of 2.0 s"
    ink = np.asarray(opened(picture).convert("L")) < 128
    assert ink[:, : ink.shape[1] // 2 - 2].sum(0).max() <= 3  # silence
    assert ink[:, ink.shape[1] // 2 + 2 :].sum(0).min() > 20
    for few in (np.zeros(1), np.ones(3), np.zeros(0)):
        assert opened(waveform(few)).width == THUMBNAIL


def test_other_values_are_said():
    assert picture_and_text(np.zeros((3, 4), np.float32)) == (None, "an array of 3 × 4 numbers")
    assert picture_and_text(np.float32(0.5)) == (None, "0.5")
    assert picture_and_text(7) == (None, "7")


# The file


def made(**changes):
    one = ShownExample(
        "m",
        "d",
        "unique",
        "image",
        0,
        7,
        "row-7",
        MODALITIES,
        (0.1, 2.0, -0.3, 0.0),
        "bit",
        "yes",
        "no",
        0.75,
        (b"webp", None),
        (None, "<b>a cat</b>"),
    )
    return replace(one, **changes)


def test_what_is_written_is_read_again(tmp_path):
    bare = made(
        atom="synergy", modality=None, rank=1, id="", label=None, answer=None, probability=None
    )
    examples = [made(), replace(bare, pictures=(None, None), texts=(None, None), note="gone")]
    write_examples(tmp_path, examples)
    assert read_examples(tmp_path) == examples
    frame = pd.read_parquet(tmp_path / EXAMPLES_FILE)
    assert frame[["atom", "modality", "row", "unit"]].iloc[0].tolist() == [
        "unique", "image", 7, "bit",
    ]  # fmt: skip
    assert frame[list(ATOMS)].iloc[0].tolist() == [0.1, 2.0, -0.3, 0.0]
    write_examples(tmp_path, [])
    assert not (tmp_path / EXAMPLES_FILE).exists()
    assert read_examples(tmp_path) == []


def test_a_damaged_file_is_said(tmp_path):
    write_examples(tmp_path, [made()])
    path = tmp_path / EXAMPLES_FILE
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(
        InputError,
        match=r"examples\.parquet cannot be read: .*; if it is damaged",
    ):
        read_examples(tmp_path)
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(InputError, match="lacks columns of examples"):
        read_examples(tmp_path)


# All together


class Album:
    """An origin of pictures and names, of which some can no longer be read."""

    candidates = ("cat", "dog")

    def __init__(self, gone=()):
        self.gone, self.asked = set(gone), []

    def shown(self, rows):
        self.asked += [int(row) for row in rows]
        if bad := self.gone & set(map(int, rows)):
            raise InputError(f"row {min(bad)}: the file cat.png is not there")
        return [
            {"image": Image.new("RGB", (200, 100)), "text": f"name of {int(row)}"} for row in rows
        ]


N = 12


def told():
    """Informations of rows whose atoms are one atom each, a little more with every row."""
    atoms = np.zeros((N, 4))
    for row in range(N):
        atoms[row, row % 4] = 1 + row / 10
    r, u1, u2, s = atoms.T
    return np.stack([r + u1, r + u2, r + u1 + u2 + s, r + u1 + u2], 1)


@pytest.fixture
def case(tmp_path):
    """Make (folder, study_store, evidence) of an origin."""

    def make(origin, **arrays):
        answer = np.tile([[0.9, 0.1], [0.3, 0.7]], (N // 2, 1))
        content = {"label": np.arange(N) % 2, "answer": answer} | arrays
        np.savez(tmp_path / "store.npz", **{k: v for k, v in content.items() if v is not None})
        study_store = StudyStore("m", "d", EmbeddingStore.open(tmp_path / "store.npz"), origin)
        nothing = np.zeros((4, 1), np.float32)
        evidence = Evidence(nothing, nothing, told().astype(np.float32))
        place = AnalysisKey("m", "d", "answer", "observed", -1)
        return tmp_path, study_store, {place: StoredEvidence(evidence, "sample")}

    return make


def gathered(folder, study_store, stored):
    gather_examples(folder, [study_store], stored, MODALITIES, "bit")
    return read_examples(folder)


def test_every_atom_is_stood_for_by_those_that_tell_most_of_it(case):
    examples = gathered(*case(Album()))
    found = {}
    for one in examples:
        found.setdefault((one.atom, one.modality), []).append(one.row)
        assert one.atoms[one.row % 4] == pytest.approx(1 + one.row / 10, abs=1e-6)
        assert one.texts == (None, f"name of {one.row}")
        assert opened(one.pictures[0]).size == (THUMBNAIL, THUMBNAIL // 2)
        assert one.label == ("cat", "dog")[one.row % 2] == one.answer
        assert one.probability == pytest.approx((0.9, 0.7)[one.row % 2])
    assert found == {
        ("redundancy", None): [8, 4, 0],
        ("unique", "image"): [9, 5, 1],
        ("unique", "text"): [10, 6, 2],
        ("synergy", None): [11, 7, 3],
    }


def test_the_same_run_gives_the_same_bytes_and_looks_nothing_up_again(case):
    album = Album()
    folder, study_store, stored = case(album)
    gathered(folder, study_store, stored)
    before, asked = (folder / EXAMPLES_FILE).read_bytes(), list(album.asked)
    assert sorted(asked) == list(range(N))
    gathered(folder, study_store, stored)
    assert album.asked == asked
    assert (folder / EXAMPLES_FILE).read_bytes() == before


def test_what_can_no_longer_be_read_is_a_note_and_is_tried_again(case):
    folder, study_store, stored = case(Album(gone={9}))
    examples = gathered(folder, study_store, stored)
    notes = {one.row: one.note for one in examples if one.note}
    assert notes == {9: "row 9: the file cat.png is not there"}
    assert all(one.texts[1] for one in examples if one.row != 9)
    again = gathered(folder, replace(study_store, origin=Album()), stored)
    assert not any(one.note for one in again)


def test_embeddings_alone_are_named_by_their_rows_and_numbers(case):
    names = np.array([f"q{row}" for row in range(N)])
    examples = gathered(*case(None, id=names, label=np.arange(N) - 1, answer=None))
    one = examples[0]
    assert (one.row, one.id, one.label, one.answer, one.probability) == (8, "q8", "7", None, None)
    assert one.pictures == one.texts == (None, None)
    assert next(one for one in examples if one.row == 0).label is None  # −1: none is right


def test_without_rows_there_is_no_file(case):
    folder, study_store, stored = case(Album())
    gathered(folder, study_store, stored)
    bare = {
        place: StoredEvidence(replace(one.evidence, rows=None), one.sample)
        for place, one in stored.items()
    }
    assert gathered(folder, study_store, bare) == []
    assert not (folder / EXAMPLES_FILE).exists()


def test_a_study_writes_its_examples_and_takes_them_up(finished, tmp_path):
    done, _ = finished
    examples = read_examples(done.out)
    assert {(one.model, one.dataset, one.unit) for one in examples} == {("model", "dataset", "bit")}
    most = [one for one in examples if (one.atom, one.modality) == ("unique", "image")]
    assert len(most) == 4
    assert all(one.atoms[1] > 1 and one.atoms[1] == max(one.atoms) for one in most)
    assert len({one.row // 2 for one in most}) == 4  # patients
    shutil.copytree(done.out, tmp_path / "run")
    Study.run(done.model_copy(update={"out": tmp_path / "run"}))
    assert (tmp_path / "run" / EXAMPLES_FILE).read_bytes() == (
        done.out / EXAMPLES_FILE
    ).read_bytes()


def test_a_captures_recording_comes_with_its_rate():
    columns = SimpleNamespace(modalities={"speech": SimpleNamespace(kind="audio")})
    examples = SimpleNamespace(columns=columns, sampling_rate=8000)
    example = Example("1", {"speech": np.zeros(16_000, np.float32), "text": "words"})
    shown = _shown(examples, example)
    assert picture_and_text(shown["speech"])[1] == "a recording of 2.0 s"
    assert shown["text"] == "words"

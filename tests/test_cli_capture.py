"""``capture``, ``inspect`` and ``families``: from a model's folder and a table to a store."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

COLUMNS = ("--column", "image=picture", "--column", "text=name", "--column", "group=block")
CHOICES = ("--candidate", "A", "--candidate", "B")


def test_a_model_and_a_table_become_a_store(run, clip_folder, emoji_rows):
    options = (*COLUMNS, *CHOICES, "--limit", 24, "--redrawn", 6, "--partners", 2, "--out", "s")
    code, out, err = run("capture", clip_folder, emoji_rows.name, *options, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {"store": "s", "rows": 24, "skipped": []}
    code, out, _ = run("capture", clip_folder, emoji_rows.name, *options)
    assert code == 0
    assert out.startswith("24 examples, ")
    code, out, _ = run("inspect", "s")
    assert code == 0
    for words in ("ClipAdapter", "emojis.jsonl", "image/2", "24 × 16", "group/block", "F16",
                  "redrawn/answer", "12 × 2", "do_rescale True"):  # fmt: skip
        assert words in out
    assert json.loads(run("inspect", "s", "--json")[1])["metadata"]["pool"] == "mean"


def test_what_cannot_be_read_stops_or_is_listed(run, clip_folder, emoji_rows, tmp_path):
    (tmp_path / "pictures" / "003.png").write_bytes(b"no picture")
    command = ("capture", clip_folder, emoji_rows.name, *COLUMNS, "--limit", 120, "--out", "s")
    code, out, err = run(*command, "--layers", 1)
    assert (code, out) == (2, "")
    assert "row '3', column 'picture': it is no picture" in err
    assert "with on_error='skip' (--on-error)" in err
    code, out, _ = run(*command, "--layers", 1, "--on-error", "skip")
    assert code == 0
    assert "119 examples" in out
    assert "1 skipped, the first 3: " in out
    code, out, _ = run("inspect", "s")
    assert "skipped 3: " in out


def test_a_damaged_store_is_refused(run, clip_folder, emoji_rows, tmp_path):
    run("capture", clip_folder, emoji_rows.name, *COLUMNS, "--limit", 8, "--out", "s", "--json")
    arrays = tmp_path / "s" / "part-00000.safetensors"
    content = bytearray(arrays.read_bytes())
    content[-1] ^= 1
    arrays.write_bytes(content)
    code, _, err = run("inspect", "s")
    assert code == 2
    assert "is not what was written: its checksum is" in err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--on-error", "skp"), "on_error: give 'stop' or 'skip', not 'skp'; did you mean 'skip'"),
        (("--layers", "1,two"), "layers.1: give a whole number, not 'two' (--layers)"),
        (("--layers", "9"), "the model has no layer 9; it has 0 to 2"),
        (
            ("--batch-size", "many"),
            "batch_size: give a whole number or 'auto', not 'many' (--batch-size)",
        ),
        (("--pool", "means"), "not 'means'; did you mean 'mean'? (--pool)"),
        (("--dtype", "int8"), "dtype: give 'float16', 'float32' or 'bfloat16', not 'int8'"),
        (("--device", "cuda:9"), "the device 'cuda:9' cannot be used"),
        (("--column", "image"), "is not of the form role=column"),
        (("--column", "image=photo"), "there is no column 'photo'; the columns are"),
        (("--limit", "0"), "the limit is 0"),
        (("--split", "train"), "has no splits"),
        (("--adapter", "nowhere:Mine"), "the adapter 'nowhere:Mine' cannot be imported"),
    ],
)
def test_every_mistake_is_one_sentence(run, clip_folder, emoji_rows, options, words):
    given = options if options[0] == "--column" else (*COLUMNS, *options)
    code, out, err = run("capture", clip_folder, emoji_rows.name, *given, "--out", "s")
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert words in err


def test_a_folder_that_is_no_model_is_refused(run, emoji_rows, tmp_path):
    code, _, err = run("capture", tmp_path, emoji_rows.name, *COLUMNS, "--out", "s")
    assert code == 2
    assert "cannot be loaded" in err


def test_families_says_where_modalities_meet(run):
    code, out, _ = run("families")
    assert code == 0
    assert "docs/adapters.md" in out
    listed = json.loads(run("families", "--json")[1])
    assert {"clip", "llava", "qwen3_vl", "whisper", "BlipForQuestionAnswering"} <= listed.keys()
    assert all(family["fusion"] for family in listed.values())


def test_a_prompt_and_answers_are_flags_as_well(run, clip_folder, emoji_rows):
    columns = ("--column", "image=picture", "--column", "label=answer", "--column", "group=block")
    asked = ("--prompt", "{name} {answer}", "--candidate", "A", "--only-candidates")
    command = ("capture", clip_folder, emoji_rows.name, *columns, *asked, "--out")
    code, out, err = run(*command, "s", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["rows"] == 60
    code, out, _ = run(*command, "t", "--answer", "B=A", "--json")
    assert (code, json.loads(out)["rows"]) == (0, 120)
    code, _, err = run(*command, "u", "--answer", "B")
    assert code == 2
    assert "--answer 'B' is not of the form value=candidate: 1=yes; or letters alone" in err
    code, _, err = run(*command, "u", "--column", "text=name")
    assert code == 2
    assert "text is the column 'name', and there is a prompt" in err
    # Letters are of whole numbers; what is a letter stays one.
    code, out, _ = run(*command, "v", "--answer", "letters", "--json")
    assert (code, json.loads(out)["rows"]) == (0, 60)


def test_what_a_capture_counted_is_in_inspect(run, clip_folder, emoji_rows):
    run("capture", clip_folder, emoji_rows.name, *COLUMNS, *CHOICES, "--limit", 8, "--out", "s")
    rows = [json.loads(line) for line in emoji_rows.read_text().splitlines()]
    long = [row | {"name": "no " * 30, "answer": "C"} for row in rows[:5]] + rows[5:12]
    emoji_rows.write_text("".join(json.dumps(row) + "\n" for row in long))
    options = (*COLUMNS, *CHOICES, "--column", "label=answer", "--out", "t")
    run("capture", clip_folder, emoji_rows.name, *options)
    code, out, _ = run("inspect", "t")
    assert code == 0
    assert f"as the model was given it:\n{' '.join(['no'] * 16)}\n" in out
    assert "5 of 12 texts are longer than the model reads and were cut to 16 tokens" in out
    assert "5 of 12 labels are none of the candidates (the commonest: 'C')" in out
    notices = json.loads(run("inspect", "t", "--json")[1])["notices"]
    assert (notices["texts_cut"], notices["labels_unmatched"]) == (5, 5)


def test_a_mistyped_model_is_said_before_the_dataset_is_opened(run, clip_folder):
    wrong = clip_folder.parent / "tiny-clp"
    code, out, err = run("capture", wrong, "no-such-data.jsonl", "--out", "s")
    assert (code, out) == (2, "")
    assert "cannot be loaded: there is no such folder; did you mean" in err
    assert "tiny-clip'?" in err


def test_an_answer_that_is_given_twice_is_refused(run, clip_folder, emoji_rows):
    flags = ("--answer", "1=A", "--answer", "1=B", *CHOICES, "--out", "s")
    code, _, err = run("capture", clip_folder, emoji_rows.name, *flags)
    assert code == 2
    assert "--answer 1 is given twice, with different candidates" in err


@pytest.mark.parametrize("harm", ["a\x1b[2Jb", "[" * 100_000, json.dumps([[["x"] * 3] * 3])])
def test_inspect_prints_what_a_stranger_wrote_as_plain_text(run, tmp_path, monkeypatch, harm):
    monkeypatch.chdir(tmp_path)
    save_file({"image": np.ones((2, 3))}, "x.safetensors", {"model": harm})
    code, out, _ = run("inspect", "x.safetensors")
    assert code == 0
    assert "\x1b[2J" not in out
    assert "2 × 3" in out

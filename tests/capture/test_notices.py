"""What a capture counts beside its states, and where it is kept."""

import json
import logging
import shutil

import numpy as np
import pytest
import torch
from torch import nn

import modalprism as mp
from modalprism.capture.generic import ModuleAdapter
from modalprism.capture.loading import load_adapter
from modalprism.capture.notices import Notices, ShardNotices, notices_in
from modalprism.capture.run import RunConfig, run_capture
from modalprism.capture.shards import is_finished, read_notices
from modalprism.capture.store import EmbeddingStore
from modalprism.datasets.dataset import Example
from modalprism.errors import InputError

SMALL = RunConfig(shard_rows=3, batch_size=2, dtype="float32")


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def long_examples(emoji_examples):
    """Eight pictures; the texts of the first, fourth and fifth are longer than CLIP's 16 tokens."""
    texts = [f"{'no ' * 20}{n}" if n in {0, 3, 4} else "yes no" for n in range(8)]
    return [
        Example(f"e{n}", e.inputs | {"text": text}, ("yes", "no", "perhaps", 0)[n % 4])
        for n, (e, text) in enumerate(zip(emoji_examples, texts, strict=True))
    ]


def captured(folder, examples, out, config=SMALL):
    adapter = load_adapter(folder, candidates=("yes", "no"))
    return run_capture(adapter, examples, out, metadata={}, config=config)


def test_a_store_counts_cut_texts_and_labels_that_match_nothing(
    clip_folder, long_examples, tmp_path
):
    store = captured(clip_folder, long_examples, tmp_path / "s")
    notices = notices_in(store.metadata)
    assert (notices.rows, notices.texts_cut, notices.text_tokens) == (8, 3, 16)
    assert (notices.labels, notices.labels_unmatched) == (8, 4)
    assert notices.commonest_unmatched == ("perhaps", "0")
    assert notices.prompt == " ".join(["no"] * 16)
    assert read_notices(store.path) == notices


def test_notices_are_the_same_whatever_the_batches_and_after_a_kill(
    clip_folder, long_examples, tmp_path
):
    captured(clip_folder, long_examples, tmp_path / "s")
    captured(clip_folder, long_examples, tmp_path / "t", RunConfig(batch_size=8))
    assert read_notices(tmp_path / "s") == read_notices(tmp_path / "t")
    shutil.copytree(tmp_path / "s", tmp_path / "u")
    for name in ("finished.json", "part-00001.parquet"):
        (tmp_path / "u" / name).unlink()
    assert read_notices(tmp_path / "u") == Notices()
    captured(clip_folder, long_examples, tmp_path / "u")
    assert bytes_of(tmp_path / "u") == bytes_of(tmp_path / "s")


def test_the_prompt_is_that_of_the_first_example_that_is_kept(clip_folder, long_examples, tmp_path):
    class Broken(dict):
        def __getitem__(self, name):
            raise InputError("it is broken")

    settings = RunConfig(shard_rows=1, batch_size=1, on_error="skip")
    given = [Example("b", Broken()), *long_examples[1:]]
    captured(clip_folder, given, tmp_path / "s", settings)
    assert read_notices(tmp_path / "s").prompt == "yes no"


def test_a_store_of_before_has_no_notices_and_is_finished(clip_folder, long_examples, tmp_path):
    store = captured(clip_folder, long_examples, tmp_path / "s")
    (store.path / "finished.json").write_text(json.dumps({"rows": 8, "skipped": 0}))
    assert is_finished(store.path)
    assert read_notices(store.path) == Notices()
    (store.path / "finished.json").write_text(json.dumps({"rows": 7, "skipped": 0}))
    assert not is_finished(store.path)


def test_candidates_that_are_unknown_or_the_same_are_named(clip_folder, emoji_examples, tmp_path):
    adapter = load_adapter(clip_folder, candidates=("yes", "dax", "wug"))
    store = run_capture(adapter, emoji_examples, tmp_path / "s", metadata={}, config=SMALL)
    notices = notices_in(store.metadata)
    assert notices.unknown_candidates == notices.same_candidates == ("dax", "wug")
    assert "The tokenizer does not know the candidates 'dax', 'wug'" in notices.sentences()[0]


REFUSED = {
    ("dax", "wug"): "knows none of the candidates 'dax', 'wug': .* unknown words, <unk>",
    ("dax wug", "wug"): "knows none of the candidates 'dax wug', 'wug'",
    ("dax",): "knows none of the candidates 'dax'",
    ("yes dax", "yes wug"): "are the same tokens to the model",
    (f"{'no ' * 20}yes", f"{'no ' * 20}no"): "are the same tokens to the model",
}


@pytest.mark.parametrize("candidates", list(REFUSED), ids=lambda names: names[0][:9])
def test_candidates_that_do_not_reach_the_model_are_refused(
    clip_folder, emoji_examples, tmp_path, candidates
):
    unlabelled = [example.inputs for example in emoji_examples]
    with pytest.raises(InputError, match=REFUSED[candidates]):
        mp.capture(clip_folder, None, unlabelled, out=tmp_path / "s", candidates=candidates)
    assert not list((tmp_path / "s").glob("*.json"))


@pytest.mark.parametrize("candidates", [("yes dax", "no dax"), ("yes", "dax"), ("yes",)])
def test_candidates_that_differ_are_asked_for(clip_folder, emoji_examples, tmp_path, candidates):
    adapter = load_adapter(clip_folder, candidates=candidates)
    run_capture(adapter, emoji_examples, tmp_path / "s", metadata={}, config=SMALL)


def test_notices_of_another_kind_are_read_as_none():
    wrong = {"texts_cut": "many", "same_layers": [1], "prompt": 3, "other": 1}
    assert Notices.read(wrong) == Notices(same_layers=(1,))
    assert Notices.read(None) == Notices.read([1]) == notices_in({"notices": "{"}) == Notices()


def test_parts_are_added_up():
    parts = [
        ShardNotices(1, 7, {"0": 2, "1": 3}),
        ShardNotices(0, 0, {"0": 2}, "a"),
        ShardNotices(),
    ]
    assert ShardNotices.summed(parts) == ShardNotices(1, 7, {"0": 4, "1": 3}, "a")
    notices = Notices.of(4, parts, [], {})
    assert notices.same_layers == (0,)
    (said,) = notices.sentences()[1:]
    assert "Both modalities have the same states in all rows at layer 0" in said
    assert Notices(rows=5, labels=3, prompt="x").sentences() == []


class Same(nn.Module):
    """Two modules that give their input back."""

    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Identity(), nn.Identity()

    def forward(self, x):
        return (self.one(x) + self.other(x)).softmax(1)


def same_adapter(**options):
    def prepare(examples):
        return {"x": torch.stack([torch.as_tensor(e.inputs["x"]) for e in examples])}

    return ModuleAdapter(
        Same(), prepare, {"image": ["one"], "text": ["other"]}, answer=lambda y: y, **options
    )


def numbers(n=40, **more):
    rng = np.random.default_rng(0)
    return [{"x": rng.normal(size=2).astype(np.float32), **more} for _ in range(n)]


def test_one_array_for_two_modalities_is_said_and_no_study_reads_it(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "modalprism.capture"):
        store = mp.capture(same_adapter(), None, numbers(), out=tmp_path / "s")
    assert notices_in(store.metadata).same_layers == (0,)
    assert "s: Both modalities have the same states" in caplog.text
    study = mp.Study(sources=[{"path": store.path}], out=tmp_path / "run", workers=1)
    with pytest.raises(InputError, match="the same array for image and text at layer 0, so that"):
        study.run()


def test_labels_none_of_which_is_a_candidate_are_refused(tmp_path):
    adapter = same_adapter(candidates=("yes", "no"))
    with pytest.raises(InputError, match=r"no label is one of the candidates yes, no; .* 'cat'"):
        mp.capture(adapter, None, numbers(label="cat"), out=tmp_path / "s")
    assert not (tmp_path / "s" / "store.json").exists()
    with pytest.raises(InputError, match=r"no label is one of the candidates yes, no; .* 'cat'"):
        mp.capture(adapter, None, iter(numbers(label="cat")), out=tmp_path / "t")
    assert is_finished(tmp_path / "t")  # of a stream it is known at the end, and nothing is lost


def test_examples_of_ones_own_have_labels_and_groups_as_datasets_have(tmp_path):
    given = numbers(4, groups={"patient": np.int64(7)})
    labels = ("Yes.", "NO", np.str_("yes"), "no")
    given = [one | {"label": label} for one, label in zip(given, labels, strict=True)]
    store = mp.capture(same_adapter(candidates=("yes", "no")), None, given, out=tmp_path / "s")
    assert store.array("label").tolist() == ["yes", "no", "yes", "no"]
    assert store.groups()["patient"].tolist() == ["7"] * 4


@pytest.mark.parametrize("empty", ["", " ", float("nan"), np.nan, None])
def test_empty_labels_and_groups_of_ones_own_are_missing(tmp_path, empty):
    given = [one | {"label": label} for one, label in zip(numbers(2), ("yes", empty), strict=True)]
    with pytest.raises(InputError, match="'1' lacks a label, which others have"):
        mp.capture(same_adapter(), None, given, out=tmp_path / "s")
    store = mp.capture(same_adapter(), None, numbers(3, label=empty), out=tmp_path / "t")
    assert "label" not in EmbeddingStore.open(store.path).names
    with pytest.raises(InputError, match="the example '0': its group in column 'patient' is"):
        mp.capture(same_adapter(), None, numbers(3, groups={"patient": empty}), out=tmp_path / "u")


def test_examples_with_other_groups_are_refused(tmp_path):
    given = [*numbers(2, groups={"patient": 1}), *numbers(1)]
    with pytest.raises(InputError, match="'2' has the groups none, and others patient"):
        mp.capture(same_adapter(), None, given, out=tmp_path / "s")


def test_a_label_that_is_no_word_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"the example '0': its label is 0\.5; a label is a word"):
        mp.capture(same_adapter(), None, numbers(2, label=0.5), out=tmp_path / "s")

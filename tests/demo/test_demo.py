"""The demo, end to end: real pictures, real encoders, a trained network, a known answer."""

import numpy as np
import pytest
import torch

from modalprism.demo import fusion_network as checkpoints
from modalprism.demo import input as demo_input
from modalprism.demo.fusion_network import FusionNetwork
from modalprism.demo.input import EmojiInput, demo_study
from modalprism.demo.questions import QUESTIONS, load_emojis, observed_pairs, split
from modalprism.errors import InputError
from modalprism.studies.study import Study


def test_the_demo_is_every_fusion_question_and_view(tmp_path):
    study = demo_study(tmp_path, seed=3)
    (source,) = study.sources
    assert source.fusions == ("concat", "cross_attention", "late")
    assert source.questions == ("kind", "pictured", "named", "match")
    assert study.views == ("answer", "stream")
    assert study.pairs == ("observed", "redrawn")
    assert study.seed == 3
    models, datasets = source.descriptions()
    assert list(models) == list(source.fusions)
    assert datasets["match"] == "does the name belong to the picture?"
    assert any("this project's own" in note for note in source.notes())
    assert any("CC-BY 4.0" in note for note in source.notes())


def test_a_seed_that_is_none_is_refused(tmp_path):
    with pytest.raises(InputError, match="seed: give a number of at least 0"):
        demo_study(tmp_path, seed=-1)


def test_a_missing_checkpoint_is_said_before_anything_is_encoded(tmp_path, monkeypatch):
    monkeypatch.setenv("MODALPRISM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(checkpoints, "checkpoint_folder", lambda: tmp_path / "none")
    with pytest.raises(InputError, match=r"concat\.safetensors is missing; .*train\.py"):
        demo_study(tmp_path / "run").run()
    assert not (tmp_path / "cache").exists()


def test_other_checkpoints_are_read_from_their_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MODALPRISM_CACHE", str(tmp_path / "cache"))
    (tmp_path / "study.yaml").write_text(
        "sources: [{kind: emoji_questions, fusions: [gated], checkpoints: weights}]"
    )
    study = Study.from_yaml(tmp_path / "study.yaml")
    (source,) = study.sources
    assert source.checkpoints == tmp_path / "weights"
    assert list(source.descriptions()[0]) == ["gated"]
    with pytest.raises(InputError, match=r"weights/gated\.safetensors is missing"):
        study.run()
    assert not (tmp_path / "cache").exists()


def test_other_weights_are_captured_anew(tmp_path):
    emojis = load_emojis()
    pairs = observed_pairs(QUESTIONS["match"], emojis, split(emojis)[1])
    keys = {EmojiInput(kind="emoji_questions")._key("late", pairs, 0)}
    for seed in (0, 1):
        torch.manual_seed(seed)
        folder = tmp_path / str(seed)
        checkpoints.save_checkpoint(
            folder / "late.safetensors", FusionNetwork(checkpoints.CONFIGS["late"])
        )
        source = EmojiInput(kind="emoji_questions", checkpoints=folder)
        keys.add(source._key("late", pairs, 0))
    assert len(keys) == 3


@pytest.mark.slow
def test_a_network_that_is_asked_of_the_picture_reads_the_picture(tmp_path, monkeypatch):
    monkeypatch.setenv("MODALPRISM_CACHE", str(tmp_path / "cache"))
    train, held_out = split(load_emojis())
    fewer = np.sort(np.random.default_rng(0).permutation(held_out)[:320])
    monkeypatch.setattr(demo_input, "split", lambda _emojis: (train, fewer))
    study = Study(
        sources=(
            EmojiInput(
                kind="emoji_questions",
                fusions=("concat",),
                questions=("pictured",),
                redrawn_examples=24,
                redrawn_partners=8,
            ),
        ),
        views=("answer", "stream"),
        layers=(0,),
        pairs=("observed", "redrawn"),
        workers=1,
        replicates=200,
        out=tmp_path / "run",
    )
    profile = study.run()
    frame = profile.frame

    def read(pairs, quantity, modality=None):
        rows = frame[(frame["pairs"] == pairs) & (frame["quantity"] == quantity)]
        rows = rows[rows["view"] == "answer"]
        if modality:
            rows = rows[rows["modality"] == modality]
        return rows["value"].item()

    assert read("observed", "contribution", "image") >= 0.9
    assert read("redrawn", "contribution", "image") >= 0.9
    assert set(study.sources[0].notes()) <= set(profile.manifest["notes"])
    assert read("observed", "unique", "image") > 1
    assert abs(read("observed", "unique", "text")) < 0.1
    assert read("observed", "accuracy") > 3 * read("observed", "chance")
    assert 0.4 < read("observed", "recovered") <= 1
    assert (frame["n"] == 640)[frame["pairs"] == "observed"].all()

    # What was captured is taken up: no picture is encoded again, no run repeated.
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert study.run().frame.equals(frame)
    kept = [path for path in before if {"cache", "store", "analyses"} & set(path.parts)]
    (store,) = (study.out / "store").glob("concat-pictured-*")
    stored = [path for path in kept if store in path.parents]
    assert len(kept) == 2 * 2 + len(stored) + 2 * 3  # features of the encoders, a capture, analyses
    assert all(path.stat().st_mtime_ns == before[path] for path in kept)
    assert set(tmp_path.rglob("*")) >= set(before)

    # A damaged capture is refused, with what to do.
    part = next(store.glob("part-*.safetensors"))
    part.write_bytes(part.read_bytes()[:1000])
    with pytest.raises(InputError, match="capture again"):
        study.run(fresh=True)

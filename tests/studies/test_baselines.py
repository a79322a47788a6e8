"""Baselines beside a study: on the same examples, each once, and none stops another."""

import json
import re

import pandas as pd
import pytest
import yaml

from modalprism.baselines import BASELINES
from modalprism.baselines.ablation import ModalityAblation
from modalprism.demo import input as demo_input
from modalprism.demo.questions import load_emojis, split
from modalprism.errors import InputError
from modalprism.studies.baselines import BASELINES_FILE, read_baselines
from modalprism.studies.study import Study

CHEAP = ["ablation", "attention", "intershap"]


@pytest.fixture(scope="module")
def few_emojis(tmp_path_factory):
    """Let the demo's pairs be those of every fifth held-out emoji."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODALPRISM_CACHE", str(tmp_path_factory.mktemp("cache")))
        train, held_out = split(load_emojis())
        patch.setattr(demo_input, "split", lambda _emojis: (train, held_out[::5]))
        yield


@pytest.fixture(scope="module")
def study_of(few_emojis, tmp_path_factory):  # noqa: ARG001
    """Write a study of the demo, and read it; its folder is the same for all of a module."""
    folder = tmp_path_factory.mktemp("study")

    def make(fusions=("concat", "late"), **options):
        source = {
            "kind": "emoji_questions", "fusions": list(fusions), "questions": ["match"],
            "redrawn_examples": 8, "redrawn_partners": 4,
        }  # fmt: skip
        content = {
            "sources": [source], "replicates": 20, "permutations": 9, "workers": 1, "folds": 3,
            "out": "run",
        }  # fmt: skip
        (folder / "study.yaml").write_text(yaml.safe_dump(content | options), "utf-8")
        return Study.from_yaml(folder / "study.yaml")

    return make


@pytest.fixture(scope="module")
def done(study_of):
    """Run one that asks for three baselines on thirty examples, and return all it said."""
    said = []
    study = study_of(baselines={"names": CHEAP, "examples": 30})
    profile = study.run(announce=said.append)
    return study, profile, said, yaml.safe_load((study.out / "study.yaml").read_text("utf-8"))


def test_every_baseline_stands_in_one_table(done):
    study, *_ = done
    frame = read_baselines(study.out)
    assert set(frame["baseline"][frame["model"] == "concat"]) == set(CHEAP)
    assert set(frame["n"]) == {30}
    assert set(frame["dataset"]) == {"match"}
    headlines = frame[frame["headline"]].groupby("baseline")["quantity"].unique()
    assert headlines["intershap"].tolist() == ["interaction", "main effect"]
    assert not frame[frame["baseline"] == "intershap"]["share"].any()


def test_one_that_cannot_score_a_model_is_left_out_and_said(done):
    study, profile, *_ = done
    frame = read_baselines(study.out)
    assert set(frame["baseline"][frame["model"] == "late"]) == {"ablation", "intershap"}
    (sentence,) = profile.manifest["baselines"]["left_out"]
    assert sentence.startswith("Attention mass of late on match: ")


def test_the_cost_is_said_before_anything_runs(done):
    _, _, said, _ = done
    assert len(said) == 2
    # One pass and two modalities' five replacements, but blank, of which emojis' numbers have none.
    assert said[0].startswith("concat on match, 30 examples: ablation 270, attention 30, ")
    assert re.search(r"; 420 passes, at least \d+ \w+ at [\d.]+ ms a pass$", said[0])


def test_what_was_scored_is_taken_up_again(done, study_of, monkeypatch):
    study, *_ = done
    before = read_baselines(study.out)

    def never(*_arguments, **_options):
        raise AssertionError("nothing is left to score")

    monkeypatch.setattr(ModalityAblation, "score", never)
    study.run(announce=never)
    pd.testing.assert_frame_equal(read_baselines(study.out), before)
    # Another number of examples is another question.
    with pytest.raises(AssertionError, match="nothing is left"):
        study_of(baselines={"names": ["ablation"], "examples": 20}).run()


def test_a_damaged_result_is_scored_again(done):
    study, *_ = done
    before = read_baselines(study.out)
    for path in (study.out / "baselines").glob("concat-match-intershap-*.json"):
        path.write_text(path.read_text("utf-8")[:40], "utf-8")
    study.run()
    again = read_baselines(study.out)
    columns = [name for name in before.columns if name != "seconds"]
    pd.testing.assert_frame_equal(again[columns], before[columns])


def test_a_library_that_was_missing_is_looked_for_again(done, monkeypatch):
    study, *_ = done

    def missing(*_arguments, **_options):
        raise InputError("it needs a library") from ImportError("no library")

    with monkeypatch.context() as patch:
        patch.setattr(ModalityAblation, "score", missing)
        patch.setattr(ModalityAblation, "version", 99)
        left_out = study.run().manifest["baselines"]["left_out"]
        assert "Modality ablation of concat on match: it needs a library" in left_out
    monkeypatch.setattr(ModalityAblation, "version", 99)
    left_out = study.run().manifest["baselines"]["left_out"]
    assert not any("library" in sentence for sentence in left_out)


def test_without_baselines_there_is_no_file(study_of, done):  # noqa: ARG001
    study = study_of(fusions=["concat"])
    study.run()
    assert not (study.out / BASELINES_FILE).exists()
    assert read_baselines(study.out).empty


def test_embeddings_alone_cannot_be_scored(make_study):
    study = Study.from_yaml(make_study(baselines="all"))
    profile = study.run()
    assert read_baselines(study.out).empty
    (sentence,) = profile.manifest["baselines"]["left_out"]
    assert "baselines run the model" in sentence


def test_a_name_that_is_none_is_said_at_once(make_study):
    with pytest.raises(InputError, match=r"baselines\.0: there is no baseline 'shap'.*mm_shap"):
        Study.from_yaml(make_study(baselines=["shap"]))
    with pytest.raises(InputError, match=r"baselines\.examples: .*give a number of at least 2"):
        Study.from_yaml(make_study(baselines={"examples": 1}))


def test_a_damaged_table_is_a_sentence(tmp_path):
    (tmp_path / BASELINES_FILE).write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"cannot be read: .*; if it is damaged, run the study"):
        read_baselines(tmp_path)
    pd.DataFrame({"model": ["a"]}).to_parquet(tmp_path / BASELINES_FILE)
    with pytest.raises(InputError, match="lacks columns of baselines"):
        read_baselines(tmp_path)


def test_the_study_keeps_what_was_asked(done):
    _, profile, _, written = done
    assert written["baselines"] == {"names": CHEAP, "examples": 30}
    assert json.loads(json.dumps(profile.manifest))["timings"]["baselines"] >= 0


def test_names_may_be_given_for_one_run(study_of):
    study = study_of(baselines={"names": CHEAP, "examples": 30})
    assert study.with_baselines("all").baselines.names == tuple(BASELINES.names())
    assert study.with_baselines("paper, ablation").baselines.model_dump() == {
        "names": ("paper", "ablation"),
        "examples": 30,
    }
    with pytest.raises(InputError, match=r"baselines: names\.0: there is no baseline ''"):
        study.with_baselines("")

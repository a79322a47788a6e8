"""Studies: written down, run, resumed; the same study gives the same bytes."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from modalprism.errors import InputError
from modalprism.results.quantities import BY_NAME
from modalprism.results.table import COLUMNS
from modalprism.studies.evidence_store import AnalysisKey, read_evidence, write_evidence
from modalprism.studies.profile import Profile
from modalprism.studies.study import Study

MOST = {"views": ["answer", "stream", "encoding"], "pairs": ["observed", "redrawn"]}


def analyses(study):
    return {path.name: path.read_bytes() for path in (study.out / "analyses").glob("*.json")}


def times(study):
    return {path.name: path.stat().st_mtime_ns for path in (study.out / "analyses").glob("*.json")}


def read(frame, *where):
    """Return the one value of a view, kind of pairs, layer and quantity."""
    keys = ["view", "pairs", "layer", "quantity"]
    return frame.loc[frame[keys].apply(tuple, axis=1) == where, "value"].item()


def test_a_run_leaves_its_files_and_no_others(finished):
    study, profile = finished
    assert {path.name for path in study.out.iterdir()} == {
        "analyses",
        "evidence.safetensors",
        "examples.parquet",
        "study.yaml",
        "profile.parquet",
        "manifest.json",
        "run-status.json",
        ".lock",
    }
    assert len(analyses(study)) == 5
    assert len(list((study.out / "analyses").iterdir())) == 2 * 5
    pd.testing.assert_frame_equal(Profile.read(study.out).frame, profile.frame)
    assert Profile.read(study.out).manifest == profile.manifest


def test_the_profile_has_every_view_once(finished):
    frame = finished[1].frame
    assert list(frame.columns) == list(COLUMNS)
    assert set(frame["quantity"]) <= set(BY_NAME)
    keys = ["model", "dataset", "view", "pairs", "layer"]
    parts = [tuple(part) for part in frame[keys].drop_duplicates().to_numpy().tolist()]
    assert parts == [
        ("model", "dataset", "answer", "observed", -1),
        ("model", "dataset", "answer", "redrawn", -1),
        ("model", "dataset", "stream", "observed", 0),
        ("model", "dataset", "stream", "observed", 1),
        ("model", "dataset", "encoding", "observed", 1),
    ]
    assert not frame.duplicated([*keys, "quantity", "modality"]).any()
    names = frame.set_index(["view", "layer"])["layer_name"].to_dict()
    assert names == {
        ("answer", -1): "whole model",
        ("stream", 0): "before fusion",
        ("stream", 1): "layer 1",
        ("encoding", 1): "layer 1",
    }


def test_atoms_sum_to_the_information_in_every_part(finished):
    frame = finished[1].frame
    parts = frame.groupby(["view", "pairs", "layer"])
    assert len(parts) == 5
    for _, part in parts:
        value = part.groupby("quantity")["value"].sum()
        atoms = value["redundancy"] + value["unique"] + value["synergy"]
        assert atoms == pytest.approx(value["information"], abs=1e-9)


def test_the_views_say_what_they_are_about(finished):
    frame = finished[1].frame
    target = frame.drop_duplicates(["view"]).set_index("view")["target"]
    assert target["answer"] == "the model's answer"
    assert target["stream"] == "label"
    assert target["encoding"].startswith("the fused state, ")
    image = frame[frame["modality"] == "image"]
    assert read(image, "answer", "observed", -1, "contribution") > 0.95
    assert read(image, "answer", "redrawn", -1, "contribution") > 0.95
    # Mixed, both streams know the label: what was unique before is redundant.
    before, after = (read(frame, "stream", "observed", i, "redundancy") for i in (0, 1))
    assert after > before + 0.5
    assert read(frame, "answer", "observed", -1, "accuracy") > 0.9
    assert 1 / 3 < read(frame, "answer", "observed", -1, "chance") < 0.5
    assert 0 <= read(frame, "encoding", "observed", 1, "code_sensitivity") < 1
    assert "code_sensitivity" not in set(frame.loc[frame["view"] != "encoding", "quantity"])


def test_every_ratio_comes_with_its_complement(finished):
    frame = finished[1].frame
    assert set(frame["quantity"]) >= {"imbalance", "redundancy_fraction", "synergy_fraction"}
    for _, part in frame.groupby(["view", "pairs", "layer"]):
        value = part.groupby("quantity")["value"].sum(min_count=1)
        fractions = [name for name in value.index if name.endswith("_fraction")]
        assert len(fractions) == 3
        if math.isfinite(value["share"]):
            assert value[fractions].sum() == pytest.approx(1)
        one, other = part.loc[part["quantity"] == "contribution", "value"]
        assert value["imbalance"] == pytest.approx(abs(one - other), nan_ok=True)


def test_q_values_are_those_of_the_layers(finished):
    frame = finished[1].frame
    assert (frame["q_value"].isna() == frame["p_value"].isna()).all()
    alone = frame[frame["view"] == "answer"]
    pd.testing.assert_series_equal(alone["q_value"], alone["p_value"], check_names=False)
    stream = frame[(frame["view"] == "stream") & (frame["quantity"] == "information")]
    assert len(stream) == 2
    assert stream["q_value"].tolist() == pytest.approx([stream["p_value"].max()] * 2)


def test_the_manifest_says_how_it_was_made(finished):
    study, profile = finished
    manifest = profile.manifest
    assert manifest["modalities"] == ["image", "text"]
    assert manifest["seed"] == 0
    assert manifest["estimator"] == {
        "name": "posterior",
        "folds": 5,
        "replicates": 50,
        "permutations": 19,
        "effort": "fast",
        "base": 2,
    }
    assert len(manifest["stores"]["model/dataset"]) == 64
    assert {"modalprism", "torch", "numpy", "python"} <= set(manifest["versions"])
    json.dumps(manifest, allow_nan=False)
    assert profile.modalities == study.modalities


@pytest.mark.slow
def test_a_second_run_takes_the_analyses_up(make_study):
    study = Study.from_yaml(make_study(**MOST))
    study.run()
    before, when = (study.out / "profile.parquet").read_bytes(), times(study)
    study.run()
    assert times(study) == when
    assert (study.out / "profile.parquet").read_bytes() == before
    study.run(fresh=True)
    assert set(times(study)) == set(when)
    assert not set(times(study).values()) & set(when.values())
    assert (study.out / "profile.parquet").read_bytes() == before


@pytest.mark.parametrize("damage", ["deleted", "truncated", "empty", "of another kind"])
def test_an_analysis_that_was_lost_is_done_again_to_the_same_bytes(finished, tmp_path, damage):
    done, _ = finished
    shutil.copytree(done.out, tmp_path / "run")
    study = done.model_copy(update={"out": tmp_path / "run"})
    expected = analyses(study)
    lost = next(path for path in (study.out / "analyses").glob("*.json") if "stream" in path.name)
    if damage == "deleted":
        lost.unlink()
    else:
        content = lost.read_bytes()
        lost.write_bytes({"truncated": content[:-10], "empty": b""}.get(damage, b"{}"))
    when = times(study)
    study.run()
    assert analyses(study) == expected
    assert {name for name, time in times(study).items() if when.get(name) != time} == {lost.name}
    for name in ("profile.parquet", "evidence.safetensors"):
        assert (study.out / name).read_bytes() == (done.out / name).read_bytes()


@pytest.mark.parametrize("damage", ["deleted", "truncated"])
def test_evidence_that_was_lost_is_made_again(finished, tmp_path, damage):
    done, _ = finished
    shutil.copytree(done.out, tmp_path / "run")
    lost = next(path for path in (tmp_path / "run" / "analyses").glob("*stream*.safetensors"))
    expected = lost.read_bytes()
    if damage == "deleted":
        lost.unlink()
    else:
        lost.write_bytes(expected[:-10])
    done.model_copy(update={"out": tmp_path / "run"}).run()
    assert lost.read_bytes() == expected


def test_evidence_is_found_by_its_place(finished):
    study, profile = finished
    stored = read_evidence(study.out)
    places = profile.frame[["model", "dataset", "view", "pairs", "layer"]].drop_duplicates()
    assert set(stored) == {AnalysisKey(*place) for place in places.itertuples(index=False)}
    observed = [one for place, one in stored.items() if place.pairs == "observed"]
    assert len({one.sample for one in observed}) == 1
    assert {one.evidence.resampled.shape for one in stored.values()} == {(4, 50)}
    with_rows = {place.view for place, one in stored.items() if one.evidence.rows is not None}
    assert with_rows == {"answer"}
    (study.out / "evidence.safetensors").rename(study.out / "elsewhere")
    try:
        with pytest.raises(InputError, match=r"has no evidence\.safetensors"):
            read_evidence(study.out)
    finally:
        (study.out / "elsewhere").rename(study.out / "evidence.safetensors")


@pytest.mark.slow
def test_two_workers_give_the_same_bytes_as_one_with_many_threads(finished, make_study):
    done, _ = finished
    study = Study.from_yaml(make_study(**MOST, workers=2))
    study.run()
    expected = list(analyses(study).values())
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        alone = study.model_copy(update={"workers": 1, "out": study.out / "alone"})
        alone.run()
    finally:
        torch.set_num_threads(before)
    assert list(analyses(alone).values()) == expected
    assert sorted(analyses(done).values()) == sorted(expected)


def test_another_setting_is_another_analysis(finished, tmp_path):
    done, profile = finished
    shutil.copytree(done.out, tmp_path / "run")
    study = done.model_copy(update={"out": tmp_path / "run", "views": ("answer",), "base": 10})
    other = study.run()
    assert len(analyses(study)) == 5 + 2
    assert set(other.frame["unit"]) == {"base-10", "1"}
    for pairs in ("observed", "redrawn"):
        bits = read(profile.frame, "answer", pairs, -1, "information")
        assert read(other.frame, "answer", pairs, -1, "information") == pytest.approx(
            bits * np.log10(2)
        )


@pytest.mark.slow
def test_a_study_may_ask_for_codes(make_study):
    options = {"estimator": "codebook", "views": ["answer", "encoding"]}
    study = Study.from_yaml(make_study(**options, pairs=["observed", "redrawn"]))
    profile = study.run()
    frame = profile.frame
    assert set(frame["estimator"]) == {"codebook", "model"}
    assert set(frame["quantity"]) <= set(BY_NAME)
    observed = frame[(frame["quantity"] == "information") & (frame["estimator"] == "codebook")]
    assert observed["p_value"].tolist() == pytest.approx([1 / 20] * 2)
    assert profile.manifest["estimator"]["name"] == "codebook"
    assert "tables resampled" in profile.manifest["notes"][0]
    assert Study.from_yaml(study.out / "study.yaml") == study


@pytest.mark.slow
def test_a_changed_store_is_analysed_anew(make_study, arrays):
    path = make_study()
    study = Study.from_yaml(path)
    first = study.run()
    np.savez(path.parent / "store.npz", **(arrays | {"image/0": arrays["image/0"][::-1]}))
    second = study.run()
    assert len(analyses(study)) == 2
    assert not first.frame.equals(second.frame)


@pytest.mark.slow
def test_swapping_the_modalities_swaps_the_labels_and_nothing_else(finished, make_study):
    study = Study.from_yaml(make_study(**MOST, modalities=["text", "image"]))
    profile = study.run()
    assert profile.modalities == ("text", "image")
    order = ["view", "pairs", "layer", "quantity", "modality"]
    mine, theirs = (p.frame.sort_values(order, ignore_index=True) for p in (profile, finished[1]))
    pd.testing.assert_frame_equal(mine, theirs, check_exact=True)
    first = profile.frame["modality"].dropna().iloc[0]
    assert first == "text"


def test_the_resolved_study_can_be_run_again(finished, tmp_path):
    done, profile = finished
    content = yaml.safe_load((done.out / "study.yaml").read_text("utf-8"))
    assert content["folds"] == 5
    assert content["sources"][0]["path"].startswith("/")
    again = Study.from_yaml(done.out / "study.yaml")
    assert again == Study.model_validate(content)
    assert again.out == done.out
    other = again.model_copy(update={"out": tmp_path / "other", "views": ("answer",)})
    frame = profile.frame[profile.frame["view"] == "answer"].reset_index(drop=True)
    pd.testing.assert_frame_equal(other.run().frame, frame, check_exact=True)


def test_paths_are_relative_to_the_study_file(make_study, monkeypatch, tmp_path):
    path = make_study()
    monkeypatch.chdir(tmp_path)
    study = Study.from_yaml(path)
    assert study.out == path.parent / "run"
    assert study.sources[0].path == path.parent / "store.npz"
    content = yaml.safe_load(path.read_text("utf-8"))
    del content["out"]
    path.write_text(yaml.safe_dump(content), "utf-8")
    assert Study.from_yaml(path).out == path.parent / "runs" / "study"


def test_the_title_and_the_names_travel(make_study):
    source = {"kind": "embeddings", "path": "store.npz", "model": "a/b", "dataset": "ä b"}
    study = Study.from_yaml(make_study(sources=[source], title="Wer führt?"))
    profile = study.run()
    assert set(profile.frame["model"]) == {"a/b"}
    assert set(profile.frame["dataset"]) == {"ä b"}
    assert Profile.read(study.out).manifest["title"] == "Wer führt?"
    assert Study.from_yaml(study.out / "study.yaml").title == "Wer führt?"


SOURCE = {"kind": "embeddings", "path": "store.npz"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"colour": "red"}, r"line \d+: colour: there is no such key; the keys are "),
        (
            {"views": ["question"]},
            r"line \d+: views\.0: there is no view 'question': choose one of 'answer'",
        ),
        ({"views": []}, r"line \d+: views: give a list of at least 1"),
        (
            {"pairs": ["shuffled"]},
            r"line \d+: pairs\.0: give 'observed' or",
        ),
        ({"modalities": ["text", "text"]}, "two modalities are both called 'text'"),
        ({"modalities": ["text"]}, r"line \d+: modalities"),
        ({"sources": []}, r"line \d+: sources: give a list of at least 1"),
        ({"sources": [{"kind": "hub"}]}, r"line \d+: sources\.0: .*'hub'"),
        ({"sources": [{"kind": "embeddings"}]}, r"sources\.0\.path: this key is missing"),
        ({"sources": [SOURCE | {"colour": 1}]}, "colour: there is no such key; the keys are "),
        ({"base": 1}, r"line \d+: base: give a number above 1"),
        ({"base": float("inf")}, r"line \d+: base: give a finite number"),
        ({"folds": 2}, r"line \d+: folds: give a number of at least 3"),
        (
            {"estimator": "neural"},
            "estimator: there is no estimator 'neural': choose one of 'posterior', 'codebook'",
        ),
        ({"permutations": 0}, "permutations: give a number of at least 1"),
        ({"seed": -1}, r"line \d+: seed: give a number of at least 0"),
        (
            {"seed": 2**32},
            r"line \d+: seed: give a number of at most 4294967295",
        ),
        ({"out": None}, r"line \d+: out: it is no path"),
    ],
)
def test_a_study_file_is_refused(make_study, options, message):
    with pytest.raises(InputError, match=message) as caught:
        Study.from_yaml(make_study(**options))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"sources: [", "is not valid YAML"),
        (b"\xff\xfe\xff", "is not valid YAML"),
        (b"a: !!python/object/apply:os.system [ls]", "leave out the tag"),
        (b"", "must hold keys such as 'sources:'"),
        (b"- 1", "must hold keys such as 'sources:'"),
        (b"title: x", "sources: this key is missing"),
    ],
)
def test_a_file_that_is_no_study_is_refused(tmp_path, content, message):
    path = tmp_path / "study.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        Study.from_yaml(path)
    assert "\n" not in str(caught.value)


def test_a_missing_study_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist; check the path"):
        Study.from_yaml(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="is a folder; name a file"):
        Study.from_yaml(tmp_path)


@pytest.mark.parametrize("title", ["a\x85b", "1e3", "no", "\u2028", "x: y # z", " a", "\x7f"])
def test_a_resolved_study_is_read_back(title, tmp_path):
    study = Study(sources=[{"path": f"/{title}.npz", "model": title}], title=title, out="/run")
    (tmp_path / "study.yaml").write_text(study.to_yaml(), "utf-8")
    assert Study.from_yaml(tmp_path / "study.yaml") == study


NAN = np.full((240, 6), np.nan)


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({}, {"layers": [7], "views": ["stream"]}, "has no layer 7; it has 0, 1"),
        ({}, {"layers": [0], "views": ["encoding"]}, "nothing for the encoding view"),
        ({"fused/1": None}, {"views": ["encoding"]}, "needs arrays fused/1, fused/2"),
        ({}, {"modalities": ["audio", "text"]}, "has no modality 'audio'"),
        ({"text/0": None, "image/1": None}, {}, "no layer with both image and text"),
        ({"redrawn/answer": None}, {"pairs": ["redrawn"]}, "ask for pairs: .observed"),
        ({"redrawn/text": None}, {"pairs": ["redrawn"]}, "no array 'redrawn/text'"),
        ({"label": None, "answer": None}, {}, "answer view: .*neither 'label' nor 'answer'"),
        ({"image/0": NAN}, {}, "model on dataset, answer view: .*'image' has NaN"),
        ({"label": np.zeros(240)}, {"views": ["stream"]}, "stream view: .*one class only"),
        ({"answer": np.ones((240, 1))}, {}, "answer view: .*one class only"),
        ({"answer": np.full((239, 3), 1 / 3)}, {}, r"target has shape \(239, 3\)"),
        ({"label": np.arange(239) % 3}, {}, r"'label' has shape \(239,\), .*240 rows"),
        ({"text/0": np.zeros((239, 5))}, {}, "'image' has 240 rows but 'text' has 239"),
        ({"text/0": np.zeros((240, 0))}, {}, "the modality 'text' is empty"),
        ({"group/patient": np.arange(239)}, {}, r"column 'patient' has shape \(239,\)"),
        ({"fused/1": np.ones((240, 3))}, {"views": ["encoding"]}, "same in every row"),
        ({"fused/1": np.full((240, 3), "a")}, {"views": ["encoding"]}, "hold <U1, not numbers"),
        ({"fused/last": np.ones((240, 3))}, {}, "'fused/last' of .* names no layer"),
        ({}, {"sources": [SOURCE, SOURCE]}, "same model and dataset names; rename one"),
        ({}, {"sources": [SOURCE | {"path": "none.npz"}]}, "none.npz does not exist"),
        ({}, {"out": "store.npz/run"}, "the run's folder .* cannot be made"),
    ],
)
def test_a_study_that_cannot_be_run_is_refused(make_study, changes, options, message):
    study = Study.from_yaml(make_study(changes, **options))
    with pytest.raises(InputError, match=message) as caught:
        study.run()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "names"),
    [("views", ["stream", "stream"]), ("pairs", ["observed"] * 2), ("layers", [0, 1, 0])],
)
def test_what_is_named_twice_is_refused(make_study, key, names):
    with pytest.raises(InputError, match=f"{key}: {names[0]} is named more than once"):
        Study.from_yaml(make_study(**{key: names}))


def test_a_run_in_a_folder_of_no_name_is_refused(make_study):
    study = Study.from_yaml(make_study()).model_copy(update={"out": Path("a\0b")})
    with pytest.raises(InputError, match=r"the run's folder .* cannot be made: embedded null"):
        study.run()


@pytest.mark.parametrize(
    "changes", [{"label": None}, {"label": np.array([*"abc"] * 80)}, {"answer": None}]
)
def test_without_right_answers_there_is_no_accuracy(make_study, changes):
    profile = Study.from_yaml(make_study(changes)).run()
    assert not {"accuracy", "chance"} & set(profile.frame["quantity"])


def test_hard_answers_are_answers(make_study, arrays):
    """An answer (n,) is the model's choice, as a label is the right one."""
    chosen = arrays["answer"].argmax(1)
    profile = Study.from_yaml(make_study({"answer": chosen})).run()
    value = profile.frame.set_index("quantity")["value"]
    assert set(profile.frame["target"]) == {"the model's answer"}
    assert value["information"] > 1
    assert "information_ceiling" not in value.index


def test_what_was_finished_before_an_error_is_kept(make_study):
    study = Study.from_yaml(
        make_study({"fused/1": np.ones((240, 3))}, views=["answer", "encoding"])
    )
    with pytest.raises(InputError, match="same in every row"):
        study.run()
    assert [name for name in analyses(study) if "answer" in name]
    assert not (study.out / "profile.parquet").exists()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"model": "clip"}, "say where the embeddings are"),
        ({"kind": "emoji_questions", "questions": ["why"]}, "there is no question 'why'"),
        ({"kind": "emoji_questions", "fusions": ["late", "late"]}, "late is named more than once"),
        ({"kind": "emoji_questions", "questions": []}, "name at least one"),
    ],
)
def test_a_source_that_says_too_little_or_too_much(tmp_path, source, message):
    path = tmp_path / "study.yaml"
    path.write_text(json.dumps({"sources": [source]}))
    with pytest.raises(InputError, match=message):
        Study.from_yaml(path)


def test_a_path_needs_no_kind(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(json.dumps({"sources": [{"path": "clip.npz"}]}))
    (source,) = Study.from_yaml(path).sources
    assert (source.kind, source.path) == ("embeddings", tmp_path / "clip.npz")


def test_evidence_names_no_file_elsewhere(finished, tmp_path):
    shutil.copytree(finished[0].out, tmp_path / "run")
    stored = read_evidence(tmp_path / "run")
    place = next(iter(stored))
    for part in ("../../x", "a/b", "", 1):
        write_evidence(tmp_path / "run", {place._replace(pairs=part, view="answer"): stored[place]})
        with pytest.raises(InputError, match=r"cannot be read: it has no view 'answer'"):
            read_evidence(tmp_path / "run")


def test_a_run_ends_with_its_report(finished, tmp_path, drawn):  # noqa: ARG001
    done, _ = finished
    study = done.model_copy(update={"out": tmp_path / "run"})
    study.run(report=False)
    assert not (study.out / "report.html").exists()
    study.run()
    assert "<svg" in (study.out / "report.html").read_text("utf-8")
    assert (study.out / "tables" / "answer.tex").is_file()


@pytest.mark.parametrize("name", ["study.yaml", "report.html", "figures/mine.png", "manifest.json"])
def test_a_run_replaces_no_file_of_a_folder_that_is_no_runs(make_study, tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine", "utf-8")
    study = Study.from_yaml(make_study()).model_copy(update={"out": tmp_path})
    with pytest.raises(InputError, match=f"would replace its {name.partition('/')[0]}; give"):
        study.run(report=False)
    assert path.read_text("utf-8") == "mine"
    assert list(tmp_path.iterdir()) == [tmp_path / name.partition("/")[0]]


def test_a_run_beside_its_own_study_file_is_refused(make_study):
    path = make_study(out=".")
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"would replace its study\.yaml"):
        Study.from_yaml(path).run(report=False)
    assert path.read_bytes() == before

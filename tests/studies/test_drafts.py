"""Drafts of study files: they load, name what is there exactly, and run where they can."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from modalprism.capture.store import write_store
from modalprism.datasets.columns import Columns
from modalprism.datasets.labels import normal
from modalprism.errors import InputError
from modalprism.remote import is_address
from modalprism.studies.drafts import draft_of_capture, draft_of_embeddings
from modalprism.studies.study import Study

N = 120
RNG = np.random.default_rng(0)
LABEL = RNG.integers(2, size=N)
IMAGE, TEXT = RNG.normal(size=(N, 3)) + LABEL[:, None], RNG.normal(size=(N, 2))
ANSWER = np.eye(2)[LABEL] * 0.8 + 0.1
AWKWARD = [
    "yes",
    "010",
    "1e3",
    "null",
    "a: b",
    "#",
    "- a",
    'quo"te',
    "{x}",
    "\x85",
    "\u2028",
    "😀",
    " a ",
]
NAMES = (st.text(min_size=1, max_size=20) | st.sampled_from(AWKWARD)).filter(
    lambda name: "/" not in name and "\0" not in name
)
LAW = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture(autouse=True)
def _working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(name="e.npz", **arrays):
    arrays = {key.replace("_", "/"): value for key, value in arrays.items() if value is not None}
    np.savez(name, **{"image": IMAGE, "text": TEXT, "label": LABEL} | arrays)


def loaded(text: str, file: str | Path = "study.yaml") -> Study:
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(file).write_text(text, "utf-8")
    return Study.from_yaml(file)


def test_a_study_of_embeddings_runs_as_it_stands():
    write(image_1=IMAGE @ RNG.normal(size=(3, 3)), text_1=TEXT)
    file = Path("studies/of/mine.yaml")
    study = loaded(draft_of_embeddings("e.npz", file), file)
    assert study.modalities == ("image", "text")
    assert study.views == ("answer", "stream")
    assert study.out == Path("studies/of/runs/mine")
    assert study.sources[0].path.resolve() == Path("e.npz").resolve()
    quick = study.model_copy(update={"replicates": 20, "permutations": 19, "workers": 1})
    assert set(quick.run().frame["view"]) == {"answer", "stream"}


@pytest.mark.parametrize(
    ("arrays", "options", "views"),
    [
        ({}, {}, ("answer",)),
        ({"answer": ANSWER}, {}, ("answer",)),
        ({"answer": ANSWER}, {"target": "label"}, ("stream",)),
        ({"image_1": IMAGE, "text_1": TEXT}, {}, ("answer", "stream")),
        ({"image_1": IMAGE}, {}, ("answer",)),
        ({"answer": ANSWER}, {"modalities": ["text", "image"]}, ("answer",)),
    ],
)
def test_the_views_are_those_that_the_file_allows(arrays, options, views):
    write(**arrays)
    study = loaded(draft_of_embeddings("e.npz", Path("study.yaml"), **options))
    assert study.views == views
    assert study.modalities == tuple(options.get("modalities", ("image", "text")))


@pytest.mark.parametrize(
    ("arrays", "options", "words"),
    [
        ({"audio": TEXT}, {}, "two modalities, and there are 3: 'image', 'text', 'audio'"),
        ({}, {"modalities": ["image"]}, "two modalities, and there are 1"),
        ({}, {"modalities": ["image", "image"]}, "two modalities, and there are 1"),
        ({}, {"modalities": ["imge", "text"]}, "no modality 'imge'; .* did you mean 'image'"),
        ({}, {"target": "answer"}, "target is 'answer', and e.npz has 'image', 'text', 'label'"),
        ({}, {"target": "lable"}, "did you mean 'label'"),
    ],
)
def test_embeddings_that_make_no_study_are_refused(arrays, options, words):
    write(**arrays)
    with pytest.raises(InputError, match=words):
        draft_of_embeddings("e.npz", Path("study.yaml"), **options)


def test_without_a_target_there_is_no_study():
    np.savez("e.npz", image=IMAGE, text=TEXT, y=LABEL)
    with pytest.raises(InputError, match=r"'label' or 'answer', target is none, and e\.npz has"):
        draft_of_embeddings("e.npz", Path("study.yaml"))


@LAW
@given(st.lists(NAMES.filter(str.isprintable), min_size=2, max_size=2, unique=True))
def test_names_of_modalities_are_read_back(names):
    assume(not set(names) & {"fused", "group", "redrawn", "label", "answer", "id"})
    arrays = dict(zip(names, (IMAGE, TEXT), strict=True))
    write_store(Path("e.safetensors"), {**arrays, "label": LABEL}, {})
    study = loaded(draft_of_embeddings("e.safetensors", Path("study.yaml"), modalities=names))
    assert list(study.modalities) == names


@LAW
@given(NAMES)
def test_paths_are_read_back(tmp_path, name):
    assume(len(os.fsencode(name)) < 200 and not name.startswith(".") and not is_address(name))
    write()
    Path(name).mkdir(exist_ok=True)
    Path("e.npz").rename(Path(name) / "e.npz")
    for file in (tmp_path / name / "study.yaml", tmp_path / "beside" / "study.yaml"):
        study = loaded(draft_of_embeddings(Path(name) / "e.npz", file), file)
        assert study.sources[0].path.resolve() == (Path(name) / "e.npz").resolve()


@LAW
@given(NAMES, st.lists(NAMES, min_size=2, max_size=3, unique=True))
def test_columns_and_labels_of_a_dataset_are_read_back(column, labels):
    assume(column not in {"image", "text"} and all(label.strip() for label in labels))
    rows = [{"image": "a.png", "text": "b", column: label} for label in labels]
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    draft = draft_of_capture("owner/model", "rows.jsonl", Path("study.yaml"), target=column)
    (source,) = loaded(draft).sources
    assert Columns.from_mapping(source.columns).label == column
    answers = {normal(label) or label.strip() for label in labels}
    proposed = [normal(label) or label.strip() for label in source.candidates]
    assert sorted(proposed) == (sorted(answers) if len(answers) > 1 else [])


TABLE = "picture,question,reply,patient\na.png,what,yes,1\nb.png,who,no,2\n"


def test_columns_of_a_table_are_guessed_and_said():
    Path("rows.csv").write_text(TABLE)
    text = draft_of_capture("owner/model", "rows.csv", Path("sub/study.yaml"), target="reply")
    assert "guessed by their names; please check" in text
    assert '"patient"' in text
    study = loaded(text, "sub/study.yaml")
    (source,) = study.sources
    assert source.columns == {"image": "picture", "text": "question", "label": "reply"}
    assert source.candidates == ("no", "yes")
    assert Path(source.data).resolve() == Path("rows.csv").resolve()
    assert source.model == "owner/model"


def test_spellings_of_one_answer_are_proposed_once():
    labels = ("Yes.", "yes", "no", "YES", "yes", "No", "no", "maybe", "＂maybe＂")
    rows = "".join(f"a.png,what,{label},1\n" for label in labels)
    Path("rows.csv").write_text("picture,question,reply,patient\n" + rows, "utf-8")
    text = draft_of_capture("owner/model", "rows.csv", Path("study.yaml"), target="reply")
    assert loaded(text).sources[0].candidates == ("maybe", "no", "yes")


def test_columns_may_be_given():
    Path("rows.csv").write_text(TABLE)
    flags = ["scan:image=picture", "text=patient"]
    file = Path("study.yaml")
    text = draft_of_capture("owner/model", "rows.csv", file, modalities=flags, target="reply")
    study = loaded(text)
    assert study.modalities == ("scan", "text")
    assert study.sources[0].columns["scan:image"] == "picture"


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        ("./nothing", {}, "there is no model folder ./nothing"),
        ("/no/where", {}, "there is no model folder /no/where"),
        ("rows.csv", {}, "there is no model folder rows.csv"),
        ("owner/model", {"target": "rpely"}, "no column 'rpely'; .* did you mean 'reply'"),
        ("owner/model", {"modalities": ["image=pictre"]}, "did you mean 'picture'"),
        ("owner/model", {"modalities": ["audio"]}, "has no modality 'audio'; found are 'image'"),
    ],
)
def test_a_model_and_data_that_make_no_study_are_refused(model, options, words):
    Path("rows.csv").write_text(TABLE)
    with pytest.raises(InputError, match=words):
        draft_of_capture(model, "rows.csv", Path("study.yaml"), **options)


def test_the_command_writes_a_file_and_overwrites_none(run):
    write()
    code, out, err = run("init", "e.npz")
    assert (code, out, err) == (0, "study.yaml written. Next: modalprism run study.yaml\n", "")
    Path("study.yaml").write_text("mine")
    code, _, err = run("init", "e.npz")
    assert (code, err) == (
        2,
        "error: study.yaml exists; name another file with --out, or overwrite with --force\n",
    )
    assert Path("study.yaml").read_text() == "mine"
    assert run("init", "e.npz", "--force")[0] == 0
    assert Study.from_yaml("study.yaml").modalities == ("image", "text")
    assert run("init", "none.npz", "--out", "new.yaml")[0] == 2
    assert not Path("new.yaml").exists()


def test_a_model_alone_asks_for_its_data(run):
    Path("model").mkdir()
    Path("model/config.json").write_text("{}")
    code, _, err = run("init", "model")
    assert code == 2
    assert "model is a model; name its data too" in err

"""A study that captures: a model's folder and a table of pictures, in one file."""

import json
import sys

import pytest
import yaml

from modalprism.capture import loading
from modalprism.engines import RayEngine
from modalprism.errors import InputError
from modalprism.studies.study import Study

COLUMNS = {"image": "picture", "text": "name", "label": "answer", "group": ["block"]}


@pytest.fixture
def study_of(clip_folder, emoji_rows, tmp_path):
    """Write a study beside the table and read it."""

    def make(*, study=None, **options):
        source = {
            "model": str(clip_folder), "data": emoji_rows.name, "columns": COLUMNS,
            "candidates": ["A", "B"], "dtype": "float32", "redrawn": 12, "partners": 4,
        }  # fmt: skip
        content = {
            "sources": [source | options],
            "views": ["answer", "stream"],
            "pairs": ["observed", "redrawn"],
            "replicates": 20,
            "permutations": 9,
            "workers": 1,
            "out": "run",
        }
        path = tmp_path / "study.yaml"
        path.write_text(yaml.safe_dump(content | (study or {})), "utf-8")
        return Study.from_yaml(path)

    return make


def values(frame, **where):
    for column, value in where.items():
        frame = frame[frame[column] == value]
    return frame.set_index("modality")["value"]


def test_one_file_goes_from_a_model_to_a_profile(study_of, monkeypatch):
    profile = study_of().run()
    frame = profile.frame
    assert set(frame["model"]) == {"tiny-clip"}
    assert set(frame["dataset"]) == {"emojis"}
    assert set(frame.query("view == 'stream'")["layer"]) == {0, 1, 2}
    # Its answer is a matter of the picture alone, whichever text stands beside.
    unique = values(frame, pairs="redrawn", quantity="unique")
    assert unique["text"] == pytest.approx(0, abs=1e-3)
    assert set(frame.query("pairs == 'observed' and view == 'answer'")["n"]) == {120}
    # The labels are words: they are found among the candidates.
    accuracy = values(frame, view="answer", pairs="observed", quantity="accuracy")
    assert 0 <= accuracy.iloc[0] <= 1

    def never(*_arguments, **_options):
        raise AssertionError("a capture that is whole needs no model")

    monkeypatch.setattr("modalprism.capture.loading.load_adapter", never)
    again = study_of().run().frame
    assert again.equals(frame)


@pytest.mark.filterwarnings(r"ignore::DeprecationWarning:ray\.data\..*")  # of its own options
@pytest.mark.usefixtures("cluster")
def test_a_studys_model_runs_where_its_engine_says(study_of, tmp_path):
    (source,) = study_of(redrawn=0, limit=20).sources
    (here,) = source.stores(tmp_path / "here", 0)
    engine = RayEngine(workers=64)  # of a study they are analyses, and may be more than models
    (there,) = source.stores(tmp_path / "there", 0, engine=engine)
    assert there.store.path != here.store.path
    assert there.store.digest() == here.store.digest()


def test_another_question_is_captured_beside(study_of, tmp_path):
    rows = {}
    for limit in (None, 20, 30, 20):
        (source,) = study_of(redrawn=0, limit=limit).sources
        (study_store,) = source.stores(tmp_path / "stores", 0)
        rows[limit] = len(study_store.store.array("label"))
    assert rows == {None: 120, 20: 20, 30: 30}
    assert len(list((tmp_path / "stores").iterdir())) == 3


def test_a_part_that_is_deleted_is_captured_again(study_of, tmp_path):
    (source,) = study_of(redrawn=0, limit=20).sources
    (study_store,) = source.stores(tmp_path / "stores", 0)
    before = study_store.store.digest()
    (study_store.store.path / "part-00000.parquet").unlink()
    (study_store,) = source.stores(tmp_path / "stores", 0)
    assert study_store.store.digest() == before


def test_a_resolved_study_opens_the_same_store(study_of, tmp_path):
    study = study_of(redrawn=0, limit=20)
    list(study.sources[0].stores(tmp_path / "stores", 0))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "study.yaml").write_text(study.to_yaml(), "utf-8")
    again = Study.from_yaml(tmp_path / "elsewhere" / "study.yaml")
    list(again.sources[0].stores(tmp_path / "stores", 0))
    assert len(list((tmp_path / "stores").iterdir())) == 1


def test_yes_and_no_are_words(study_of):
    with pytest.raises(InputError, match=r'candidates: YAML reads true .*; put "true" in quotes'):
        study_of(candidates=[True, False])


def test_what_is_missing_is_said(study_of):
    with pytest.raises(InputError, match=r"there is no column 'photo'; the columns are picture"):
        study_of(columns=COLUMNS | {"image": "photo"}).run()
    with pytest.raises(InputError, match="the device 'cuda:7' cannot be used"):
        study_of(device="cuda:7").run()
    with pytest.raises(InputError, match=r"redrawn pairs need 2 ≤ partners"):
        study_of(redrawn=500).run()


def test_an_unfinished_capture_is_no_input(study_of, tmp_path):
    (source,) = study_of(redrawn=0, limit=20).sources
    (study_store,) = source.stores(tmp_path / "stores", 0)
    (study_store.store.path / "finished.json").unlink()
    embeddings = Study(sources=[{"path": study_store.store.path}], out=tmp_path / "other")
    with pytest.raises(InputError, match="is not finished; give its command again"):
        embeddings.run()


def test_an_adapter_of_ones_own_is_found_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_families.py").write_text(
        "from modalprism.capture.families.towers import ClipAdapter\n"
        "class Mine(ClipAdapter):\n    pass\nnumber = 1\n",
        "utf-8",
    )
    assert loading.adapter_named("my_families:Mine").__name__ == "Mine"
    with pytest.raises(InputError, match="is no class that derives from Adapter"):
        loading.adapter_named("my_families:number")
    with pytest.raises(InputError, match="write it as module:Class"):
        loading.adapter_named("my_families")
    with pytest.raises(InputError, match="cannot be imported"):
        loading.adapter_named("nowhere:Mine")


def test_an_adapter_of_a_study_runs_where_it_is_allowed(study_of, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "allowed_family.py").write_text(
        "from modalprism.capture.families.towers import ClipAdapter\n"
        "class Mine(ClipAdapter):\n    pass\n",
        "utf-8",
    )
    study = study_of(adapter="allowed_family:Mine", redrawn=0, limit=20)
    with pytest.raises(InputError, match=r"allow_code=\['allowed_family:Mine'\]"):
        study.stores()
    (study_store,) = study.stores(allow_code=["allowed_family:Mine"])
    assert len(study_store.store.array("label")) == 20
    assert str(tmp_path) not in sys.path
    # A capture that is whole needs the permission too: its rows may be run again.
    with pytest.raises(InputError, match="allow_code"):
        study.stores()


ASKED = {"image": "picture", "label": "answer", "group": ["block"]}


def test_what_is_asked_and_which_rows_are_kept_is_the_studys(study_of, tmp_path):
    options = {
        "columns": ASKED, "prompt": "{name} {answer}", "answers": {"A": "b"}, "only": "candidates",
        "candidates": ["b", "no"], "redrawn": 0,
    }  # fmt: skip
    study = study_of(**options)
    (source,) = study.sources
    (study_store,) = source.stores(tmp_path / "stores", 0)
    # A is said to be b, and B is the same but for its case.
    assert set(study_store.store.array("label").tolist()) == {"b"}
    (note,) = source.notes()
    assert note == "Of emojis, rows whose right answer is none of b, no were left out."
    # The resolved study asks the same.
    (tmp_path / "resolved.yaml").write_text(study.to_yaml(), "utf-8")
    assert Study.from_yaml(tmp_path / "resolved.yaml").sources == study.sources
    # Another prompt is captured beside.
    (other,) = study_of(**options | {"prompt": "{name}"}).sources
    list(other.stores(tmp_path / "stores", 0))
    assert len(list((tmp_path / "stores").iterdir())) == 2


def test_what_is_not_asked_changes_no_key(study_of):
    (source,) = study_of().sources
    asked = source.model_copy(update={"prompt": "{name}"})
    assert source._key("x", 0) != asked._key("x", 0)
    assert not {"prompt", "answers", "only", "join"} & set(source.model_dump(exclude_none=True))


def test_pictures_may_stand_in_another_table(study_of, tmp_path, emoji_rows):
    rows = [json.loads(line) for line in emoji_rows.read_text("utf-8").splitlines()]
    questions = [{"shot": n, **row} for n, row in enumerate(rows)]
    shots = [{"number": n, "photo": row.pop("picture")} for n, row in enumerate(questions)]
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, questions)), "utf-8")
    (tmp_path / "shots.jsonl").write_text("\n".join(map(json.dumps, shots)), "utf-8")
    join = {"data": "./shots.jsonl", "by": {"shot": "number"}}
    study = study_of(
        data="questions.jsonl", join=join, columns=COLUMNS | {"image": "photo"}, redrawn=0, limit=20
    )
    (source,) = study.sources
    assert source.join.data == str(tmp_path / "shots.jsonl")
    (joined,) = source.stores(tmp_path / "stores", 0)
    (plain,) = study_of(redrawn=0, limit=20).sources[0].stores(tmp_path / "plain", 0)
    states = [study_store.store.array("image/1") for study_store in (joined, plain)]
    assert (states[0] == states[1]).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"columns": ASKED, "prompt": "Is it?"}, "names no column, so that all examples"),
        ({"columns": ASKED, "prompt": "{name!r}"}, "more or less than a column's name"),
        ({"prompt": "{name}"}, "text is the column 'name', and there is a prompt; leave one"),
        ({"answers": {"0": False}}, 'put "false" in quotes if it is a word'),
        ({"answers": {"0": "C"}}, "answers: '0' is 'C', which is none of the candidates A, B"),
        ({"answers": "words"}, "answers"),
        ({"only": "candidates", "candidates": []}, "only: candidates, but there are none"),
        ({"only": "some"}, "give 'candidates'"),
        ({"join": {"data": "x.csv", "by": {}}}, "it has 0 keys; name one column of each"),
        ({"join": {"data": "x.csv", "by": {"a": "b", "c": "d"}}}, "it has 2 keys"),
        ({"columns": {"scan": "picture"}}, "the role 'scan' is none of image, text"),
    ],
)
def test_what_cannot_be_asked_is_said_before_anything_is_loaded(study_of, options, words):
    with pytest.raises(InputError, match=words):
        study_of(**options)


def test_a_column_that_the_prompt_names_and_nobody_has_is_said(study_of):
    with pytest.raises(InputError, match=r"no column 'title' that the prompt names; the columns"):
        study_of(columns=ASKED, prompt="{title}").run()


def test_names_of_a_model_and_a_dataset_lead_nowhere_and_fit(study_of, tmp_path):
    before = set(tmp_path.rglob("*"))
    names = {"name": '../..\\x:"?*', "dataset": "界" * 200}
    study = study_of(study={"views": ["answer"], "pairs": ["observed"]}, **names)
    assert list(study.run().frame[["model", "dataset"]].iloc[0]) == list(names.values())
    made = [path.relative_to(tmp_path) for path in set(tmp_path.rglob("*")) - before]
    assert {path.parts[0] for path in made} == {"run", "study.yaml"}
    assert not any(letter in str(path) for path in made for letter in '\\:"?*')


def test_what_a_capture_counted_is_in_the_manifest(study_of):
    asked = {"views": ["stream"], "pairs": ["observed"], "layers": [0]}
    profile = study_of(redrawn=0, limit=60, study=asked).run()
    (notices,) = profile.manifest["notices"]
    assert (notices["model"], notices["dataset"], notices["rows"]) == ("tiny-clip", "emojis", 60)
    assert notices["prompt"]


def test_a_mistyped_model_is_said_before_any_dataset_is_opened(study_of, tmp_path):
    (tmp_path / "emojis.jsonl").unlink()
    with pytest.raises(InputError, match=r"the model .* cannot be loaded: there is no such folder"):
        study_of(model="./no-such-model").run()


def test_a_mistyped_model_is_said_before_another_is_captured(study_of, tmp_path):
    study = study_of()
    (first,) = study.sources
    wrong = first.model_copy(update={"model": "./no-such-model", "name": "wrong"})
    with pytest.raises(InputError, match=r"the model .* cannot be loaded: there is no such folder"):
        study.model_copy(update={"sources": (first, wrong)}).run()
    assert not (tmp_path / "run" / "store").exists()

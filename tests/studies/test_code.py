"""Code that a study brings along runs only where the user has named it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from modalprism.capture.loading import adapter_named
from modalprism.errors import InputError
from modalprism.studies.code import Code, CodeRefusedError, repository_code, require_allowed
from modalprism.studies.study import Study
from modalprism.validation import validate

MINE = Code("mine:Mine", "the adapter 'mine:Mine'")


@pytest.fixture(autouse=True)
def _working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MODALPRISM_ALLOW_CODE", raising=False)


@pytest.fixture
def brought():
    """A study beside an adapter that leaves a file where it is imported."""
    Path("brought_along.py").write_text(
        "open('it ran', 'w').close()\n"
        "from modalprism.capture.families.towers import ClipAdapter\n"
        "class Mine(ClipAdapter):\n    pass\n"
    )
    source = {"model": "owner/model", "data": "rows.jsonl", "adapter": "brought_along:Mine"}
    Path("study.yaml").write_text(yaml.safe_dump({"sources": [source], "out": "run"}))
    return Path("study.yaml")


@pytest.mark.parametrize(
    "allow_code",
    [
        (),
        [""],
        ["mine"],
        ["mine:mine"],
        ["mine:Mine2", "mine"],
        ["*"],
        ["mine:*"],
        "all",
        ["adapter"],
        ["trust_remote_code"],
    ],
)
def test_a_name_that_is_not_equal_allows_nothing(allow_code):
    with pytest.raises(CodeRefusedError, match=r"allow_code=\['mine:Mine'\]") as caught:
        require_allowed([MINE], allow_code)
    assert caught.value.names == ("mine:Mine",)
    assert caught.value.for_shell.endswith("allow it by name: --allow-code mine:Mine")


@pytest.mark.parametrize("allow_code", ["mine:Mine", ["mine:Mine"], ("x", " mine:Mine ")])
def test_a_name_allows_its_code(allow_code):
    require_allowed([MINE], allow_code)


def test_the_environment_allows_by_name_too(monkeypatch):
    monkeypatch.setenv("MODALPRISM_ALLOW_CODE", "owner/model, mine:Mine")
    require_allowed([MINE, repository_code("owner/model", None)])
    monkeypatch.setenv("MODALPRISM_ALLOW_CODE", "1")
    with pytest.raises(CodeRefusedError):
        require_allowed([MINE])


@pytest.mark.parametrize("allow_code", [True, 1, None, [True], [None]])
def test_what_is_no_name_is_refused(allow_code):
    with pytest.raises(InputError, match="give the names of what may run"):
        require_allowed([MINE], allow_code)


def test_every_refused_name_is_in_the_message():
    code = [MINE, Code("a folder/model", "its code"), MINE]
    with pytest.raises(CodeRefusedError) as caught:
        require_allowed(code, ["other:Name"])
    assert "allow_code=['mine:Mine', 'a folder/model']" in str(caught.value)
    shell = "--allow-code mine:Mine --allow-code 'a folder/model'"
    assert caught.value.for_shell.endswith(shell)


def test_a_folder_cannot_pass_for_a_repository_of_the_hub(tmp_path):
    assert repository_code("owner/model", None).name == "owner/model"
    Path("owner/model").mkdir(parents=True)
    code = repository_code("owner/model", None)
    assert code.name == str(tmp_path / "owner/model")
    with pytest.raises(CodeRefusedError):
        require_allowed([code], ["owner/model"])
    require_allowed([code], ["./owner/model"])
    require_allowed([code], [code.name])


def test_a_revision_is_allowed_by_itself():
    code = repository_code("owner/model", "refs/pr/1")
    with pytest.raises(CodeRefusedError, match="owner/model@refs/pr/1"):
        require_allowed([code], ["owner/model"])
    require_allowed([code], ["owner/model@refs/pr/1"])


def test_nothing_of_a_study_runs_before_it_is_allowed(brought):
    study = Study.from_yaml(brought)
    for start in (study.run, study.stores, lambda: validate(study)):
        with pytest.raises(CodeRefusedError, match="allow_code="):
            start()
    assert not Path("it ran").exists()
    assert not Path("run").exists()


def test_a_resolved_study_is_refused_like_the_one_it_came_from(brought):
    Path("resolved.yaml").write_text(Study.from_yaml(brought).to_yaml())
    with pytest.raises(CodeRefusedError):
        Study.from_yaml("resolved.yaml").run()


@pytest.mark.parametrize("command", ["run", "validate"])
def test_the_command_line_says_what_to_pass(run, brought, command):
    code, _, err = run(command, str(brought))
    assert code == 2
    assert err.endswith("allow it by name: --allow-code brought_along:Mine\n")
    assert not Path("it ran").exists()
    # Allowed, it comes as far as the next thing that is wrong.
    code, _, err = run(command, str(brought), "--allow-code", "brought_along:Mine")
    assert code == 2
    assert "owner/model" in err


def test_a_model_that_brings_code_is_refused(brought):
    content = yaml.safe_load(brought.read_text())
    content["sources"][0] |= {"adapter": None, "trust_remote_code": True, "revision": "v2"}
    brought.write_text(yaml.safe_dump(content))
    with pytest.raises(CodeRefusedError, match="comes with the model 'owner/model@v2'"):
        Study.from_yaml(brought).run()


def test_studies_without_code_need_no_permission():
    clip = "modalprism.capture.families.towers:ClipAdapter"
    study = Study(
        sources=[
            {"path": "e.npz"},
            {"kind": "emoji_questions"},
            {"model": "m", "data": "d", "adapter": clip},
        ],
        out="run",
    )
    assert study.code() == ()


@pytest.mark.parametrize(
    "adapter",
    ["", "mine", "mine:", ":Mine", "./mine.py:Mine", ".mine:Mine", "a b:C", "a:B.c", "a/b:C"],
)
def test_an_adapter_is_a_module_and_a_class(adapter):
    with pytest.raises(ValueError, match="write it as module:Class"):
        Study(sources=[{"model": "m", "data": "d", "adapter": adapter}], out="run")


def test_the_working_folder_cannot_stand_in_for_what_is_installed():
    Path("wave.py").write_text("open('it ran', 'w').close()\n")
    with pytest.raises(InputError, match="cannot be imported"):
        adapter_named("wave:Mine")  # the standard library's
    assert not Path("it ran").exists()

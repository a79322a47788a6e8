"""``modalprism validate``: what it prints, how it leaves."""

import json

import numpy as np
import pytest
import yaml

from modalprism import validation
from modalprism.cli import validate as command
from modalprism.reports.validation import ValidationTable, validation_sentences
from modalprism.results.estimate import Estimate
from modalprism.validation import Finding, Rest, Validation

REST = Rest("J image", Estimate(0.41, 0.35, 0.5, unit="bit"))
PASSED = Finding("net", "data", "random labels", "all at zero", "I 0.000", "pass", REST, 1)
FAILED = Finding("net", "data", "rows belong together", "they do", "of 9: 0", "fail", REST, 1)
SKIPPED = Finding("net", "more", "noise over the text", "it falls", "no model", "not run")


@pytest.fixture
def found(monkeypatch, tmp_path):
    """Let a study find what a test wants it to; return what it was asked."""
    (tmp_path / "study.yaml").write_text(
        yaml.safe_dump({"sources": [{"path": "store.npz"}], "out": "run"}), "utf-8"
    )
    asked = {}

    def finding(*findings):
        def check(study, **options):
            asked.update(options, out=study.out)
            options["announce"]("14 checks of a store")
            return Validation(findings, 210, 4.2)

        monkeypatch.setattr(validation, "validate", check)
        return asked

    return finding


def test_what_holds_leaves_with_0(run, found):
    asked = found(PASSED, SKIPPED)
    code, out, err = run("validate", "study.yaml", "--examples", "300", "--runs", "40")
    assert (code, err) == (0, "14 checks of a store\n")
    assert (asked["examples"], asked["runs"]) == (300, 40)
    assert "2 checks: 1 pass, 0 fail, 1 not run; 210 forward passes in 4 s" in out
    assert "net on data" in out
    assert "net on more" in out
    assert "rests on: J image 0.410 [0.350, 0.500] bit" in out
    assert "run/validation.json" in out


def test_what_fails_leaves_with_1_and_is_named(run, found):
    found(PASSED, FAILED)
    code, out, _ = run("validate", "study.yaml")
    assert code == 1
    assert "FAIL rows belong together (net on data): expected they do; seen of 9: 0" in out


def test_for_machines(run, found):
    found(FAILED, SKIPPED)
    code, out, err = run("validate", "study.yaml", "--json")
    assert (code, err) == (1, "")
    told = json.loads(out)
    assert told["passed"] is False
    assert [check["verdict"] for check in told["checks"]] == ["fail", "not run"]
    assert told["checks"][1]["value"] is None


def test_wrong_use_leaves_with_2(run):
    code, out, err = run("validate", "nothing.yaml")
    assert (code, out) == (2, "")
    assert "error: the file nothing.yaml does not exist" in err


def test_too_few_examples_are_refused(run, tmp_path):
    np.savez(
        tmp_path / "store.npz", image=np.zeros((4, 2)), text=np.zeros((4, 2)), label=[0, 1] * 2
    )
    content = {"sources": [{"path": "store.npz"}], "out": "run"}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(content), "utf-8")
    code, _, err = run("validate", "study.yaml", "--examples", "1")
    assert code == 2
    assert "examples is 1: checks need 2 or more (--examples)" in err


def test_a_wide_terminal_has_all_side_by_side():
    from rich.console import Console

    console = Console(width=160, record=True, file=None)
    with console.capture() as told:
        console.print(ValidationTable(Validation((PASSED, FAILED), 0, 1.0)))
    lines = told.get().splitlines()
    (head,) = [line for line in lines if "it rests on" in line]
    assert head.split() == ["verdict", "check", "expected", "seen", "it", "rests", "on"]
    assert any("fail" in line and "[0.350, 0.500]" in line for line in lines)
    assert len(validation_sentences(Validation((PASSED,), 0, 1.0))) == 1


def test_help_teaches(run):
    code, out, _ = run("validate", "--help")
    assert code == 0
    assert "Exit code 0 where nothing fails" in out
    assert command.__doc__

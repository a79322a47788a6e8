"""Analyses are saved as strict JSON, come back equal, and are checked when they are read."""

import contextlib
import dataclasses
import json
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import modalprism as mp


@pytest.fixture(scope="module")
def analysis():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=120)
    sources = {
        "image": rng.normal(size=(120, 3)) + y[:, None],
        "Text «ü»": rng.normal(size=(120, 2)),
    }
    return mp.analyze(sources, y, replicates=20, permutations=9, seed=5)


@pytest.fixture
def saved(analysis, tmp_path):
    analysis.save(tmp_path / "a.json")
    return tmp_path / "a.json"


def refuse_constant(name):
    raise ValueError(name)


def test_an_analysis_comes_back_equal(analysis, saved):
    found = mp.Analysis.load(saved)
    assert found == analysis
    assert str(found) == str(analysis)
    assert found.frame().equals(analysis.frame())


def test_its_evidence_comes_back(analysis, saved):
    found, kept = mp.Analysis.load(str(saved)).evidence, analysis.evidence
    for name in ("resampled", "learnt", "rows"):
        assert np.array_equal(getattr(found, name), getattr(kept, name))
        assert getattr(found, name).dtype == np.float32
    assert found.resolution == kept.resolution


def test_json_is_strict_and_has_every_quantity(analysis):
    content = json.loads(analysis.to_json(), parse_constant=refuse_constant)
    assert content == analysis.to_dict()
    assert content["seed"] == 5
    assert "evidence" not in content
    for quantity, modality, estimate in analysis.quantities():
        found = content[quantity] if quantity in content else content["diagnostics"][quantity]
        value = (found[modality] if modality else found)["value"]
        assert value == estimate.value or (value is None and math.isnan(estimate.value))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_does_not_have_are_null(analysis, tmp_path, value):
    undetermined = dataclasses.replace(
        analysis, gap=value, synergy=mp.Estimate(value, value, value, value)
    )
    content = json.loads(undetermined.to_json(evidence=True), parse_constant=refuse_constant)
    assert content["synergy"] == dict.fromkeys(("value", "low", "high", "p_value"))
    assert content["gap"] is None
    undetermined.save(tmp_path / "a.json")
    assert not mp.Analysis.load(tmp_path / "a.json").synergy.determined


@pytest.mark.parametrize("estimator", ["posterior", "codebook"])
def test_an_analysis_without_rows_or_evidence_comes_back(analysis, tmp_path, estimator):
    kept = dataclasses.replace(analysis.evidence, rows=None) if estimator == "codebook" else None
    without = dataclasses.replace(analysis, evidence=kept)
    without.save(tmp_path / "a.json")
    found = mp.Analysis.load(tmp_path / "a.json")
    assert found == without
    assert (found.evidence is None) == (kept is None)


def edited(saved, **changes):
    content = json.loads(saved.read_text(encoding="utf-8"))
    saved.write_text(json.dumps(content | changes))


ONE = {"value": 1.0, "low": None, "high": None, "p_value": None}
DAMAGE = {
    "another format": {"format": "modalprism.Profile"},
    "another version": {"version": 2},
    "a word for a number": {"gap": "0"},
    "a field too many": {"command": "rm"},
    "no rows": {"n": 0},
    "another modality": {"unique": {"image": ONE, "audio": ONE}},
    "a number for an estimate": {"redundancy": 0.5},
    "an estimate without value": {"redundancy": {}},
    "an infinite number": {"gap": math.inf},
    "uneven evidence": {
        "evidence": {"resampled": [[1.0]] * 3 + [[]], "learnt": [[1.0]] * 4, "rows": None}
        | {"resolution": 0.0}
    },
    "evidence beyond float32": {
        "evidence": {"resampled": [[1e39]] * 4, "learnt": [[1.0]] * 4, "rows": None}
        | {"resolution": 0.0}
    },
    "evidence of no rows": {
        "evidence": {"resampled": [[1.0]] * 4, "learnt": [[1.0]] * 4, "rows": []}
        | {"resolution": 0.0}
    },
    "rows of three": {
        "evidence": {"resampled": [[]] * 4, "learnt": [[]] * 4, "rows": [[1.0] * 3]}
        | {"resolution": 0.0}
    },
}


@pytest.mark.parametrize("case", list(DAMAGE))
def test_a_file_that_is_no_saved_analysis_is_refused(saved, case):
    edited(saved, **DAMAGE[case])
    with pytest.raises(mp.InputError, match=r"is not a saved analysis(, or is damaged)?: "):
        mp.Analysis.load(saved)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"[]", b"\xff\xfe\x00", b"[" * 3000, b"\x80\x04\x95.", b"9" * 5000],
)
def test_a_file_that_is_no_json_is_refused(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(mp.InputError, match="not a saved analysis") as caught:
        mp.Analysis.load(tmp_path / "a.json")
    assert "\n" not in str(caught.value)


@given(data=st.data())
def test_a_damaged_file_never_raises_anything_else(analysis, tmp_path_factory, data):
    content = bytearray(analysis.to_json(evidence=True).encode())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.sampled_from([len(content), at]))
    file = tmp_path_factory.mktemp("damaged") / "a.json"
    file.write_bytes(content[:cut])
    with contextlib.suppress(mp.InputError):
        mp.Analysis.load(file)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(mp.InputError, match=r"no\.json does not exist"):
        mp.Analysis.load(tmp_path / "no.json")
    with pytest.raises(mp.InputError, match="is a folder; name a file"):
        mp.Analysis.load(tmp_path)


def test_a_file_that_cannot_be_written_leaves_the_old_one(analysis, saved, monkeypatch):
    before = saved.read_bytes()
    monkeypatch.setattr(
        "pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full"))
    )
    with pytest.raises(OSError, match="full"):
        analysis.save(saved)
    assert saved.read_bytes() == before
    assert [file.name for file in saved.parent.iterdir()] == ["a.json"]


@pytest.mark.parametrize("content", ["{}", "[]", '{"format": "other.Thing"}', '{"a": 1}'])
def test_other_json_is_told_from_a_damaged_analysis(tmp_path, content):
    (tmp_path / "other.json").write_text(content)
    with pytest.raises(mp.InputError, match=re.escape("give a file that Analysis.save wrote")):
        mp.Analysis.load(tmp_path / "other.json")

"""Finished work outlives an edited comment, and not a raised version number."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import modalprism
from modalprism.baselines.ablation import ModalityAblation
from modalprism.estimation.posterior import PosteriorEstimator
from modalprism.studies.baselines import _key
from modalprism.studies.runner import _cache_key, plan_analyses
from modalprism.studies.study import Study
from modalprism.studies.views import AnswerView

RUN = """
import sys
from modalprism import Study
import modalprism
assert modalprism.__file__.startswith(sys.argv[2]), modalprism.__file__
Study.from_yaml(sys.argv[1]).run(report=False)
"""


def times(study):
    return {path.name: path.stat().st_mtime_ns for path in (study.out / "analyses").iterdir()}


def run_with(source, study):
    subprocess.run(  # noqa: S603
        [sys.executable, "-c", RUN, str(study), str(source)],
        check=True,
        env={"PYTHONPATH": str(source), "PATH": "", "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.slow
def test_an_edited_comment_keeps_finished_analyses(make_study, tmp_path):
    path = make_study(views=["answer", "stream"])
    source = tmp_path / "src"
    shutil.copytree(
        Path(modalprism.__file__).parent,
        source / "modalprism",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    run_with(source, path)
    study = Study.from_yaml(path)
    before = times(study)
    assert len(before) == 2 * 3
    for module in sorted((source / "modalprism").rglob("*.py")):
        text = module.read_text("utf-8")
        module.write_text(f"# an edited comment\n{text}", "utf-8")
    run_with(source, path)
    assert times(study) == before
    # A raised version of the estimator drops the analyses that it made.
    module = source / "modalprism" / "estimation" / "posterior.py"
    text = module.read_text("utf-8")
    raised = re.sub(r"version: ClassVar\[int\] = (\d+)", "version: ClassVar[int] = 999", text)
    assert raised != text
    module.write_text(raised, "utf-8")
    run_with(source, path)
    assert before.items() < times(study).items()
    assert len(times(study)) == 2 * len(before)


@pytest.mark.parametrize("of", [PosteriorEstimator, AnswerView])
def test_a_raised_version_is_another_key(make_study, monkeypatch, of):
    study = Study.from_yaml(make_study())
    (store,) = study.stores()
    ((analysis, _),) = plan_analyses(study, [store])
    before = _cache_key(analysis, "digest", study.settings())
    monkeypatch.setattr(of, "version", of.version + 1)
    assert _cache_key(analysis, "digest", study.settings()).name != before.name


def test_a_raised_version_of_a_baseline_is_another_key(make_study, monkeypatch):
    (store,) = Study.from_yaml(make_study()).stores()
    before = [_key(name, store, {"seed": 0}).name for name in ("ablation", "perceptual")]
    monkeypatch.setattr(ModalityAblation, "version", ModalityAblation.version + 1)
    after = [_key(name, store, {"seed": 0}).name for name in ("ablation", "perceptual")]
    assert after[0] != before[0]
    assert after[1] == before[1]

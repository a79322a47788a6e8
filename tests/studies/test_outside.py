"""A package outside of Modalprism brings its own input, view, estimator, baseline and engine."""

import json
import sys

import pandas as pd
import pytest
import yaml

from modalprism.baselines import BASELINES
from modalprism.engines import engine_for
from modalprism.errors import InputError
from modalprism.studies.baselines import read_baselines
from modalprism.studies.study import Study

ENTRIES = """
[modalprism.inputs]
numbers = outside_objects:Numbers
[modalprism.views]
parity = outside_objects:Parity
[modalprism.estimators]
counting = outside_objects:Counting
[modalprism.baselines]
coin = outside_objects:Coin
[modalprism.engines]
backwards = outside_objects:Backwards
"""
MODULE = '''
from typing import ClassVar, Literal

import numpy as np

from modalprism.baselines.interface import Baseline, Cost, Result, Score, Subject
from modalprism.capture.store import EmbeddingStore
from modalprism.datasets.dataset import Example
from modalprism.errors import InputError
from modalprism.estimation.codebook.codebook import CodebookEstimator
from modalprism.results.estimate import Estimate
from modalprism.studies.inputs import Input
from modalprism.studies.study_store import StudyStore


class Origin:
    candidates = ("even", "odd")

    def subject(self, rows, *, attention=False):
        examples = [Example(str(row), {"image": row, "text": row}) for row in rows]
        return Subject(None, examples, "numbers", "parity")

    def shown(self, rows):
        return [{"image": f"picture {row}", "text": f"text {row}"} for row in rows]


class Numbers(Input):
    """Numbers and their parities."""

    kind: Literal["numbers"]
    count: int = 60

    def stores(self, folder, seed, track=None, engine=None):
        path = folder / "numbers.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        draw = np.random.default_rng(seed)
        label = np.arange(self.count) % 2
        arrays = {"image/0": label[:, None] + draw.normal(size=(self.count, 3)) / 9}
        arrays["text/0"] = draw.normal(size=(self.count, 2))
        if not path.is_file():
            np.savez(path, label=label, **arrays)
        yield StudyStore("numbers", "parity", EmbeddingStore.open(path), Origin())

    def descriptions(self):
        return {"numbers": "whole numbers"}, {"parity": "even or odd"}


class Parity:
    """The label shifted by one row: nothing is told about it."""

    version: ClassVar[int] = 1

    def layers(self, store, modalities, wanted):
        return (0,)

    def analysis(self, store, layer, settings):
        spans = {name: store.span(name, layer) for name in settings.modalities}
        return settings.analyze(spans, store.array("label"), target="parity")


class Counting(CodebookEstimator):
    version: ClassVar[int] = 7


class Coin(Baseline):
    """Give both modalities a half."""

    name: ClassVar[str] = "coin"
    title: ClassVar[str] = "A coin"
    source: ClassVar[str] = "nobody"
    headlines: ClassVar[tuple[str, ...]] = ("share",)
    shares: ClassVar[tuple[str, ...]] = ("share",)

    def cost(self, subject):
        raise InputError("it needs no pass")

    def score(self, subject, *, seed=0, replicates=1000, track=None):
        scores = [Score("share", m, Estimate(0.5, 0.5, 0.5)) for m in ("image", "text")]
        n = len(subject.examples)
        return Result("coin", "numbers", "parity", tuple(scores), n, Cost(0), 0.0, seed, {})


class Backwards:
    """Runs jobs from the last to the first."""

    def ready(self):
        pass

    def run(self, jobs, *, track, description, needs=None):
        results = ((job.key, job.function(*job.arguments)) for job in reversed(jobs))
        yield from track(results, total=len(jobs), description=description)
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Put a distribution on the path that registers five objects."""
    info = tmp_path / "outside-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    (tmp_path / "outside_objects.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("outside_objects", None)


@pytest.fixture
def study(package, tmp_path):  # noqa: ARG001
    content = {
        "sources": [{"kind": "numbers"}],
        "views": ["answer", "parity"],
        "estimator": "counting",
        "baselines": {"names": ["coin"], "examples": 10},
        "replicates": 20,
        "permutations": 19,
        "out": "run",
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(content), "utf-8")
    return Study.from_yaml(tmp_path / "study.yaml")


@pytest.mark.usefixtures("drawn")
def test_a_study_of_objects_from_outside_runs_and_reads_itself_back(study):
    profile = study.run(engine="backwards")
    assert set(profile.frame["view"]) == {"answer", "parity"}
    assert set(profile.frame["layer"]) == {-1, 0}
    unique = profile.frame[profile.frame["quantity"] == "unique"].set_index(["view", "modality"])
    assert unique["value"]["answer", "image"] > 0.5
    assert profile.manifest["models"] == {"numbers": "whole numbers"}
    scores = read_baselines(study.out)
    assert (scores["baseline"].unique(), scores["title"].unique()) == (["coin"], ["A coin"])
    assert Study.from_yaml(study.out / "study.yaml").sources == study.sources
    assert (study.out / "report.html").is_file()
    made_by = [
        json.loads(path.read_text("utf-8"))["makers"]
        for path in sorted((study.out / "analyses").glob("*.json"))
    ]
    assert made_by == [
        {"answer view": 1, "counting estimator": 7},
        {"parity view": 1, "counting estimator": 7},
    ]
    # What is finished is taken up again, whoever made it.
    before = {path: path.stat().st_mtime_ns for path in (study.out / "analyses").iterdir()}
    pd.testing.assert_frame_equal(study.run(engine="serial", report=False).frame, profile.frame)
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.usefixtures("package")
def test_names_from_outside_stand_among_those_that_can_be_chosen():
    assert "coin" in BASELINES.names()
    assert engine_for("backwards").run
    with pytest.raises(InputError, match=r"choose one of .* 'backwards'"):
        engine_for("forwards")
    with pytest.raises(InputError, match="the engine backwards has one worker"):
        engine_for("backwards", workers=2)


def test_an_estimator_without_a_version_is_refused(study, monkeypatch, tmp_path):
    monkeypatch.delattr(sys.modules["outside_objects"].Counting, "version")
    monkeypatch.delattr("modalprism.estimation.codebook.codebook.CodebookEstimator.version")
    assert study.estimator == "counting"
    with pytest.raises(InputError, match="estimator: the estimator 'counting' has no version"):
        Study.from_yaml(tmp_path / "study.yaml")


def test_an_object_that_is_no_engine_is_refused():
    with pytest.raises(InputError, match=r"an object with the methods of modalprism\.engines"):
        engine_for(object())

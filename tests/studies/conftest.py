"""A small file of embeddings: a picture decides the answer, a layer mixes the streams."""

import numpy as np
import pytest
import yaml

from modalprism.studies.study import Study

N = 240


@pytest.fixture(scope="session")
def arrays():
    """Return what a small store holds."""
    rng = np.random.default_rng(0)
    kind, word = rng.integers(3, size=N), rng.integers(3, size=N)
    image = np.eye(3)[kind] @ rng.normal(size=(3, 6)) + 0.3 * rng.normal(size=(N, 6))
    text = np.eye(3)[word] @ rng.normal(size=(3, 5)) + 0.3 * rng.normal(size=(N, 5))
    mixed = np.concatenate([image, text], 1)
    answer = np.exp(3 * np.eye(3)[kind] + 0.3 * rng.normal(size=(N, 3)))
    first = np.repeat(np.arange(30), 8)
    draw = np.tile(np.arange(8), 30)
    return {
        "image/0": image,
        "image/1": mixed @ rng.normal(size=(11, 6)),
        "text/0": text,
        "text/1": mixed @ rng.normal(size=(11, 5)),
        "fused/1": mixed,
        "label": kind,
        "answer": answer / answer.sum(1, keepdims=True),
        "group/patient": np.arange(N) // 2,
        "redrawn/answer": np.eye(3)[np.arange(30) % 3][first] * 0.97 + 0.01,
        "redrawn/image": first,
        "redrawn/text": (first + 1 + draw) % 30,
    }


@pytest.fixture(scope="session")
def make_study(arrays, tmp_path_factory):
    """Write a store and a study of it into a fresh folder, and return the study's file.

    `changes` are arrays of the store; None leaves one out. `options` are keys of the study.
    """

    def make(changes=None, **options):
        folder = tmp_path_factory.mktemp("study")
        kept = {name: a for name, a in (arrays | (changes or {})).items() if a is not None}
        np.savez(folder / "store.npz", **kept)
        content = {
            "sources": [{"kind": "embeddings", "path": "store.npz"}],
            "replicates": 50,
            "permutations": 19,
            "effort": "fast",
            "workers": 1,
            "out": "run",
        }
        (folder / "study.yaml").write_text(yaml.safe_dump(content | options), "utf-8")
        return folder / "study.yaml"

    return make


@pytest.fixture(scope="session")
def finished(make_study):
    """(study, profile) of a run with every view and both kinds of pairs; leave it alone."""
    path = make_study(views=["answer", "stream", "encoding"], pairs=["observed", "redrawn"])
    study = Study.from_yaml(path)
    return study, study.run(report=False)


@pytest.fixture(autouse=True)
def _no_report(request, monkeypatch):
    """Runs of this room's tests draw nothing, which takes seconds, unless they ask for it."""
    if "drawn" not in request.fixturenames:
        monkeypatch.setattr("modalprism.reports.write_report", lambda folder, **_: folder)


@pytest.fixture
def drawn():
    """Let runs of this test draw their report."""

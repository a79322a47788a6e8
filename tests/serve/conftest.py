"""A real small run, made once, and folders of its copies."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
import yaml
from starlette.testclient import TestClient

from modalprism.serve import make_app
from modalprism.studies.study import Study

N = 120
PORT = 8765


def _arrays():
    """What a small store holds: a picture decides the answer."""
    rng = np.random.default_rng(0)
    kind, word = rng.integers(3, size=N), rng.integers(3, size=N)
    answer = np.exp(3 * np.eye(3)[kind] + 0.3 * rng.normal(size=(N, 3)))
    return {
        "image/0": np.eye(3)[kind] + 0.3 * rng.normal(size=(N, 3)),
        "text/0": np.eye(3)[word] + 0.3 * rng.normal(size=(N, 3)),
        "label": kind,
        "answer": answer / answer.sum(1, keepdims=True),
    }


@pytest.fixture(scope="session")
def real_run(tmp_path_factory):
    """The folder of a real run with its report; leave it alone."""
    folder = tmp_path_factory.mktemp("study")
    np.savez(folder / "store.npz", **_arrays())
    content = {
        "title": "Does it look?",
        "sources": [
            {"kind": "embeddings", "path": "store.npz", "model": "tiny", "dataset": "shapes"}
        ],
        "folds": 3,
        "replicates": 20,
        "permutations": 19,
        "workers": 1,
        "out": "run",
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(content), "utf-8")
    study = Study.from_yaml(folder / "study.yaml")
    study.run()
    return study.out


@pytest.fixture
def runs(tmp_path):
    """The folder that is served."""
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


@pytest.fixture
def add(real_run, runs):
    """Copy the real run into the folder, perhaps with other words in its manifest."""

    def copy(name, old="", new=""):
        folder = runs / name
        shutil.copytree(real_run, folder)
        path = folder / "manifest.json"
        path.write_text(path.read_text("utf-8").replace(old, new) if old else path.read_text())
        os.utime(path, (1_700_000_000, 1_700_000_000))
        return folder

    return copy


@pytest.fixture
def client(runs):
    return TestClient(
        make_app(runs, PORT),
        base_url=f"http://127.0.0.1:{PORT}",
        follow_redirects=False,
        raise_server_exceptions=False,
    )

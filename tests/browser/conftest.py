"""A real browser, and the pages of a folder of runs as ``modalprism serve`` gives them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import yaml

from modalprism.reports.compare import read_runs, write_comparison
from modalprism.studies.comparison import compare
from modalprism.studies.study import Study

N = 120


@pytest.fixture(scope="session")
def browser():
    """Debian's chromium, or the one that playwright has brought."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is missing: make test-browser installs it"
    )
    # Chromium's own sandbox does not start for root.
    flags = ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with playwright.sync_playwright() as started:
        try:
            chromium = started.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        except playwright.Error as error:
            # These tests run only where they are asked for: without a browser they have failed.
            pytest.fail(f"no chromium, make test-browser installs it: {str(error).splitlines()[0]}")
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Two finished runs."""
    folder = tmp_path_factory.mktemp("browser")
    rng = np.random.default_rng(0)
    kind, word = rng.integers(3, size=N), rng.integers(3, size=N)
    answer = np.exp(3 * np.eye(3)[kind] + 0.3 * rng.normal(size=(N, 3)))
    arrays = {
        "image": np.eye(3)[kind] + 0.3 * rng.normal(size=(N, 3)),
        "text": np.eye(3)[word] + 0.3 * rng.normal(size=(N, 3)),
        "label": kind,
        "answer": answer / answer.sum(1, keepdims=True),
    }
    np.savez(folder / "store.npz", **arrays)
    for name in ("before", "after"):
        content = {
            "title": f"Does it look, {name}?",
            "sources": [{"path": "store.npz", "model": f"model {name}", "dataset": "shapes"}],
            "folds": 3,
            "replicates": 20,
            "permutations": 19,
            "workers": 1,
            "out": f"runs/{name}",
        }
        (folder / "study.yaml").write_text(yaml.safe_dump(content), "utf-8")
        study = Study.from_yaml(folder / "study.yaml")
        study.run()
    return folder / "runs"


@pytest.fixture(scope="session")
def comparison(runs):
    """The page of a comparison of the two, which lies beside them."""
    found = read_runs([runs / "before", runs / "after"])
    return write_comparison(found, compare(found), runs / "comparison")


@pytest.fixture(scope="session")
def address(runs):
    command = [sys.executable, "-m", "modalprism.cli", "serve", str(runs), "--port", "0"]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.PIPE, text=True, env=environment
    ) as server:
        try:
            yield re.search(r"http://\S+", server.stdout.readline())[0]
        finally:
            server.send_signal(signal.SIGINT)


@pytest.fixture
def page(browser, address):
    """A page that keeps what was asked of any network, and what its console said."""
    page = browser.new_page(base_url=address)
    page.asked, page.said = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    yield page
    page.close()

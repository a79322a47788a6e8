"""A study's bytes are the same wherever it ran, and whatever died meanwhile."""

import logging
import os
import re
import signal
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from modalprism.capture.store import EmbeddingStore
from modalprism.engines import LocalEngine, RayEngine, SerialEngine
from modalprism.errors import InputError
from modalprism.progress import ProgressEvent
from modalprism.studies.evidence_store import AnalysisKey
from modalprism.studies.runner import _analyse, _digest_there
from modalprism.studies.study import Study
from modalprism.studies.views import Settings

pytestmark = pytest.mark.slow
MOST = {"views": ["answer", "stream", "encoding"], "pairs": ["observed", "redrawn"]}
RESULTS = ("profile.parquet", "evidence.safetensors", "examples.parquet", "study.yaml")


def contents(study):
    """Return what a run writes that must not depend on where it ran."""
    files = [*(study.out / name for name in RESULTS), *(study.out / "analyses").iterdir()]
    found = {str(path.relative_to(study.out)): path.read_bytes() for path in files}
    # Where the store and the run are is theirs.
    found["study.yaml"] = re.sub(rb"(path|out): .*", b"", found["study.yaml"])
    return found


@pytest.fixture(scope="module")
def serial(make_study):
    """What a run in this process wrote."""
    study = Study.from_yaml(make_study(**MOST))
    study.run(engine=SerialEngine())
    return contents(study)


@pytest.fixture(params=["local", "ray"])
def engine(request):
    if request.param == "ray":
        request.getfixturevalue("cluster")
        return RayEngine(workers=2)
    return LocalEngine(workers=2)


def processes():
    """Yield the id, parent and command of every process."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                command = (folder / "cmdline").read_bytes()
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:  # it has ended
                continue
            yield int(folder.name), parent, command


def workers_at_work(engine):
    """Return the processes that this process's engine runs jobs in."""
    found = list(processes())
    if isinstance(engine, RayEngine):
        children = {one for one, parent, _ in found if parent == os.getpid()}
        return [one for one, parent, c in found if parent in children and c.startswith(b"ray::_c")]
    return [one for one, parent, c in found if parent == os.getpid() and b"popen_loky" in c]


def test_the_same_bytes_come_out_of_every_engine(make_study, engine, serial):
    study = Study.from_yaml(make_study(**MOST))
    study.run(engine=engine)
    assert contents(study) == serial


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds workers where Linux lists them")
def test_a_worker_killed_in_the_middle_costs_no_byte(make_study, engine, serial, caplog):
    caplog.set_level(logging.WARNING, "modalprism.engines")
    killed = []

    def kill_one():
        until = time.monotonic() + 60
        while not killed and time.monotonic() < until:
            time.sleep(0.05)
            for process in workers_at_work(engine)[:1]:
                os.kill(process, signal.SIGKILL)
                killed.append(process)

    study = Study.from_yaml(make_study(**MOST))
    killer = threading.Thread(target=kill_one)

    def kill(event):
        if event == ProgressEvent("analysing", 0, event.total):
            killer.start()

    study.run(engine=engine, progress=kill)
    killer.join()
    assert killed
    assert "died" in caplog.text
    assert "tried again" in caplog.text
    assert contents(study) == serial


def test_a_run_that_was_stopped_goes_on_elsewhere(make_study, engine, serial):
    study = Study.from_yaml(make_study(**MOST))

    def stop_after_two(event):
        if (event.description, event.done) == ("analysing", 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study.run(engine=engine, progress=stop_after_two)
    done = {path: path.stat().st_mtime_ns for path in (study.out / "analyses").glob("*.json")}
    assert len(done) == 2
    events = []
    study.run(engine=SerialEngine(), progress=events.append)
    assert ProgressEvent("analysing", 0, 3) in events
    assert all(path.stat().st_mtime_ns == when for path, when in done.items())
    assert contents(study) == serial


def test_a_store_that_cannot_be_analysed_is_refused_in_the_same_words(make_study, arrays, engine):
    study = Study.from_yaml(make_study({"label": arrays["label"][:-1]}, views=["stream"]))
    with pytest.raises(InputError) as caught:
        study.run(engine=engine)
    with pytest.raises(InputError) as expected:
        study.run(engine=SerialEngine())
    assert type(caught.value) is InputError
    assert str(caught.value) == str(expected.value)


def test_a_machine_that_does_not_see_the_store_says_so(make_study):
    folder = make_study().parent
    store = EmbeddingStore.open(folder / "store.npz")
    task = AnalysisKey("model", "dataset", "answer", "observed", -1)
    settings = Settings(("image", "text"), replicates=2, permutations=1)
    there = socket.gethostname()
    gone = replace(store, path=folder / "elsewhere.npz")
    with pytest.raises(
        InputError, match=rf"the machine {there} has no store .*elsewhere\.npz; put"
    ):
        _analyse(task, gone, store.digest(), "another machine", settings)
    with pytest.raises(InputError, match=rf"the machine {there} has another store at .*store\.npz"):
        _analyse(task, store, "another digest", "another machine", settings)
    assert _analyse(task, store, store.digest(), "another machine", settings).value
    _digest_there.cache_clear()

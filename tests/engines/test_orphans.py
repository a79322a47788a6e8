"""No process of a pool outlives the one that started it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes where Linux lists them"),
]

WORKS = """
import sys, time
from pathlib import Path
from modalprism.engines import Job, {engine}
from modalprism.progress import silent

def work(number, folder=sys.argv[1]):
    Path(folder, str(number)).touch()
    time.sleep({seconds} if number else 0)

jobs = [Job(str(number), work, (number,)) for number in range(3)]
for _ in {engine}(workers=2).run(jobs, track=silent, description="working"):
    pass
time.sleep(600)
"""


def members(session):
    """Return the processes of a session that have not ended, with their commands."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            state, _, _, own = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, ValueError):  # no process, or ended
            continue
        if int(own) == session and state != "Z":
            found[int(folder.name)] = command
    return found


def wait_until(holds, seconds):
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:
        time.sleep(0.05)
    return holds()


def processes_left(tmp_path, end, *, seconds, engine="LocalEngine", agents=0):
    """Start a pool in a process, end that process, and return what is left of its session."""
    code = WORKS.format(seconds=seconds, engine=engine)
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, start_new_session=True) as process:  # noqa: S603
        try:
            assert wait_until(lambda: len(list(tmp_path.iterdir())) == 3, 120)
            assert len(members(process.pid)) > 2
            process.send_signal(end)
            process.wait(60)
            wait_until(lambda: len(members(process.pid)) <= agents, 20)
            return members(process.pid)
        finally:
            for left in members(process.pid):
                os.kill(left, signal.SIGKILL)


@pytest.mark.parametrize(
    "end", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP], ids=lambda s: s.name
)
def test_workers_and_trackers_end_with_a_killed_parent(tmp_path, end):
    assert processes_left(tmp_path, end, seconds=600) == {}


def test_idle_workers_do_too(tmp_path):
    assert processes_left(tmp_path, signal.SIGKILL, seconds=0) == {}


def test_ray_workers_end_with_the_process_that_started_their_cluster(tmp_path):
    """Two agents of Ray's own try to reach its dead head for a minute more: a constant of Ray."""
    pytest.importorskip("ray")
    left = processes_left(tmp_path, signal.SIGKILL, seconds=600, engine="RayEngine", agents=2)
    assert [command for command in left.values() if "Agent" not in command] == []

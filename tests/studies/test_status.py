import json
import os
import signal
import subprocess
import sys

import pytest

from modalprism.errors import InputError, WorkerError
from modalprism.progress import silent
from modalprism.studies import status
from modalprism.studies.status import STATUS_FILE, RunStatus, parsed_status, reported
from modalprism.studies.study import Study

RUNS = """
import os, signal, sys
from pathlib import Path
from modalprism.progress import silent
from modalprism.studies.status import reported
with reported(Path(sys.argv[1]), silent) as track:
    for _ in track(range(3), total=3, description="analysing"):
        pass
    os.kill(os.getpid(), signal.SIGKILL)
"""


def read(folder):
    return parsed_status((folder / STATUS_FILE).read_bytes()).checked()


def test_a_run_that_goes_on_says_how_far_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(status, "_SECONDS_BETWEEN", 0.0)
    seen = []
    with reported(tmp_path, silent) as track:
        assert read(tmp_path).words == "running"
        for _ in track("abc", total=3, description="analysing"):
            seen.append(read(tmp_path).words)
    assert seen == [f"running: analysing, {k} of 3" for k in (1, 2, 3)]
    assert read(tmp_path).words == "finished"


def test_progress_is_shown_to_people_too(tmp_path):
    shown = []

    def track(sequence, *, total, description):
        shown.append((total, description))
        return sequence

    with reported(tmp_path, track) as both:
        assert list(both("ab", total=2, description="working")) == ["a", "b"]
    assert shown == [(2, "working")]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (InputError("the file a.npz does not exist; check the path"), "the file a.npz does not"),
        (WorkerError("the process died 4 times"), "the process died 4 times"),
        (OSError(28, "No space left on device", "runs/a"), "No space left on device: runs/a"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
        (MemoryError(), "MemoryError"),
        (ValueError("two\nlines \x1b[2J"), r"ValueError: two lines \x1b[2J"),
        (SystemExit(3), "SystemExit: 3"),
    ],
)
def test_a_run_that_fails_says_why_in_one_line(tmp_path, error, words):
    with pytest.raises(type(error)), reported(tmp_path, silent):
        raise error
    assert read(tmp_path).state == "failed"
    assert read(tmp_path).words.startswith(f"failed: {words}")


def test_a_run_that_is_interrupted_is_stopped(tmp_path):
    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), reported(tmp_path, silent) as track:
        list(track((stop() for _ in range(3)), total=3, description="analysing"))
    assert read(tmp_path).words == "stopped: analysing, 0 of 3"


def test_an_error_that_ctrl_c_caused_in_compiled_code_is_no_failure(tmp_path):
    """Code in C that is interrupted while it draws raises an error of its own."""

    def draw():
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as interrupt:
            raise RuntimeError("in FT2Font: could not set the fontsize") from interrupt

    with pytest.raises(RuntimeError), reported(tmp_path, silent) as track:
        list(track((draw() for _ in range(3)), total=3, description="drawing figures"))
    assert read(tmp_path).words == "stopped: drawing figures, 0 of 3"


def test_a_killed_run_has_crashed(tmp_path):
    done = subprocess.run([sys.executable, "-c", RUNS, str(tmp_path)], check=False)  # noqa: S603
    assert done.returncode == -signal.SIGKILL
    assert json.loads((tmp_path / STATUS_FILE).read_text())["state"] == "running"
    assert read(tmp_path).words.startswith("crashed while analysing, 3 of 3: its process was kill")


def running(**changes):
    with_defaults = {
        "state": "running", "pid": os.getpid(), "host": status.socket.gethostname(),
        "born": status._birth(os.getpid()),
    } | changes  # fmt: skip
    return parsed_status(json.dumps(with_defaults).encode()).checked().state


@pytest.mark.skipif(not status._birth(os.getpid()), reason="/proc says when a process began")
def test_a_process_is_told_from_another_of_its_number():
    assert running() == "running"
    assert running(born=f"{status._birth(os.getpid())}0") == "crashed"
    assert running(pid=2**22 + 1) == "crashed"


def test_what_nobody_can_say_is_left_as_it_stands():
    assert running(host="another-machine", pid=2**22 + 1) == "running"
    assert running(born="pid:[1] 5") == "running"  # another container
    assert running(born="", pid=-1) == "running"
    assert running(born="", pid=10**40) == "running"


def test_where_the_system_says_no_birth_the_number_counts():
    assert running(born="") == "running"
    assert running(born="", pid=2**22 + 1) == "crashed"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"state": "flying"}', b"\xff", b"[" * 10_000, b'{"state": 1}']
)
def test_a_damaged_file_is_no_status(content):
    assert parsed_status(content) is None


def test_two_runs_in_one_folder_are_refused(make_study):
    study = Study.from_yaml(make_study())
    with (
        reported(study.out, silent),
        pytest.raises(InputError, match=r"another process .* writes into .*run; wait"),
    ):
        study.run()
    assert read(study.out).state == "finished"


def test_a_study_that_cannot_run_leaves_its_sentence(make_study, arrays):
    study = Study.from_yaml(make_study({"label": arrays["label"][:-1]}))
    with pytest.raises(InputError) as caught:
        study.run()
    assert read(study.out).words == f"failed: {caught.value}"


def test_what_a_killed_run_left_half_written_is_removed(tmp_path):
    (tmp_path / "analyses").mkdir()
    for name in ("profile.parquet.7.partial", "analyses/a.json.7.partial"):
        (tmp_path / name).touch()
    with reported(tmp_path, silent):
        assert not list(tmp_path.rglob("*.partial"))


def test_a_status_that_cannot_be_written_costs_no_run(tmp_path):
    (tmp_path / STATUS_FILE).mkdir()
    with reported(tmp_path, silent) as track:
        assert list(track("ab", total=2, description="working")) == ["a", "b"]


def test_words_of_a_step_of_unknown_length():
    assert RunStatus(state="running", doing="capturing", done=7).words == "running: capturing"

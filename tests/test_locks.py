import signal
import subprocess
import sys
import threading

import pytest

from modalprism.errors import InputError
from modalprism.files import LOCK_FILE, exclusive

HOLDS = """
import sys, time
from pathlib import Path
from modalprism.files import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the folder."""
    command = [sys.executable, "-c", HOLDS, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_folder_that_another_process_holds_is_refused(tmp_path, holder):
    words = rf"another process \(process {holder.pid} on .*\) writes into .*; wait until it ends"
    with pytest.raises(InputError, match=words), exclusive(tmp_path):
        pytest.fail("two at once")


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with exclusive(tmp_path):
        assert str(holder.pid) not in (tmp_path / LOCK_FILE).read_text()


def test_another_thread_is_refused_too(tmp_path):
    refused = []

    def hold():
        try:
            with exclusive(tmp_path):
                pass
        except InputError as error:
            refused.append(error)

    with exclusive(tmp_path):
        thread = threading.Thread(target=hold)
        thread.start()
        thread.join()
    assert len(refused) == 1
    with exclusive(tmp_path):
        pass


@pytest.mark.parametrize("words", [b"", b"\xff\x00\x1b[2J", b"x" * 10_000])
def test_what_stands_in_the_file_does_not_matter(tmp_path, words):
    (tmp_path / LOCK_FILE).write_bytes(words)
    with exclusive(tmp_path):
        (tmp_path / LOCK_FILE).write_bytes(words)
        with pytest.raises(InputError) as caught, exclusive(tmp_path):
            pass
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


def test_a_missing_folder_is_made(tmp_path):
    with exclusive(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").is_dir()

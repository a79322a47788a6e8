"""The process of a command: Ctrl-C at any moment, streams that take no text, other systems."""

import io
import json
import os
import signal
import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path

import pytest
from rich.console import Console

from modalprism.bars import Bars
from modalprism.cli.console import print_json
from modalprism.cli.process import prepare_streams, prepare_warnings
from modalprism.progress import ProgressEvent

STOPPED = "stopped; the same command starts again from the beginning\n"
# Press Ctrl-C whenever a module is imported, once or twice.
PRESS = """
import os, signal, sys
class Press:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            for _ in range({times}):
                try:
                    os.kill(os.getpid(), signal.SIGINT)
                except KeyboardInterrupt:
                    if {times} == 1:
                        raise
sys.meta_path.insert(0, Press())
sys.argv[1:] = {arguments!r}
from modalprism.cli import main
main()
"""


def ended(code, **options):
    """Run code in an interpreter of its own."""
    return subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, **options
    )


def command(*arguments, **options):
    """Run a command in an interpreter of its own."""
    line = [sys.executable, "-m", "modalprism", *arguments]
    return subprocess.run(line, check=False, text=True, **options)  # noqa: S603


@pytest.mark.parametrize("module", ["typer", "rich", "modalprism.cli.app", "numpy", "torch"])
def test_ctrl_c_while_libraries_load_is_a_sentence(module, tmp_path):
    arguments = ["analyze", str(tmp_path / "none.npz")]
    done = ended(PRESS.format(module=module, times=1, arguments=arguments))
    assert done.stderr == STOPPED
    assert done.returncode == 1


# What Python makes of Ctrl-C inside __set_name__, and what an extension in C may make of it.
WRAPPED = """
import os, signal, sys
from modalprism import cli
from modalprism.cli import app
def interrupted():
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt as error:
        raise RuntimeError("Error calling __set_name__") from error
app.app = interrupted
cli.main()
"""


def test_ctrl_c_that_comes_back_as_another_error_is_a_sentence():
    done = ended(WRAPPED)
    assert (done.returncode, done.stderr) == (1, STOPPED)


TWICE = """
import signal, sys
from modalprism import cli
from modalprism.cli import app
class Impatient:
    def write(self, text):
        signal.raise_signal(signal.SIGINT)
        return sys.__stderr__.write(text)
    def flush(self):
        sys.__stderr__.flush()
def interrupted():
    sys.stderr = Impatient()
    signal.raise_signal(signal.SIGINT)
app.app = interrupted
cli.main()
"""


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        ("capture", "finished work is kept, and the same command resumes"),
        ("demo", "finished work is kept, and the same command resumes"),
        ("run", "finished work is kept, and the same command resumes"),
        ("validate", "captured stores are kept, and the same command starts the checks again"),
        ("decompose", "the same command starts again from the beginning"),
        ("report", "the same command starts again from the beginning"),
    ],
)
def test_ctrl_c_says_what_the_command_keeps(run, monkeypatch, command, kept):
    monkeypatch.setattr("modalprism.cli.app.app", lambda: signal.raise_signal(signal.SIGINT))
    assert run(command) == (1, "", f"stopped; {kept}\n")


def test_a_second_ctrl_c_does_not_cut_the_sentence():
    done = ended(TWICE)
    assert (done.returncode, done.stderr) == (1, STOPPED)


@pytest.mark.parametrize(
    "arguments",
    [
        ["families"],
        ["families", "--json"],
        ["decompose", "--gate", "list"],
        ["decompose", "--gate", "and"],
        ["--help"],
        ["--version"],
    ],
)
def test_a_reader_that_leaves_early_ends_it_as_sigpipe_does(arguments):
    read, write = os.pipe()
    os.close(read)
    done = command(*arguments, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_under_the_output_is_a_sentence():
    with open("/dev/full", "w") as full:
        done = command("families", stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr.startswith("error: No space left on device")
    assert done.stderr.count("\n") == 1


def test_a_closed_output_is_no_error():
    done = ended(
        "import sys; sys.stdout = None; sys.argv[1:] = ['families']\n"
        "from modalprism.cli import main; main()"
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("encoding", "written"),
    [("ascii", "-1 * \\u56fe ..."), ("cp1252", "-1 • \\u56fe …"), ("utf-8", "−1 • 图 …")],
)
def test_text_that_an_encoding_lacks_is_written_plainly(encoding, written, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    prepare_streams()
    stream.write("−1 • 图 …")
    stream.flush()
    assert stream.buffer.getvalue().decode(encoding) == written


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_json_is_json_in_every_encoding(encoding, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    prepare_streams()
    print_json({"图像 😀": [1, float("nan")]})
    assert json.loads(stream.buffer.getvalue().decode(encoding)) == {"图像 😀": [1, None]}


# As on Windows: no module of the package may need what only POSIX has.
ELSEWHERE = """
import builtins, pkgutil
import torch, transformers, sklearn, joblib, starlette, uvicorn  # these need some of it here
missing = {"resource", "fcntl", "pwd", "grp", "termios", "tty", "pty", "posix", "syslog"}
real = builtins.__import__
def guarded(name, globals=None, *rest, **more):
    if name in missing and (globals or {}).get("__name__", "").startswith("modalprism"):
        raise ModuleNotFoundError(f"No module named {name!r}")
    return real(name, globals, *rest, **more)
builtins.__import__ = guarded
import modalprism
for module in pkgutil.walk_packages(modalprism.__path__, "modalprism."):
    if not module.name.endswith(("__main__", "triton_backend")):  # triton is for Linux
        __import__(module.name)
"""


@pytest.mark.slow
def test_no_module_needs_what_only_posix_has():
    done = ended(ELSEWHERE)
    assert done.returncode == 0, done.stderr


def test_the_command_line_needs_nothing_that_only_posix_has():
    code = ELSEWHERE.replace("import torch, transformers, sklearn, joblib, starlette, uvicorn", "")
    code = code.partition("import modalprism\n")[0] + "import modalprism.cli.app"
    done = ended(code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "arguments",
    [["run", "none.yaml"], ["validate", "none.yaml"], ["compare", "none"], ["analyze", "none.npz"]],
)
def test_a_terminal_sees_a_sign_of_life_before_libraries_load(arguments, run, monkeypatch):
    screen = Console(file=io.StringIO(), force_terminal=True, force_interactive=True)
    import_module("modalprism.cli.app")  # whose commands hold on to the console that they import
    monkeypatch.setattr("modalprism.cli.console.ERR", screen)
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert "working" in screen.file.getvalue()


def test_a_pipe_sees_no_bars(run):
    assert "working" not in run("analyze", "none.npz")[2]


def test_a_bar_that_moves_needs_no_sign_of_life():
    screen = Console(file=io.StringIO(), force_terminal=True, force_interactive=True)
    with Bars(console=screen, auto_refresh=False) as progress:
        assert len(list(progress.get_renderables())) == 2
        progress.show(ProgressEvent("analysing [bold]", 0, 1))
        assert len(list(progress.get_renderables())) == 1
        progress.show(ProgressEvent("analysing [bold]", 1, 1))
        assert len(list(progress.get_renderables())) == 2
    _, name, end = screen.file.getvalue().rpartition("analysing [bold]")
    assert name
    assert "working" not in end


def test_warnings_of_the_package_are_a_sentence_and_others_keep_their_place(capsys, monkeypatch):
    others = []
    monkeypatch.setattr(warnings, "showwarning", lambda *given: others.append(given))
    prepare_warnings()
    for path in (import_module("modalprism").__file__, "elsewhere.py"):
        warnings.showwarning("no font has\n像", UserWarning, path, 7)
    assert capsys.readouterr().err == "warning: no font has\\n像\n"
    assert others == [("no font has\n像", UserWarning, "elsewhere.py", 7, None, None)]

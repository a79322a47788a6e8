import os
import queue
import re
import select
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from modalprism.cli.app import app
from modalprism.errors import InputError
from modalprism.serve import serve

ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)/")


@pytest.mark.slow
def test_it_serves_says_where_and_ends_quietly(add, runs):
    add("a")
    command = [sys.executable, "-m", "modalprism.cli", "serve", str(runs), "--port", "0"]
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}
    with subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert select.select([process.stdout], [], [], 60)[0]
            address = ADDRESS.search(process.stdout.readline())
            with urllib.request.urlopen(address[0], timeout=30) as answer:  # noqa: S310
                assert "Does it look?" in answer.read().decode()
            with pytest.raises(OSError, match="refused"):
                socket.create_connection((_other_address(), int(address[1])), timeout=5)
        finally:
            process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")


def _other_address():
    """Another address of this machine than the one that is served."""
    return "127.0.0.2"


def test_a_busy_port_is_a_sentence(runs):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} is busy: .*; give another port"):
            serve(runs, port, started=pytest.fail)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may take any port")
def test_a_port_that_is_not_ours_is_a_sentence(runs):
    with pytest.raises(InputError, match="port 1 cannot be had: "):
        serve(runs, 1, started=pytest.fail)


def test_a_missing_folder_is_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    for name in ("none", "file"):
        with pytest.raises(InputError, match="is not a folder; name the folder that holds your"):
            serve(tmp_path / name, 0, started=pytest.fail)


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_a_missing_extra_is_a_sentence(runs, monkeypatch, missing):
    for name in list(sys.modules):
        if name.startswith(("modalprism.serve", f"{missing}.")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    result = CliRunner().invoke(app, ["serve", str(runs)])
    assert isinstance(result.exception, InputError)
    sentence = f"the pages need {missing}; run pip install 'modalprism[serve]'"
    assert str(result.exception) == sentence


@pytest.mark.parametrize("flag", [(), ("--open",), ("--no-open",)])
def test_the_browser_is_opened_only_where_it_is_asked_for(runs, monkeypatch, flag):
    served, opened = [], queue.Queue()

    def pretend(folder, port, *, started):
        served.append((folder, port))
        started("http://127.0.0.1:1/")

    monkeypatch.setattr("modalprism.serve.serve", pretend)
    monkeypatch.setattr("webbrowser.open", opened.put)
    result = CliRunner().invoke(app, ["serve", str(runs), *flag])
    assert result.exit_code == 0
    assert "http://127.0.0.1:1/" in result.output
    assert served == [(Path(runs), 8765)]
    if flag == ("--open",):
        assert opened.get(timeout=10) == "http://127.0.0.1:1/"
    assert opened.empty()

"""Worker processes do not look for modules in the working folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import modalprism

WORK = """
from modalprism.engines import Job, engine_for
if __name__ == "__main__":
    engine = engine_for({engine!r}, workers=2)
    jobs = [Job(str(n), pow, (n, 2)) for n in range(4)]
    print(sorted(dict(engine.run(jobs, track=lambda i, **_: i, description="")).values()))
"""


@pytest.fixture
def planted(tmp_path):
    """A folder with files that have the names of modules which worker processes import."""
    for name in ("joblib", "cloudpickle", "safetensors", "secrets", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text(
            f"open('{name} ran', 'w').close()\nraise SystemExit(3)\n"
        )
    return tmp_path


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    source = str(Path(modalprism.__file__).parents[1])
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"}
    return subprocess.run(  # noqa: S603
        [sys.executable, *arguments],
        cwd=folder,
        env=environment | {"PYTHONPATH": source},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_workers_import_nothing_from_the_working_folder(planted, engine, tmp_path_factory):
    if engine == "ray":
        pytest.importorskip("ray")
    script = tmp_path_factory.mktemp("own") / "work.py"
    script.write_text(WORK.format(engine=engine))
    done = python(planted, str(script))
    assert done.stdout.strip().endswith("[0, 1, 4, 9]"), done.stderr
    assert not list(planted.glob("* ran"))


def test_the_command_line_imports_nothing_from_the_working_folder(planted):
    (planted / "torch.py").write_text("open('torch ran', 'w').close()\n")
    (planted / "e.npz").write_bytes(b"")
    done = python(planted, "-m", "modalprism.cli", "analyze", "e.npz")
    assert done.returncode == 2, done.stderr
    assert not list(planted.glob("torch ran"))

"""Every option of every command: a wrong value is refused in one sentence that names the flag."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.main import get_command

from modalprism.cli.app import app

NAME = "of none"
# A value that is wrong for a number, and for each option that takes no number.
NUMBER = "-1"
WRONG = {
    "address": "nowhere",
    "adapter": NAME,
    "answer": "yes",
    "base": "two",
    "baselines": NAME,
    "batch_size": "many",
    "candidates": "",
    "column": "image=nowhere",
    "count": NAME,
    "device": NAME,
    "dtype": NAME,
    "engine": NAME,
    "estimator": NAME,
    "gate": NAME,
    "layers": "many",
    "modality": NAME,
    "on_error": NAME,
    "out": "file/below",
    "pool": NAME,
    "prompt": "{nowhere}",
    "solver": NAME,
    "source": NAME,
    "split": NAME,
    "target": NAME,
}
# Nothing is wrong without a network, or by itself.
ANYTHING = {"allow_code", "revision"}
BESIDE = {
    "address": ("--engine", "ray"),
    "marginal_tolerance": ("marginals.npz",),
    "partners": ("--redrawn", "2"),
}
ARGUMENTS = {
    "decompose": ("xor.csv",),
    "capture": ("MODEL", "ROWS", "--candidate", "A", "--candidate", "B"),
    "init": ("store.npz",),
    "compare": ("run", "other"),
    "serve": (".",),
    "validate": ("study.yaml",),
    "analyze": ("store.npz",),
    "run": ("study.yaml",),
}


def options():
    for name, command in get_command(app).commands.items():
        for option in command.params:
            flag = option.opts[0]
            if flag.startswith("--") and not option.is_flag and option.name not in ANYTHING:
                yield pytest.param(name, option, id=f"{name}{flag}")


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    label = rng.integers(2, size=60)
    np.savez("store.npz", image=rng.normal(size=(60, 2)), text=label[:, None], label=label)
    np.savez("marginals.npz", p_x1y=np.eye(2) / 2, p_x2y=np.full((2, 2), 0.25))
    study = {"sources": [{"path": "store.npz"}], "out": "run", "workers": 1, "replicates": 20}
    Path("study.yaml").write_text(yaml.safe_dump(study))
    Path("xor.csv").write_text("a,b,y\n0,0,f\n0,1,t\n1,0,t\n1,1,f\n")
    Path("file").touch()


@pytest.mark.parametrize(("command", "option"), list(options()))
@pytest.mark.usefixtures("files")
def test_a_wrong_value_is_refused_with_its_flag(command, option, run, request):
    flag = option.opts[0]
    if command == "compare":
        assert run("run", "study.yaml")[0] == 0
        shutil.copytree("run", "other")
    wrong = WRONG.get(option.name, NUMBER)
    arguments = list(ARGUMENTS.get(command, ()))
    if command == "capture":
        arguments[:2] = (
            request.getfixturevalue("clip_folder"),
            request.getfixturevalue("emoji_rows"),
        )
        arguments += ["--out", "store"] if option.name != "out" else []
    if command == "init" and option.name != "out":
        arguments += ["--out", "new.yaml"]
    if flag == "--gate":
        arguments = []
    beside = BESIDE.get(option.name, ())
    arguments = list(beside) if flag == "--marginal-tolerance" else [*arguments, *beside]
    code, out, err = run(command, *arguments, flag, wrong)
    assert (code, out) == (2, "")
    assert flag in err
    assert "Traceback" not in err

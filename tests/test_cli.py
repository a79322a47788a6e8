"""The command line: what it prints, what it writes, and one sentence for every mistake."""

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from modalprism.demo import fusion_network as checkpoints
from modalprism.errors import WorkerError
from modalprism.pid.gates import GATES
from modalprism.pid.stopping import Watch
from modalprism.studies.shown_examples import gather_examples

N = 120
RNG = np.random.default_rng(0)
KIND = RNG.integers(3, size=N)
ARRAYS = {
    "image": 3 * np.eye(3)[KIND] + 0.3 * RNG.normal(size=(N, 3)),
    "text": RNG.normal(size=(N, 4)),
    "label": KIND,
}
XOR = "a,b,y\n0,0,f\n0,1,t\n1,0,t\n1,1,f\n"


@pytest.fixture
def refused(run):
    """Run the command line; it must end with code 2 and one sentence, which is returned."""

    def do(*arguments):
        code, out, err = run(*arguments)
        assert code == 2
        assert out == ""
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        assert "Traceback" not in err
        return err

    return do


def write_store(name="store.npz", **changes):
    np.savez(name, **{key: a for key, a in (ARRAYS | changes).items() if a is not None})


def write_study(name="study.yaml", **options):
    content = {
        "sources": [{"kind": "embeddings", "path": "store.npz"}],
        "replicates": 50,
        "permutations": 19,
        "effort": "fast",
        "workers": 1,
        "out": "run",
    }
    Path(name).write_text(yaml.safe_dump(content | options), "utf-8")


def read_json(text):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_decompose_prints_a_table(run):
    Path("xor.csv").write_text(XOR)
    code, out, err = run("decompose", "xor.csv")
    assert (code, err) == (0, "")
    assert "sources: 1 = a, 2 = b; target: y" in out
    assert "synergy        1.000000" in out
    assert "undetermined" in out


def test_decompose_prints_json(run):
    Path("xor.csv").write_text(XOR)
    options = ("--source", "y", "--source", "b", "--target", "a", "--base", "e", "--json")
    code, out, err = run("decompose", "xor.csv", *options)
    assert (code, err) == (0, "")
    result = read_json(out)
    assert result["sources"] == ["y", "b"]
    assert result["target"] == "a"
    assert result["unit"] == "nat"
    assert result["synergy"] == pytest.approx(math.log(2), abs=1e-5)
    assert result["unique"] == pytest.approx({"y": 0, "b": 0}, abs=1e-5)
    assert result["contribution"] == {"y": None, "b": None}
    assert result["converged"] is True
    assert result["union_information"]["lower"] <= result["union_information"]["upper"]


def test_decompose_of_marginals_knows_no_synergy(run):
    np.savez("marginals.npz", p_x1y=np.eye(2) / 2, p_x2y=np.full((2, 2), 0.25))
    result = read_json(run("decompose", "marginals.npz", "--json")[1])
    assert result["synergy"] is None
    assert result["contribution"] == pytest.approx({"source 1": 1, "source 2": 0}, abs=1e-5)


def test_decompose_of_float32_marginals(run, refused):
    rng = np.random.default_rng(0)
    joint = rng.dirichlet(np.ones(5 * 6 * 4)).reshape(5, 6, 4).astype("f4")
    np.savez("marginals.npz", p_x1y=joint.sum(1), p_x2y=joint.sum(0))
    union = read_json(run("decompose", "marginals.npz", "--json")[1])["union_information"]
    assert union["lower"] == pytest.approx(0.166550, abs=1e-6)
    tight = ("--marginal-tolerance", "0")
    assert "marginal_tolerance is 0" in refused("decompose", "marginals.npz", *tight)


def test_decompose_of_a_gate_shows_that_the_certificate_holds(run):
    code, out, err = run("decompose", "--gate", "AND")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "gate and: the target is the logical and of two independent bits"
    assert "Griffith and Koch" in lines[1]
    assert "redundancy     0.311278" in out
    assert "known   difference" in out
    assert lines[-1].endswith("bit, within the gap")
    # So it does where the solver is stopped early.
    out = run("decompose", "--gate", "boom", "--max-iter", 2, "--base", "e")[1]
    assert "not converged" in out
    assert out.splitlines()[-1].endswith("nat, within the gap")


def test_decompose_of_a_gate_prints_json(run):
    code, out, err = run("decompose", "--gate", "wb3", "--base", "e", "--json")
    assert (code, err) == (0, "")
    result = read_json(out)
    assert result["gate"] == "wb3"
    assert result["known"]["synergy"] == pytest.approx(2 / 3 * math.log(2))
    for atom, value in result["known"].items():
        assert result[atom] == pytest.approx(value, abs=result["gap"] + 1e-12)


def test_decompose_lists_the_gates(run):
    code, out, err = run("decompose", "--gate", "list")
    assert (code, err) == (0, "")
    assert {line.split()[0] for line in out.splitlines()} == set(GATES)
    listed = read_json(run("decompose", "--gate", "list", "--json")[1])
    assert [gate["name"] for gate in listed] == list(GATES)


def test_analyze_prints_a_table(run):
    write_store()
    code, out, _ = run("analyze", "store.npz", "--replicates", 50)
    assert code == 0
    assert out.startswith("image and text about label: n = 120, posterior")
    assert "contribution (image)" in out
    assert "\n  unique (text) " in out


def test_analyze_prints_json(run):
    write_store(other=ARRAYS["text"])
    options = ("--modality", "text", "--modality", "image", "--replicates", 50, "--json")
    code, out, err = run("analyze", "store.npz", *options)
    assert (code, err) == (0, "")
    rows = {(row["quantity"], row["modality"]): row for row in read_json(out)}
    assert rows["contribution", "image"]["value"] > 0.9
    assert [row["modality"] for row in read_json(out) if row["quantity"] == "unique"] == [
        "text",
        "image",
    ]
    assert rows["share", "image"]["p_value"] is None
    assert {row["n"] for row in rows.values()} == {N}


def test_analyze_reads_a_layer_and_another_target(run):
    write_store(**{"image/1": ARRAYS["text"], "text/1": ARRAYS["image"], "choice": KIND})
    options = ("--modality", "image", "--modality", "text", "--layer", 1, "--target", "choice")
    rows = read_json(run("analyze", "store.npz", *options, "--replicates", 50, "--json")[1])
    value = {(row["quantity"], row["modality"]): row["value"] for row in rows}
    assert value["contribution", "text"] > 0.9
    assert rows[0]["target"] == "choice"


def test_run_writes_a_report_and_report_writes_it_again(run):
    write_store()
    write_study(title="What does it read?")
    code, out, _ = run("run", "study.yaml")
    assert code == 0
    assert "Report: run/report.html" in out
    page = Path("run/report.html")
    before = page.read_bytes()
    assert b"What does it read?" in before
    page.unlink()
    code, out, _ = run("report", "run")
    assert code == 0
    assert "Report: run/report.html" in out
    assert page.read_bytes() == before


def test_run_prints_what_each_layer_holds_and_report_prints_it_again(run):
    layers = {f"{m}/{k}": ARRAYS[m] for m in ("image", "text") for k in range(2)}
    write_store(image=None, text=None, **layers)
    write_study(views=["stream"], permutations=19)
    code, out, _ = run("run", "study.yaml")
    assert code == 0
    assert "Stream view" in out
    assert "\x1b" not in out
    assert "R, U, S and I in bit" in " ".join(out.split())
    assert Path("run/tables/stream.tex").is_file()
    assert "label" in Path("run/tables/stream.md").read_text("utf-8")
    assert run("report", "run")[1] == out


@pytest.mark.slow
def test_run_prints_json(run):
    write_store()
    write_study()
    code, out, err = run("run", "study.yaml", "--fresh", "--json")
    assert (code, err) == (0, "")
    result = read_json(out)
    assert result["report"] == "run/report.html"
    assert {row["view"] for row in result["profile"]} == {"answer"}
    assert read_json(run("report", "run", "--json")[1]) == result


@pytest.mark.parametrize(
    ("name", "known"), [("RUN", "run"), ("Analyse", "analyze"), ("validat", "validate")]
)
def test_a_mistyped_command_gets_a_suggestion(run, name, known):
    code, _, err = run(name, "x")
    assert code == 2
    assert f"did you mean '{known}'?" in err


def test_without_a_command_there_is_help(run):
    _, out, err = run()
    assert "Usage" in out + err
    for command in ("decompose", "analyze", "demo", "run", "report"):
        assert command in out + err
        code, out_of_command, _ = run(command, "--help")
        assert code == 0
        assert "Usage" in out_of_command


def text(words):
    return lambda: Path("x.csv").write_text(words)


@pytest.mark.parametrize(
    ("write", "arguments", "message"),
    [
        (None, [], "either a FILE or --gate NAME"),
        (text(XOR), ["x.csv", "--gate", "and"], "either a FILE or --gate NAME"),
        (text(XOR), ["x.csv", "--gate", "list"], "either a FILE or --gate NAME"),
        (None, ["--gate", "rdnxo"], "did you mean 'rdnxor'?"),
        (None, ["--gate", "zzz"], "choose one of rdn, unq1, "),
        (None, ["--gate", "parity"], "'parity' has three sources"),
        (None, ["--gate", "and", "--source", "a"], "leave --source, --target, --count and"),
        (text(XOR), ["x.csv", "--marginal-tolerance", "0.1"], "holds no marginals"),
        (None, ["--gate", "and", "--base", "1"], "base is 1"),
        (None, ["none.csv"], "none.csv does not exist"),
        (text("a,b,y\n0,,t\n"), ["x.csv"], "NaN in data row 1"),
        (text("a,b,y\n"), ["x.csv"], "has no rows"),
        (text(""), ["x.csv"], "is empty; its first line"),
        (text(XOR), ["x.csv", "--base", "two"], "--base 'two' is neither a number nor 'e'"),
        (text(XOR), ["x.csv", "--base", "1"], "base is 1"),
        (text(XOR), ["x.csv", "--tol", "0"], "tol is 0"),
        (text(XOR), ["x.csv", "--max-iter", "0"], "max_iter is 0"),
        (text(XOR), ["x.csv", "--source", "a"], "two sources; 1 were named"),
        (text(XOR), ["x.csv", "--target", "Y"], "no column 'Y'; did you mean 'y'?"),
        (lambda: np.save("x.npy", np.full((2, 2, 2), np.nan)), ["x.npy"], "is nan"),
        (lambda: np.save("x.npy", np.ones((2, 2))), ["x.npy"], "shape (2, 2)"),
        (lambda: np.savez("x.npz", p_x1y=np.eye(2), p_x2y=np.eye(3)), ["x.npz"], "has 3"),
    ],
)
def test_decompose_refuses(refused, write, arguments, message):
    if write:
        write()
    assert message in refused("decompose", *arguments)


NAN = np.where(np.arange(N)[:, None] == 5, np.nan, ARRAYS["image"])


@pytest.mark.parametrize(
    ("changes", "arguments", "message"),
    [
        (
            {"image": NAN},
            [],
            "'image' has NaN or infinite values in 1 rows, the first of them row 5",
        ),
        ({"label": np.zeros(N)}, [], "one class only"),
        ({"label": KIND[1:]}, [], "the target has shape (119,)"),
        ({"text": ARRAYS["text"][1:]}, [], "'image' has 120 rows but 'text' has 119"),
        ({"text": np.zeros((N, 0))}, [], "the modality 'text' is empty"),
        ({"text": np.full((N, 2), "a")}, [], "holds <U1, not numbers"),
        ({"text": np.array([None] * N)}, [], "'text' of store.npz cannot be read"),
        ({"text": None}, [], "name two modalities, --modality once each; store.npz has image"),
        ({"audio": NAN}, [], "store.npz has image, text, audio"),
        (
            {"group/a": np.zeros(N)},
            [],
            "into 1 connected set, too few for 5 folds",
        ),
        ({}, ["--layer", 4], "no layer 4 in store.npz; it has 0"),
        ({}, ["--target", "truth"], "no array 'truth'"),
        ({}, ["--modality", "image"], "once each; store.npz has image, text"),
        ({}, ["--modality", "image", "--modality", "image"], "two modalities"),
        ({}, ["--modality", "image", "--modality", "audio"], "no modality 'audio'"),
        ({}, ["--base", "0.5"], "base is 0.5"),
        ({}, ["--base", "inf"], "base is inf"),
        ({}, ["--base", "two"], "neither a number nor 'e'"),
        ({}, ["--folds", 2], "is 2: pass a whole number of at least 3"),
        ({}, ["--replicates", 0], "is 0: pass a whole number of at least 1"),
        ({}, ["--seed", -1], "seed must be a whole number"),
    ],
)
def test_analyze_refuses(refused, changes, arguments, message):
    write_store(**changes)
    assert message in refused("analyze", "store.npz", *arguments)


def test_analyze_refuses_files(refused):
    assert "does not exist" in refused("analyze", "none.npz")
    Path("x.npz").write_bytes(b"PK\x03\x04")
    assert "is damaged or truncated" in refused("analyze", "x.npz")
    Path("x.pt").write_bytes(b"")
    assert "is neither a store nor one of .npz, .safetensors" in refused("analyze", "x.pt")


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"image": NAN}, {}, "answer view: the embedding of 'image' has NaN"),
        ({"label": np.zeros(N)}, {}, "one class only"),
        ({"text": ARRAYS["text"][1:]}, {}, "'image' has 120 rows but 'text' has 119"),
        ({"text": np.zeros((N, 0))}, {}, "the modality 'text' is empty"),
        ({}, {"layers": [5], "views": ["stream"]}, "has no layer 5"),
        ({}, {"base": 0.5}, "base: give a number above 1"),
        ({}, {"colour": "red"}, "colour: there is no such key"),
        ({}, {"sources": [{"kind": "embeddings", "path": "none.npz"}]}, "does not exist"),
        ({}, {"out": "store.npz/run"}, "cannot be made"),
    ],
)
def test_run_refuses(refused, changes, options, message):
    write_store(**changes)
    write_study(**options)
    assert message in refused("run", "study.yaml")
    assert not Path("run/report.html").exists()


def test_run_refuses_files(refused):
    assert "does not exist" in refused("run", "none.yaml")
    Path("study.yaml").write_text("sources: [")
    assert "is not valid YAML" in refused("run", "study.yaml")


@pytest.mark.slow
def test_report_refuses(run, refused):
    assert "is not a folder" in refused("report", "none")
    Path("empty").mkdir()
    assert "it is not a finished run" in refused("report", "empty")
    write_store()
    write_study()
    assert run("run", "study.yaml")[0] == 0
    Path("run/manifest.json").write_text("{")
    assert "is damaged" in refused("report", "run")
    Path("run/manifest.json").unlink()
    assert "run its study again and it resumes" in refused("report", "run")


def test_demo_refuses(refused, monkeypatch):
    assert "seed: give a number of at least 0" in refused("demo", "--seed", -1)
    monkeypatch.setattr(checkpoints, "checkpoint_folder", lambda: Path("none"))
    assert "the checkpoint none/concat.safetensors is missing" in refused("demo")


@pytest.mark.parametrize(
    "arguments",
    [["paint"], ["analyze"], ["decompose", "--gate"], ["analyze", "x.npz", "--folds", "many"]],
)
def test_wrong_use_ends_with_code_2(run, arguments):
    code, out, err = run(*arguments)
    assert code == 2
    assert out == ""
    assert "Traceback" not in err
    assert "Error" in err


def test_a_full_disk_is_said_and_the_same_command_resumes(run, disk_of):
    write_store()
    write_study()
    with disk_of(2000):
        code, out, err = run("run", "study.yaml")
    assert (code, out) == (1, "")
    last = err.splitlines()[-1]
    assert last.startswith("error: File too large: run/")
    assert last.endswith("finished work is kept, and the same command resumes")
    assert "Traceback" not in err
    assert run("run", "study.yaml")[0] == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_disk_that_fills_up_at_the_end_is_said(run, monkeypatch):
    write_store()
    write_study()

    def filled(*arguments):
        Path(f"run/manifest.json.{os.getpid()}.partial").symlink_to("/dev/full")
        return gather_examples(*arguments)

    # The device is really full; only the moment is chosen.
    monkeypatch.setattr("modalprism.studies.study.gather_examples", filled)
    code, _, err = run("run", "study.yaml")
    assert code == 1
    assert err.splitlines()[-1].startswith("error: No space left on device: run/manifest.json; ")
    assert not Path("run/manifest.json").exists()


def test_a_folder_in_the_way_is_said(run):
    write_store()
    write_study()
    Path("run/report.html").mkdir(parents=True)
    Path("run/run-status.json").write_text("{}", "utf-8")  # the folder is a run's
    Path("run/left.partial").mkdir()  # a folder of that name is nobody's unfinished file
    code, _, err = run("run", "study.yaml")
    assert code == 1
    assert Path("run/left.partial").is_dir()
    assert err.splitlines()[-1].startswith("error: Is a directory: run/report.html; ")


@pytest.mark.parametrize("command", [["run", "study.yaml"], ["analyze", "store.npz"]])
def test_an_interrupt_is_said(run, monkeypatch, command):
    write_store()
    write_study()

    def interrupt(*_arguments, **_options):
        os.kill(os.getpid(), 2)

    # The signal is real; only its moment is chosen.
    monkeypatch.setattr("modalprism.estimation.nested.connected_groups", interrupt)
    code, out, err = run(*command)
    assert code == 1
    assert out == ""
    resumes = command[0] == "run"
    assert err.splitlines()[-1] == (
        "stopped; finished work is kept, and the same command resumes"
        if resumes
        else "stopped; the same command starts again from the beginning"
    )
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--address", "auto"], "it goes with the engine ray (--address)"),
        (["--engine", "serial", "--address", "auto"], "it goes with the engine ray"),
        (
            ["--engine", "slurm"],
            "no engine 'slurm': choose one of 'serial', 'local', 'ray'",
        ),
        (
            ["--engine", "serial", "--workers", "3"],
            "leave workers out, or choose another engine (--workers)",
        ),
        (["--engine", "ray", "--address", "here"], "'here' is no address of a Ray cluster; give"),
        (["--engine", "ray", "--address", "127.0.0.1:1"], "can be reached at 127.0.0.1:1 (Conn"),
    ],
)
def test_an_engine_that_cannot_be_is_refused(refused, options, words):
    write_store()
    write_study()
    if "ray" in options:
        pytest.importorskip("ray")
    assert words in refused("run", "study.yaml", *options)
    assert not Path("run").exists()


def test_a_study_runs_on_a_cluster(run, cluster):
    """As a user does, from a process of its own; where it ran is in no number."""
    write_store()
    write_study()
    line = [sys.executable, "-m", "modalprism.cli", "run", "study.yaml", "--json"]
    done = subprocess.run(  # noqa: S603
        [*line, "--engine", "ray", "--address", cluster],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    code, out, _ = run("run", "study.yaml", "--json", "--engine", "serial", "--fresh")
    assert code == 0
    assert read_json(done.stdout) == read_json(out)


def test_workers_that_die_are_no_wrong_use(run, monkeypatch):
    def die(*_arguments, **_options):
        raise WorkerError("the worker of a died 4 times")

    write_store()
    write_study()
    monkeypatch.setattr("modalprism.studies.study.run_analyses", die)
    code, _, err = run("run", "study.yaml")
    words = (
        "error: the worker of a died 4 times; finished work is kept, and the same command resumes"
    )
    assert (code, err.splitlines()[-1]) == (1, words)


def test_decompose_takes_a_solver_and_a_time_limit(run):
    code, out, _ = run("decompose", "--gate", "and", "--solver", "newton", "--json")
    content = read_json(out)
    assert (code, content["solver"], content["stopped"]) == (0, "newton", "converged")
    code, out, _ = run("decompose", "--gate", "prob1", "--tol", "1e-13", "--time-limit", "1e-9")
    assert code == 0
    assert "not converged: time limit reached" in out


def test_decompose_refuses_what_it_does_not_know(refused):
    assert "choose one of 'auto', 'newton'" in refused(
        "decompose", "--gate", "and", "--solver", "x"
    )
    assert "time_limit is -1.0" in refused("decompose", "--gate", "and", "--time-limit", "-1")


def test_ctrl_c_prints_what_was_reached(run, monkeypatch):
    reason = Watch.reason

    def press_ctrl_c(watch, iteration):
        if iteration == 3:
            signal.raise_signal(signal.SIGINT)
        return reason(watch, iteration)

    monkeypatch.setattr(Watch, "reason", press_ctrl_c)
    code, out, err = run("decompose", "--gate", "prob1", "--tol", "1e-12")
    assert code == 1
    assert err == "stopped by Ctrl-C: the bounds hold for what was reached\n"
    assert "not converged: interrupted, 3 iterations" in out


def test_copied_columns_are_a_sentence_and_no_line_of_code(run):
    write_store(text=ARRAYS["image"])
    few = ("--replicates", 20, "--permutations", 19)
    code, out, err = run("analyze", "store.npz", *few)
    assert (code, err) == (0, "")
    assert out.count("caution: all columns of 'image' are columns of 'text'") == 1
    code, out, err = run("analyze", "store.npz", "--json", *few)
    assert code == 0
    assert err.startswith("warning: all columns of 'image' are columns of 'text'")
    assert err.count("\n") == 1
    read_json(out)


@pytest.mark.parametrize("value", [0.0, 7.5])
def test_a_constant_embedding_is_said_by_analyze_and_run(run, value):
    write_store(text=np.full_like(ARRAYS["image"], value))
    few = ("--replicates", 20, "--permutations", 19)
    code, out, err = run("analyze", "store.npz", *few)
    assert (code, err) == (0, "")
    assert out.count("caution: the embedding of 'text' is the same in every row, so it has no") == 1
    write_study()
    code, _, err = run("run", "study.yaml")
    assert code == 0
    assert err.startswith("warning: The embedding of text is the same in every row")
    page = Path("run/report.html").read_text("utf-8")
    assert page.count("The embedding of text is the same in every row") == 1


def test_a_run_says_that_columns_are_copied(run):
    write_store(text=1 - 2 * ARRAYS["image"])
    write_study()
    code, _, err = run("run", "study.yaml")
    assert code == 0
    assert err.startswith("warning: Both modalities hold the same columns")
    assert err.count("\n") == 1

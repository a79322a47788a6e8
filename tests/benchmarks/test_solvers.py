"""The benchmark's own parts, without any peer installed."""

import doctest
import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks" / "solvers"
MODULES = ("answer", "cone", "measure", "peers", "problems", "report", "worker")


@pytest.fixture
def solvers(monkeypatch):
    """The benchmark's modules, by name, as its own command line sees them."""
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    "name", ["dense-10x10x5", "sparse-20x20x10", "posteriors-100x100x10", "gate-w", "batch-3"]
)
def test_a_problem_is_two_marginals_with_one_target_and_the_same_each_time(solvers, name):
    find = solvers("problems").find
    problem, again = find(name), find(name)
    for table in (problem.p_x1y, problem.p_x2y):
        assert table.min() >= 0
        assert table.sum() == pytest.approx(1)
    np.testing.assert_allclose(problem.p_x1y.sum(0), problem.p_x2y.sum(0), atol=1e-12)
    np.testing.assert_allclose(problem.joint.sum(1), problem.p_x1y, atol=1e-12)
    np.testing.assert_allclose(problem.joint.sum(0), problem.p_x2y, atol=1e-12)
    np.testing.assert_array_equal(problem.p_x1y, again.p_x1y)


def test_every_coupling_satisfies_the_equations_of_the_cone_program(solvers):
    problem = solvers("problems").find("sparse-20x20x10")
    program = solvers("cone").assemble(problem)
    used = (problem.p_x1y.T > 0)[:, :, None] & (problem.p_x2y.T > 0)[:, None, :]
    p_y = problem.p_x1y.sum(0)
    free = problem.p_x1y.T[:, :, None] * problem.p_x2y.T[:, None, :] / p_y[:, None, None]
    for coupling in (problem.joint.transpose(2, 0, 1), free):
        q = coupling[used]
        r = np.bincount(program.pair_of, weights=q)
        z = np.concatenate([np.zeros_like(q), q, r])
        np.testing.assert_allclose(program.equations @ z, program.right, atol=1e-15)
    t, q_rows, r_rows = (program.cones @ z).reshape(-1, 3).T
    np.testing.assert_array_equal(t, 0)
    np.testing.assert_array_equal(q_rows, q)
    np.testing.assert_array_equal(r_rows, r[program.pair_of])
    assert program.cells == problem.support


def test_our_own_entry_solves_a_gate(solvers):
    problem = solvers("problems").find("gate-w")
    (answer,) = solvers("peers").prepare("modalprism", [problem], {})()
    assert answer.atoms == pytest.approx((0.251629, 0, 0, 0.666667), abs=1e-6)
    assert answer.bounds[0] <= answer.union <= answer.bounds[1]


def test_a_peer_without_its_checkout_is_skipped(solvers):
    problem = solvers("problems").find("gate-w")
    with pytest.raises(solvers("answer").SkipError, match="--checkout broja2pid=PATH"):
        solvers("peers").prepare("BROJA_2PID", [problem], {})


WORKER = """
import json, sys, time
job = json.loads(sys.argv[1])
answer = {"union": 0.5, "status": "fine", "atoms": None, "bounds": [0.4, 0.6]}
if job["peer"] == "absent":
    print(json.dumps({"skip": "not installed"}), flush=True)
    sys.exit()
print(json.dumps({"ready": True}), flush=True)
for seconds, _ in enumerate(sys.stdin, 1):
    if job["peer"] == "slow":
        time.sleep(60)
    if job["peer"] == "broken":
        sys.exit(3)
    print(json.dumps({"seconds": 1 / seconds, "peak": 2, "answers": [answer]}), flush=True)
"""


def test_a_peer_is_timed_ended_or_skipped_and_the_others_go_on(solvers, monkeypatch, tmp_path):
    measure = solvers("measure")
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    monkeypatch.setattr(measure, "_WORKER", script)
    monkeypatch.setattr(measure, "_POLL", 0.01)
    fast, slow, broken, absent = measure.measure(
        ["fast", "slow", "broken", "absent"],
        lambda _peer: ["a problem"],
        measure.Limits(budget=0.1, rounds=4, spend=100),
        checkouts={},
    )
    assert (fast.seconds, fast.rounds, fast.peak) == (0.25, 4, 2)
    assert fast.answers[0].bounds == (0.4, 0.6)
    assert (slow.seconds, slow.note, slow.over) == (None, "> 0.1 s", 0.1)
    assert broken.note == "died (exit 3)"
    assert (absent.note, absent.skipped) == ("not installed", True)


def test_only_what_stands_between_the_markers_is_replaced(solvers, tmp_path):
    report = solvers("report")
    page = tmp_path / "page.md"
    page.write_text(f"# Mine\n\n{report.BEGIN}\nold\n{report.END}\n\nAlso mine.\n")
    report.write(page, "new")
    report.write(page, "newer")
    text = page.read_text()
    assert text.startswith("# Mine\n\n")
    assert text.endswith("\n\nAlso mine.\n")
    assert "newer" in text
    assert "old" not in text
    page.write_text("no markers")
    with pytest.raises(ValueError, match="lacks"):
        report.write(page, "new")


def test_rows_have_the_columns_of_their_headers(solvers):
    problem = solvers("problems").find("gate-w")
    outcome, report = solvers("measure").Outcome, solvers("report")
    answer = solvers("answer").Answer(0.7, "fine")
    outcomes = [
        outcome("modalprism", 0.01, 3, [answer], 2**20),
        outcome("slow", note="> 5 s", over=5.0),
        outcome("absent", note="not installed", skipped=True),
    ]
    truth = (0.66, 0.67)
    ours, slow = report.sizes_table(problem, outcomes, truth)
    assert len(ours) == len(slow) == len(report.SIZES_HEADER)
    assert ours[2:] == ("0.01", "1×", "**3e-02**", "fine", "1")
    assert slow[2:4] == ("> 5 s", "> 500×")
    for row in report.gate_rows(problem, outcomes, truth):
        assert len(row) == len(report.GATES_HEADER)
    rows = report.batch_rows(
        1_000, {"modalprism": 10, "slow": 10, "absent": 10}, outcomes, [truth], 1e-4
    )
    assert [row[2] for row in rows] == ["1", "> 5 s"]
    assert report.skipped(outcomes) == "- absent: not installed"


@pytest.mark.parametrize("name", MODULES)
def test_examples(solvers, name):
    module = solvers(name)
    assert doctest.testmod(module).failed == 0

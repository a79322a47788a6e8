"""The recovery benchmark's own parts, on problems that take no time."""

import dataclasses
import doctest
import importlib
import json
import math
import runpy
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import modalprism

FOLDER = Path(__file__).parents[2] / "benchmarks" / "recovery"
MODULES = (
    "channel",
    "digits",
    "estimators",
    "figures",
    "folders",
    "measure",
    "neural",
    "plug_in",
    "problems",
    "progress",
    "rates",
    "report",
    "symbol_tables",
    "tokens",
)


@pytest.fixture(scope="module")
def recovery():
    """The benchmark's modules, by name, as its own command line sees them."""
    # Another benchmark has modules of the same names: neither may meet the other's.
    for name in MODULES:
        sys.modules.pop(name, None)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        yield importlib.import_module
    for name in MODULES:
        sys.modules.pop(name, None)


def test_tables_have_the_atoms_they_claim(recovery):
    known = {
        problem.source.table.name: problem.source.table
        for problem in recovery("problems").PROBLEMS.values()
        if hasattr(problem.source, "table")
    }
    assert {"or", "xor-not", "rdn+unq1", "rare-xor", "noise10"} <= set(known)
    for table in known.values():
        assert table.joint.sum() == pytest.approx(1)
        if table.joint.size > 5_000:  # twenty classes: what they claim is their own parts' sum
            continue
        found = modalprism.decompose(table.joint, tol=1e-6)
        claimed = (table.atoms.redundancy, *table.atoms.unique, table.atoms.synergy)
        atoms = (found.redundancy, *found.unique, found.synergy)
        assert atoms == pytest.approx(claimed, abs=1e-5), table.name


def test_a_noisy_channel_keeps_what_can_be_read_and_loses_the_rest(recovery):
    noisy, channel = recovery("channel").noisy_atoms, recovery("channel").Channel
    table = recovery("symbol_tables").from_gate("unq1")
    small = {"draws": 20_000, "states": 60}
    clear = noisy(table, channel(separation=12), **small)
    assert clear.unique[0] == pytest.approx(1, abs=1e-3)
    # Two symbols 3 apart in white noise: the information of a binary-input Gaussian channel.
    grid = np.linspace(-12, 12, 20_001)
    density = np.exp(-((grid[:, None] - [-1.5, 1.5]) ** 2) / 2) / math.sqrt(2 * math.pi)
    mixture = density.mean(1)
    entropy = -(mixture * np.log2(mixture)).sum() * (grid[1] - grid[0])
    exact = entropy - math.log2(2 * math.pi * math.e) / 2
    seen = noisy(table, channel(separation=3), **small)
    assert seen.unique[0] == pytest.approx(exact, abs=0.01)
    assert (seen.redundancy, seen.unique[1], seen.synergy) == (0, 0, 0)


@pytest.mark.parametrize(
    "name", ["clear-rdn+unq1-d64", "clear-xor-common", "clear-and-mixed", "null-noise10-d64"]
)
def test_a_problem_draws_the_same_rows_again_and_others_with_another_seed(recovery, name):
    problem = recovery("problems").PROBLEMS[name]
    sample, again, other = problem.draw(60, 1), problem.draw(60, 1), problem.draw(60, 2)
    dimensions = problem.source.channel.dimensions
    assert sample.x1.shape == sample.x2.shape == (60, dimensions)
    assert sample.y.shape == (60,)
    np.testing.assert_array_equal(sample.x1, again.x1)
    np.testing.assert_array_equal(sample.y, again.y)
    assert not np.array_equal(sample.x1, other.x1)
    assert not np.array_equal(sample.x1, problem.draw(60, 1, draw=1).x1)


def test_symbols_can_be_read_off_a_clear_embedding_and_common_nuisance_is_common(recovery):
    channel = recovery("channel").Channel(common=True)
    table = recovery("symbol_tables").shared(3)
    x1, x2, y = channel.draw(table, 400, np.random.default_rng(0))
    for rows in (x1, x2):
        means = np.array([rows[y == label].mean(0) for label in range(3)])
        distance = ((rows[:, None] - means) ** 2).sum(2)
        assert (distance.argmin(1) == y).mean() > 0.97
        assert np.linalg.norm(means[0] - means[1]) == pytest.approx(8, rel=0.15)

    def strongest_link(first, second):
        left, right = (
            np.linalg.svd(x - x.mean(0), full_matrices=False)[0] for x in (first, second)
        )
        return np.linalg.svd(left[:, :12].T @ right[:, :12])[1][5]

    apart = recovery("channel").Channel().draw(table, 400, np.random.default_rng(0))
    assert strongest_link(x1, x2) > 0.8
    assert strongest_link(*apart[:2]) < 0.5


def test_exact_truths_lose_less_to_the_noise_than_is_allowed_for(recovery):
    limit = recovery("measure").TRUTH_ERROR["exact"]
    rng = np.random.default_rng(0)
    seen = set()
    for problem in recovery("problems").PROBLEMS.values():
        if not hasattr(problem.source, "table") or problem.source.noisy:
            continue
        for symbols in problem.source.table.joint.shape[:2]:
            key = symbols, problem.source.channel.separation
            if key not in seen:
                codes = problem.source.channel.codes(symbols)
                scores = (codes[0] + rng.normal(size=(20_000, symbols - 1))) @ codes.T
                odds = np.exp(scores - scores[:, :1])
                assert np.log2(odds.sum(1)).mean() < limit, problem.name
            seen.add(key)


@given(
    errors=st.lists(st.floats(-2, 2), min_size=2, max_size=12),
    truth=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_bias_and_rmse_are_those_of_the_draws(recovery, errors, truth):
    errors = np.array(errors)
    (row,) = _summary(recovery, truth + errors, truth).itertuples()
    assert row.bias == pytest.approx(errors.mean(), abs=1e-12)
    assert row.rmse**2 == pytest.approx(errors.mean() ** 2 + errors.var(), abs=1e-9)
    assert row.spread == pytest.approx(errors.std(ddof=1), abs=1e-9)


@given(bounds=st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 1)), min_size=1, max_size=12))
def test_coverage_counts_the_intervals_that_hold_the_truth(recovery, bounds):
    low = np.array([start for start, _ in bounds])
    high = low + np.array([length for _, length in bounds])
    truth = 0.25
    slack = recovery("measure").TRUTH_ERROR["exact"]
    held = sum(a <= truth + slack and truth - slack <= b for a, b in zip(low, high, strict=True))
    (row,) = _summary(recovery, low, truth, low=low, high=high).itertuples()
    assert row.coverage == pytest.approx(held / len(bounds))
    assert row.above_zero == pytest.approx(np.mean(low > slack))
    (upper,) = _summary(recovery, low, truth, low=low, high=high, kind="upper").itertuples()
    assert math.isnan(upper.coverage)


def test_tests_that_reject_and_contributions_that_are_withheld_are_counted(recovery):
    p = np.array([0.01, 0.2, 0.04, math.nan])
    (row,) = _summary(recovery, np.zeros(4), 0.0, p_value=p).itertuples()
    assert row.rejected == pytest.approx(2 / 3)
    (row,) = _summary(recovery, np.array([0.5, math.nan]), math.nan).itertuples()
    assert row.undetermined == 0.5
    assert math.isnan(row.bias)
    (none,) = _summary(recovery, np.zeros(2), 0.0).itertuples()
    assert math.isnan(none.coverage)
    assert math.isnan(none.rejected)


def _summary(recovery, values, truth, *, kind="exact", **columns):
    frame = pd.DataFrame(
        {
            "group": "g",
            "problem": "p",
            "n": 10,
            "estimator": "e",
            "quantity": "synergy",
            "truth": truth,
            "truth_kind": kind,
            "value": values,
            "seconds": 1.0,
        }
        | dict.fromkeys(("low", "high", "p_value"), np.nan)
        | columns
    )
    return recovery("measure").summarize(frame)


def test_the_papers_projections_reach_the_union_information_of_a_gate(recovery):
    table = recovery("symbol_tables").from_gate("sum").joint
    atoms = recovery("tokens").ipfp_atoms(table)
    assert atoms == pytest.approx((0.5, 0, 0, 1), abs=1e-3)


def test_a_run_is_kept_goes_on_where_it_stood_and_is_told_in_tables(recovery, tmp_path):
    measure, report = recovery("measure"), recovery("report")
    problem = recovery("problems").PROBLEMS["clear-copy"]
    (plug_in,) = recovery("estimators").select(["plug"])
    settings = recovery("estimators").Settings()
    file = tmp_path / "draws.jsonl"

    def run(draws):
        made = []
        wanted = {"plug-in": draws}
        tasks = measure.plan([problem], [plug_in], settings, draws=wanted, seed=0, rows=[300])
        drawn = measure.run(tasks, file, jobs=1, progress=lambda _left, one: made.append(one))
        return drawn, len(made)

    _, first = run(1)
    with file.open("a") as lines:
        lines.write('{"problem": "cut o')
    draws, second = run(2)
    assert (first, second, len(draws)) == (1, 1, 2)
    assert len(measure.read(file)) == 2
    frame = measure.tidy(json.loads(json.dumps(draws)))
    summary = measure.summarize(frame)
    ratio = summary.set_index("quantity").loc["contribution"]
    assert ratio["truth"] == 0.5
    assert ratio["mean"] == pytest.approx(0.5, abs=0.15)
    (row,) = report.recovery(summary).splitlines()[2:]
    assert row.startswith("| clear-copy | 300 | plug-in | 2 |")
    for text in (report.contributions(summary), report.overall(summary)):
        assert len({line.count("|") for line in text.splitlines()}) == 1
    files = list(recovery("figures").draw(frame, summary, tmp_path))
    assert {f.name for f in files} >= {"recovery-clear.svg", "recovery-contribution.png"}


def test_a_run_begins_no_draw_after_its_time_and_says_what_it_begins(recovery, tmp_path):
    measure, progress = recovery("measure"), recovery("progress")
    tasks = _plan(recovery, "clear-copy", draws=3)
    begun = []
    late = measure.run(tasks, tmp_path / "a", jobs=1, seconds=-1, begun=begun.append)
    assert (late, begun) == ([], [])
    made = measure.run(tasks[:1], tmp_path / "a", jobs=1, begun=begun.append)
    assert (len(made), begun) == (1, tasks[:1])
    assert measure.missing(tasks, tmp_path / "a") == tasks[1:]
    assert progress.Progress(tasks, 1)._time_left() == ""


def test_a_failed_draw_is_told_and_kept_out(recovery, tmp_path, capsys):
    measure, progress = recovery("measure"), recovery("progress")
    (task,) = _plan(recovery, "clear-copy", draws=1, rows=[5])
    told = progress.Progress([task], 1)
    (made,) = measure.run([task], tmp_path / "a", jobs=1, progress=told.made) or [None]
    assert "ValueError" in made["failed"]
    assert "failed: clear-copy n=5 plug-in" in capsys.readouterr().err
    assert measure.tidy([made]).empty
    assert measure.missing([task], tmp_path / "a") == [task]


def test_a_draw_is_not_made_by_other_code_than_was_asked_for(recovery):
    (task,) = _plan(recovery, "clear-copy", draws=1)
    made = recovery("measure").run_one(dataclasses.replace(task, code="other"))
    assert "its code has changed" in made["failed"]


def test_rows_that_a_problem_lacks_are_left_out_and_other_seeds_are_of_the_first_draw(recovery):
    assert not _plan(recovery, "views-fou+mor-label", draws=1, rows=[5000])
    tasks = _plan(recovery, "null-noise4-d64", draws=2, rows=[300, 600], seeds=3)
    assert [task.again for task in tasks if (task.n, task.draw) == (300, 0)] == [0, 1, 2]
    assert len(tasks) == 6


def test_where_nothing_is_known_the_default_estimator_may_be_drawn_more_often(recovery):
    used = recovery("estimators").select(["posterior", "plug"])
    problems = recovery("problems").PROBLEMS
    tasks = recovery("measure").plan(
        [problems["null-noise2-d64"], problems["clear-xor"]],
        used,
        recovery("estimators").Settings(),
        draws={"posterior": 1, "plug-in": 1},
        seed=0,
        rows=[200, 500],
        null_draws={200: 4},
    )
    often = [task for task in tasks if (task.problem, task.n) == ("null-noise2-d64", 200)]
    assert [task.estimator for task in often].count("posterior") == 4
    assert len(tasks) == 4 + 1 + 2 * 3


@pytest.mark.parametrize("given", ["200", "x=4", "200=", "200=0"])
@pytest.mark.usefixtures("recovery")
def test_draws_that_are_no_numbers_are_refused_in_words(given, capsys):
    main = runpy.run_path(str(FOLDER / "__main__.py"))["main"]
    with pytest.raises(SystemExit) as refused:
        main(["--null-draws", given])
    assert refused.value.code == 2
    said = capsys.readouterr().err
    assert "is no whole number" in said or "is not ROWS=N" in said


def _plan(recovery, name, *, draws, rows=(300,), seeds=1):
    (plug_in,) = recovery("estimators").select(["plug"])
    return recovery("measure").plan(
        [recovery("problems").PROBLEMS[name]],
        [plug_in],
        recovery("estimators").Settings(),
        draws={"plug-in": draws},
        seed=0,
        rows=list(rows),
        seeds=seeds,
    )


@given(hits=st.integers(0, 40), more=st.integers(0, 40))
def test_the_interval_of_a_rate_holds_it_and_is_the_same_from_either_side(recovery, hits, more):
    n = hits + more + 1
    low, high = recovery("rates").wilson(hits / n, n)
    assert 0 <= low <= hits / n <= high <= 1
    below, above = recovery("rates").wilson(1 - hits / n, n)
    assert (1 - above, 1 - below) == pytest.approx((low, high))


def test_rates_are_of_the_tests_whose_null_is_true_or_false(recovery):
    rates = recovery("rates")
    answer = {
        "redundancy": (1.0, 1.1, 0.9, 1.2, 0.01),
        "unique_1": (0.0, 0.1, 0.05, 0.2, 0.02),
        "unique_2": (0.0, -0.1, -0.2, 0.1, 0.9),
        "synergy": (0.0, 0.0, -0.1, 0.1, 0.5),
        "information": (1.0, 1.1, 1.05, 1.3, 0.01),
        "contribution": (math.nan, 0.8, 0.6, 0.9, 0.2),
    }
    columns = ("truth", "value", "low", "high", "p_value")
    base = {"estimator": "codebook", "group": "g", "problem": "p", "n": 10, "draw": 0, "again": 0}
    rest = {"truth_kind": "exact", "seconds": 1.0, "processor": 12.0}
    frame = pd.DataFrame(
        [
            base | rest | {"quantity": quantity} | dict(zip(columns, numbers, strict=True))
            for quantity, numbers in answer.items()
        ]
    )
    tested, apart = _cells(rates.false_positives(frame))
    assert [cell.split()[0] for cell in tested[3:]] == ["–", "–", "100", "0", "0", "0"]
    assert [cell.split()[0] for cell in apart[3:]] == ["–", "–", "100", "0", "0", "100"]
    found, _ = _cells(rates.power(frame))
    assert [cell.split()[0] for cell in found[3:]] == ["100", "100", "–", "–", "–", "–"]
    (held,) = _cells(rates.coverage(frame))
    assert [cell.split()[0] for cell in held[3:9]] == ["75", "0", "100", "0", "100", "100"]
    moved = pd.concat([frame, frame.assign(again=1, value=frame["value"] + 0.015)])
    (stable,) = _cells(rates.stability(moved))
    assert stable[4:6] == [".015 (5 %)", ".015 (10 %)"]
    assert rates.seconds(frame).endswith("| codebook | 1 (12) |")


def test_noise_is_told_of_problems_without_information(recovery):
    frame = recovery("measure").tidy(
        recovery("measure").run_one(task)
        for task in _plan(recovery, "null-noise4-d64", draws=1)
        + _plan(recovery, "clear-copy", draws=1)
    )
    (row,) = _cells(recovery("rates").noise(frame))
    assert row[:3] == ["plug-in", "300", "1"]
    assert not _cells(recovery("rates").noise_tests(frame))


def _cells(table):
    return [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]


def test_generated_tables_replace_what_stands_between_the_marks(recovery, tmp_path):
    report, page = recovery("report"), tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    report.write(page, "new")
    assert page.read_text().split() == f"before {report.BEGIN} new {report.END} after".split()
    page.write_text("no marks")
    with pytest.raises(ValueError, match="lacks"):
        report.write(page, "new")


@pytest.mark.parametrize("name", MODULES)
def test_examples(recovery, name):
    assert doctest.testmod(recovery(name)).failed == 0

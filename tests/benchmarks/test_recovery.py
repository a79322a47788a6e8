"""The recovery benchmark's own parts, on problems that take no time."""

import doctest
import importlib
import json
import math
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
    held = sum(a - 1e-9 <= truth <= b + 1e-9 for a, b in zip(low, high, strict=True))
    (row,) = _summary(recovery, low, truth, low=low, high=high).itertuples()
    assert row.coverage == pytest.approx(held / len(bounds))
    assert row.above_zero == pytest.approx(np.mean(low > 1e-9))
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
        tasks = measure.plan([problem], [plug_in], settings, draws=draws, seed=0, rows=[300])
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


@pytest.mark.parametrize("name", MODULES)
def test_examples(recovery, name):
    assert doctest.testmod(recovery(name)).failed == 0

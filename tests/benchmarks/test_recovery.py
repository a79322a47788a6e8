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
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import modalprism

FOLDER = Path(__file__).parents[2] / "benchmarks" / "recovery"
MODULES = (
    "channel",
    "digits",
    "estimators",
    "figures",
    "folders",
    "kinds",
    "measure",
    "neural",
    "plug_in",
    "problems",
    "progress",
    "rates",
    "report",
    "stack",
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


def test_bits_seen_through_noise_have_the_atoms_of_their_table_on_a_fine_grid(recovery):
    kinds, atoms_of = recovery("kinds"), recovery("symbol_tables").atoms_of
    edges = np.array([-np.inf, *np.linspace(-3, 3, 40), np.inf])

    def cells(separation):
        """Probability of every cell of the grid, by the value of the bit."""
        return np.diff([[norm.cdf(edges, side * separation)] for side in (-0.5, 0.5)])[:, 0]

    first, second = 2.2, 1.1
    joint = np.einsum("ya,yb->aby", cells(first), cells(second)) / 2
    known, seen = kinds.Bits((first,), (second,)).atoms(), atoms_of(joint)
    for exact, near in ((known.redundancy, seen.redundancy), (known.synergy, seen.synergy)):
        assert near == pytest.approx(exact, abs=0.004)
    assert seen.unique == pytest.approx(known.unique, abs=0.004)
    both = kinds.Bits((first, 0.0), (second, 0.9)).atoms()
    assert both.unique[1] == pytest.approx(kinds.bit_information(0.9))
    assert both.unique[0] == known.unique[0]


def test_weak_sources_have_the_contribution_they_are_named_for(recovery):
    problems = recovery("problems").select(["kinds-weak"])
    ratios = [problem.truths["contribution"] for problem in problems]
    assert ratios == pytest.approx([0.02, 0.1, 0.35, 0.6, 0.9, 0.98], abs=1e-9)
    assert all(problem.truths["information"] == pytest.approx(0.8) for problem in problems)


def test_units_change_nothing_but_the_scale_of_columns(recovery):
    plain, powers = recovery("problems").select(["kinds-units"])
    one, other = plain.draw(200, 3), powers.draw(200, 3)
    for x, scaled in ((one.x1, other.x1), (one.x2, other.x2)):
        np.testing.assert_allclose(scaled / scaled.std(0), x / x.std(0))
        assert np.ptp(np.log10(scaled.std(0))) > 1
    np.testing.assert_array_equal(one.y, other.y)


@pytest.mark.parametrize("decay", [0.0, 1.0])
def test_a_hidden_direction_has_its_information_for_whoever_has_many_rows(recovery, decay):
    source = recovery("kinds").Direction(0.45, dimensions=5, component=3, decay=decay)
    x1, _, y = source.rows(20_000, np.random.default_rng(0))
    x1 = StandardScaler().fit_transform(x1)
    model = LogisticRegression().fit(x1[:10_000], y[:10_000])
    read = math.log(2) - log_loss(y[10_000:], model.predict_proba(x1[10_000:]))
    assert read / math.log(2) == pytest.approx(source.atoms().information, abs=0.02)
    spread = np.sqrt(np.linalg.eigvalsh(np.cov(source.rows(20_000, np.random.default_rng(1))[0].T)))
    assert spread[-1] / spread[0] == pytest.approx(5**decay, rel=0.1)


def test_sectors_have_the_information_of_their_table(recovery):
    for sectors, classes in ((8, 2), (6, 3)):
        source = recovery("kinds").Sectors(sectors, classes, 4, wrong=0.1)
        x1, _, y = source.rows(40_000, np.random.default_rng(0))
        sector = np.floor((np.arctan2(x1[:, 0], x1[:, 1]) / math.tau + 0.5) * sectors).astype(int)
        table = np.zeros((sectors, 1, classes))
        np.add.at(table, (sector, 0, y), 1 / len(y))
        found = modalprism.decompose(table)
        assert found.information == pytest.approx(source.atoms().information, abs=0.01)


@pytest.mark.parametrize(
    ("strips", "columns", "component", "synergy"),
    [
        (2, (2, 0), 0, 0),
        (2, (3, 0), 0, 0),
        (2, (1, 1), 2, 1),
        (3, (1, 1), 0, 0.92),
        (4, (1, 1), 0, 1),
    ],
)
def test_strips_are_drawn_as_their_table_says(recovery, strips, columns, component, synergy):
    source = recovery("kinds").Strips(strips, columns, (4, 4), 0.1, component)
    *sources, y = source.rows(40_000, np.random.default_rng(0))
    symbols = []
    for x, matter in zip(sources, columns, strict=True):
        strip = np.floor(norm.cdf(x[:, component : component + matter]) * strips).astype(int)
        symbols.append(strip @ strips ** np.arange(matter))
    table = np.zeros_like(source.joint)
    np.add.at(table, (*symbols, y), 1 / len(y))
    np.testing.assert_allclose(table, source.joint, atol=0.01)
    atoms = source.atoms()
    lost = recovery("symbol_tables").entropy(0.1)
    assert atoms.synergy == pytest.approx(synergy * (1 - lost), abs=0.02)
    if synergy in (0, 1):
        assert atoms.information == pytest.approx(1 - lost, abs=1e-6)
        assert atoms.unique[0] == pytest.approx((1 - synergy) * (1 - lost), abs=1e-6)


def test_a_stochastic_gate_has_the_information_of_its_chances(recovery):
    entropy = recovery("symbol_tables").entropy
    chances = np.array([[0.05, 0.7], [0.9, 0.45]])
    atoms = recovery("symbol_tables").stochastic("x", chances).atoms
    both = entropy(chances.mean()) - entropy(chances).mean()
    assert atoms.information == pytest.approx(both, abs=1e-5)
    first = entropy(chances.mean()) - entropy(chances.mean(1)).mean()
    assert atoms.redundancy + atoms.unique[0] == pytest.approx(first, abs=1e-5)


def test_rows_of_a_picture_share_it_and_its_bit_and_noise_knows_nothing(recovery):
    problems = recovery("problems").PROBLEMS
    sample = problems["kinds-pictures"].draw(240, 0)
    picture = sample.groups["picture"]
    assert len(np.unique(picture)) == 60
    for one in range(3):
        rows = picture == one
        assert np.ptp(sample.x1[rows], axis=0).max() == 0
        assert len(np.unique(sample.y[rows] % 2)) == 1
        assert np.ptp(sample.x2[rows], axis=0).min() > 0
    nothing = problems["null-groups10"].truths.copy()
    assert math.isnan(nothing.pop("contribution"))
    assert set(nothing.values()) == {0.0}


def test_a_stack_reads_most_of_what_is_there_and_nothing_of_noise(recovery, monkeypatch):
    stack, sample_of = recovery("stack"), recovery("problems").Sample
    monkeypatch.setattr(stack, "TREES", 50)
    source = recovery("kinds").Bits((2.4, 0.0), (0.0, 0.0), dimensions=3)
    x1, x2, y, _ = source.rows(300, np.random.default_rng(0))
    sample = sample_of(x1, x2, y % 2, {"four": np.arange(300) // 4})
    with threadpool_limits(1):  # trees of more threads than there are free cores take minutes
        first, second, both = stack.informations(sample, 0)
    assert first == pytest.approx(source.atoms().information, abs=0.12)
    assert second == pytest.approx(0, abs=0.03)
    assert both == pytest.approx(first, abs=0.03)


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


def test_what_is_read_is_told_of_estimators_with_and_without_atoms(recovery):
    measure, report = recovery("measure"), recovery("report")
    answer, estimators = recovery("estimators").Answer, recovery("estimators")
    used = estimators.select(["plug", "stack"])
    tasks = measure.plan(
        recovery("problems").select(["kinds-weak-c60", "clear-copy"]),
        used,
        estimators.Settings(),
        draws={"plug-in": 2, "stack": 1},
        seed=0,
        rows=[300],
    )
    assert [task.problem for task in tasks if task.estimator == "stack"] == ["kinds-weak-c60"]
    answers = {
        "plug-in": estimators.from_atoms(0.1, 0.3, 0.2, 0.1),
        "stack": answer(*[math.nan] * 5, informations=(0.5, 0.25, 0.75)),
    }
    frame = measure.tidy(
        task.key() | {"answer": json.loads(json.dumps(dataclasses.asdict(answers[task.estimator])))}
        for task in tasks
    )
    frame.loc[(frame["draw"] == 1) & (frame["quantity"] == "information"), "value"] = 0.3
    of_kinds = _cells(report.readings(frame[frame["group"] == "kinds"]))
    assert [row[2:7] for row in of_kinds] == [
        ["I₁", ".480", ".400", ".400", "2"],
        ["I₂", ".320", ".300", ".300", "2"],
        ["I", ".800", ".500", ".300", "2"],
    ]
    assert [row[7:] for row in of_kinds] == [[v, v, "1"] for v in (".500", ".250", ".750")]


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

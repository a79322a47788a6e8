"""Whether estimators find the atoms that are there: bias, intervals, tests and time.

    python benchmarks/recovery --quick
    python benchmarks/recovery --problems null --estimators posterior --draws 200
    python benchmarks/recovery --draws 50 codebook=10 batch=1 --minutes 25 --figures docs/images

``make recovery`` installs what the views of real digits need first; elsewhere they are skipped, and
so is speech where no synthesiser is installed. A run that is ended goes on where it stood, and
``--minutes 0`` makes the tables of what is there.
"""

from __future__ import annotations

import argparse
import math
import os
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import estimators
import measure
import pandas as pd
import problems
import rates
import report
from progress import Progress, duration, say

PAGE = Path(__file__).parents[2] / "docs" / "estimation.md"
_DRAWS, _QUICK_DRAWS = 20, 2
_OVERALL = "Problems and rows that all of these estimators tried; RMSE and bias in bits."
_COVERAGE = (
    "95 % intervals; in brackets what chance allows. *Atoms* counts draws, not their four atoms; "
    "C₁ those draws that determine it. Width in bits, median."
)
_NOISE = "Means over all draws, without sign; *worst* is the largest mean atom of any one problem."
_TESTS = (
    "In brackets what chance allows. C₁ ≠ ½ has a true null where both unique atoms are the same. "
    "An interval rejects where it lies above 0, or beside ½."
)
_READ = (
    "Information of each source and of both; of every estimator the mean of its draws, the draw "
    "farthest from the truth, and their number. kinds-units-powers has the rows of kinds-units: "
    "they should read the same."
)
_AGAIN = (
    "The largest move of an atom between the first seed of the analysis and the others, and how "
    "much that is of the width of its interval."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for and print the tables."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    options = _parse(arguments)
    chosen = _here("problem", _problems(options), lambda problem: problem.source.missing())
    used = _here("estimator", estimators.select(options.estimators), lambda one: one.missing())
    if not chosen or not used:
        say("nothing is left to run")
        return 1
    tasks = _tasks(options, chosen, used)
    for name in sorted({one.name for one in chosen} - {task.problem for task in tasks}):
        say(f"skipped problem {name}: it has only {problems.PROBLEMS[name].source.most:,} rows")
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / "draws.jsonl"
    todo = measure.missing(tasks, file)
    jobs = max(min(options.jobs, len(todo)), 1)
    say(
        f"{len(chosen)} problems, {len(used)} estimators, {len(tasks):,} draws, "
        f"{len(tasks) - len(todo):,} of them kept from before; processes: {jobs}"
    )
    if todo:
        _prepare(chosen, options.seed)
    started = time.monotonic()
    told = Progress(todo, jobs)
    draws = measure.run(
        tasks,
        file,
        jobs=jobs,
        seconds=60 * options.minutes,
        begun=told.begun,
        progress=told.made,
    )
    say(f"done in {duration(time.monotonic() - started)}")
    frame = measure.tidy(draws)
    if frame.empty:
        say("no estimator gave an answer")
        return 1
    frame.to_csv(options.out / "draws.csv", index=False)
    with_atoms = set(frame.loc[frame["quantity"].isin(problems.ATOMS), "estimator"])
    whole = frame[frame["estimator"].isin(with_atoms)]
    once = whole[whole["again"] == 0]
    summary = measure.summarize(once)
    summary.to_csv(options.out / "summary.csv", index=False)
    # A folder of this machine is nobody else's business.
    shown = [Path(word).name if Path(word).is_absolute() else word for word in arguments]
    command = shlex.join(["python", "benchmarks/recovery", *shown])
    lacking = sum("answer" not in made for made in draws) + len(tasks) - len(draws)
    head = report.provenance(command, used, options.jobs, lacking)
    short = _short(whole, summary, chosen, head, frame)
    (options.out / "tables.md").write_text(f"{short}\n\n{_long(summary)}\n", encoding="utf-8")
    print(short)
    say("a row a problem: tables.md; every draw: draws.csv; both are in the folder of --out")
    if options.write:
        report.write(PAGE, short)
    if options.figures:
        import figures

        for drawn in figures.draw(once, summary, options.figures):
            say(f"drawn: {drawn.name}")
    return 0


def _tasks(
    options: argparse.Namespace,
    chosen: Sequence[problems.Problem],
    used: Sequence[estimators.Estimator],
) -> list[measure.Task]:
    """Return the draws that the command line asks for."""
    draws, seeds = (_QUICK_DRAWS, 2) if options.quick else (_DRAWS, options.seeds)
    slow = {one.name for one in used if one.draws < _DRAWS}
    most = {one.name: min(draws, one.draws) for one in used}
    if options.quick:
        most.update(dict.fromkeys(slow, 1))
    for name, number in options.draws:
        most.update({name: number} if name else {one.name: min(number, one.draws) for one in used})
    tasks = measure.plan(
        chosen,
        used,
        estimators.Settings(options.replicates, options.permutations),
        draws=most,
        seed=options.seed,
        rows=options.rows,
        seeds=seeds,
        null_draws=dict(options.null_draws),
    )
    if options.quick and not options.rows:
        sizes = problems.QUICK
        tasks = [task for task in tasks if task.n == sizes.get(task.problem, task.n)]
    return tasks


def _prepare(chosen: Sequence[problems.Problem], seed: int) -> None:
    """Make truths and speech, once, before there are many processes."""
    for problem in chosen:
        _ = problem.truths
        problem.draw(min(problem.sizes), seed)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks/recovery", description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--quick", action="store_true", help="a few small problems, a draw or two: two minutes")
    add("--problems", nargs="+", metavar="NAME", help="problems whose name contains NAME")
    add("--estimators", nargs="+", metavar="NAME", help="estimators whose name contains NAME")
    add(
        "--draws",
        type=_draws,
        nargs="+",
        default=[],
        metavar="N",
        help=f"of each problem ({_DRAWS}, batch 3); of one estimator where it says NAME=N",
    )
    add(
        "--null-draws",
        type=_null_draws,
        nargs="+",
        default=[],
        metavar="ROWS=N",
        help="draws of so many rows where nothing is known, by the default estimator",
    )
    add("--minutes", type=float, default=math.inf, metavar="M", help="begin no draw after M")
    add("--rows", type=_positive, nargs="+", metavar="N", help="rows, not the problems' own")
    add("--seed", type=int, default=0, help="of every draw (0)")
    add("--seeds", type=_positive, default=4, help="of the analysis, for its stability (4)")
    add("--replicates", type=_positive, default=1000, help="behind our intervals (1000)")
    add("--permutations", type=int, default=99, help="behind our nulls, where there are (99)")
    add("--jobs", type=_positive, default=os.cpu_count() or 1, help="processes (all cores)")
    add("--out", type=Path, default=Path("runs/recovery"), help="folder of the draws")
    add("--figures", type=Path, metavar="FOLDER", help="where to draw the figures")
    add("--write", action="store_true", help="put the tables in docs/estimation.md")
    add("--list", action="store_true", help="list the problems and estimators, and end")
    options = parser.parse_args(arguments)
    if options.list:
        for known in (*problems.PROBLEMS.values(), *estimators.ESTIMATORS.values()):
            print(f"{known.name:28}{known.about}")
        parser.exit()
    return options


def _positive(text: str) -> int:
    """Read a number of at least one."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)


def _draws(text: str) -> tuple[str, int]:
    """Read N or NAME=N."""
    name, _, number = text.rpartition("=")
    if name and name not in estimators.ESTIMATORS:
        raise argparse.ArgumentTypeError(f"there is no estimator {name!r}")
    return name, _positive(number)


def _null_draws(text: str) -> tuple[int, int]:
    """Read ROWS=N."""
    rows, told, number = text.partition("=")
    if not told:
        raise argparse.ArgumentTypeError(f"{text!r} is not ROWS=N, such as 200=40")
    return _positive(rows), _positive(number)


def _problems(options: argparse.Namespace) -> list[problems.Problem]:
    """Return the problems that were asked for."""
    if options.quick and not options.problems:
        return [problems.PROBLEMS[name] for name in problems.QUICK]
    return problems.select(options.problems)


def _here(what: str, wanted: Sequence[Any], missing: Any) -> list[Any]:
    """Return what can run here, and say why the others cannot."""
    reasons = {one.name: missing(one) for one in wanted}
    for name, reason in reasons.items():
        if reason:
            say(f"skipped {what} {name}: {reason}")
    return [one for one in wanted if not reasons[one.name]]


def _short(
    frame: pd.DataFrame,
    summary: pd.DataFrame,
    chosen: Sequence[problems.Problem],
    head: str,
    read: pd.DataFrame,
) -> str:
    """Tables that sum up, with headings; those without a row are left out.

    `read` has the draws of estimators that give informations alone as well.
    """
    once = frame[frame["again"] == 0]
    kinds = set(summary["truth_kind"])
    parts = [head, "### Problems (bits)", report.described(chosen)]
    if kinds & {"exact", "computed"}:
        parts += ["### All problems with a truth", _OVERALL, report.overall(summary)]
    read = read[read["again"] == 0]
    if (read["group"] == "kinds").any():
        table = report.readings(read[read["group"] == "kinds"])
        parts += ["### What is read of what is there (bits)", _READ, table]
    if (once["low"].notna() & once["truth"].notna()).any():
        parts += ["### Intervals that hold the truth, %", _COVERAGE, rates.coverage(once)]
    if ((once["quantity"] == "information") & (once["truth"] == 0)).any():
        parts += ["### Where nothing is known (bits)", _NOISE, rates.noise(once)]
        parts += ["### Tests where nothing is known, % rejected", rates.noise_tests(once)]
    if len(once):
        parts += ["### Tests whose null is true, % rejected", _TESTS, rates.false_positives(once)]
        parts += ["### Tests whose null is false, % rejected", rates.power(once)]
    if frame["again"].any():
        parts += ["### The same draw with other seeds (bits)", _AGAIN, rates.stability(frame)]
    parts += ["### Seconds of a draw (median; in brackets of the processor)", rates.seconds(read)]
    if "none" in kinds:
        parts += ["### Without a truth (bits, mean ± spread)", report.values(summary)]
    return "\n\n".join(parts)


def _long(summary: pd.DataFrame) -> str:
    """Tables of a row a problem, n and estimator."""
    parts = []
    for group in summary["group"].unique():
        cells = summary[summary["group"] == group]
        if (cells["truth_kind"] != "none").any():
            parts += [f"### Atoms: {group}", report.recovery(cells)]
    if set(summary["truth_kind"]) != {"none"}:
        parts += ["### Contribution", report.contributions(summary)]
    return "\n\n".join(parts)


if __name__ == "__main__":
    sys.exit(main())

"""Whether estimators find the atoms that are there: bias, intervals, tests and time.

    python benchmarks/recovery --quick
    python benchmarks/recovery --problems null --estimators posterior --draws 200
    python benchmarks/recovery --draws 50 --out runs/recovery --figures docs/images

``make recovery`` installs what the views of real digits need first; elsewhere they are skipped, and
so is speech where no synthesiser is installed. A run that is ended goes on where it stood.
"""

from __future__ import annotations

import argparse
import math
import os
import shlex
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import estimators
import measure
import problems
import report
from sklearn.exceptions import ConvergenceWarning

_DRAWS, _QUICK_DRAWS = 20, 2
_EVERY = 10.0  # seconds between words on how it goes


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for and print the tables."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    options = _parse(arguments)
    warnings.simplefilter("ignore", ConvergenceWarning)
    chosen = _here("problem", _problems(options), lambda problem: problem.source.missing())
    used = _here("estimator", estimators.select(options.estimators), lambda one: one.missing())
    if not chosen or not used:
        _say("nothing is left to run")
        return 1
    settings = estimators.Settings(options.replicates, options.permutations)
    tasks = measure.plan(
        chosen,
        used,
        settings,
        draws=options.draws or (_QUICK_DRAWS if options.quick else _DRAWS),
        seed=options.seed,
        rows=options.rows,
        all_draws=options.draws is not None,
    )
    if options.quick:
        sizes = problems.QUICK
        tasks = [
            task for task in tasks if options.rows or task.n == sizes.get(task.problem, task.n)
        ]
    for problem in chosen:  # truths and speech are made once, before there are many processes
        problem.draw(min(problem.sizes), options.seed)
        _ = problem.truths
    options.out.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    draws = measure.run(tasks, options.out / "draws.jsonl", jobs=options.jobs, progress=_Progress())
    _say(f"{time.monotonic() - started:.0f} s")
    frame = measure.tidy(draws)
    if frame.empty:
        _say("no estimator gave an answer")
        return 1
    frame.to_csv(options.out / "draws.csv", index=False)
    summary = measure.summarize(frame)
    summary.to_csv(options.out / "summary.csv", index=False)
    command = shlex.join(["python", "benchmarks/recovery", *arguments])
    text = _text(summary, chosen, report.provenance(command, used, options.jobs))
    (options.out / "tables.md").write_text(text + "\n", encoding="utf-8")
    print(text)
    if options.figures:
        import figures

        for file in figures.draw(frame, summary, options.figures):
            _say(f"drawn: {file.name}")
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks/recovery", description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--quick", action="store_true", help="a few small problems, two draws: two minutes")
    add("--problems", nargs="+", metavar="NAME", help="problems whose name contains NAME")
    add("--estimators", nargs="+", metavar="NAME", help="estimators whose name contains NAME")
    add("--draws", type=_positive, metavar="N", help=f"of each problem ({_DRAWS}; batch 3)")
    add("--rows", type=_positive, nargs="+", metavar="N", help="rows, not the problems' own")
    add("--seed", type=int, default=0, help="of every draw (0)")
    add("--replicates", type=_positive, default=1000, help="behind our intervals (1000)")
    add("--permutations", type=int, default=99, help="behind our nulls, where there are (99)")
    add("--jobs", type=_positive, default=os.cpu_count() or 1, help="processes (all cores)")
    add("--out", type=Path, default=Path("runs/recovery"), help="folder of the draws")
    add("--figures", type=Path, metavar="FOLDER", help="where to draw the figures")
    add("--list", action="store_true", help="list the problems and estimators, and end")
    options = parser.parse_args(arguments)
    if options.list:
        for known in (*problems.PROBLEMS.values(), *estimators.ESTIMATORS.values()):
            print(f"{known.name:28}{known.about}")
        parser.exit()
    return options


def _positive(text: str) -> int:
    """Read a number of at least one."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _problems(options: argparse.Namespace) -> list[problems.Problem]:
    """Return the problems that were asked for."""
    if options.quick and not options.problems:
        return [problems.PROBLEMS[name] for name in problems.QUICK]
    return problems.select(options.problems)


def _small(task: measure.Task) -> bool:
    """Whether a draw is of the size that a first look takes."""
    return task.n == problems.QUICK.get(task.problem, task.n)


def _here(what: str, wanted: Sequence[Any], missing: Any) -> list[Any]:
    """Return what can run here, and say why the others cannot."""
    reasons = {one.name: missing(one) for one in wanted}
    for name, reason in reasons.items():
        if reason:
            _say(f"skipped {what} {name}: {reason}")
    return [one for one in wanted if not reasons[one.name]]


def _text(summary: Any, chosen: Sequence[problems.Problem], provenance: str) -> str:
    """All tables, with headings; those without a row are left out."""
    kinds = set(summary["truth_kind"])
    parts = [provenance, "## Problems (bits)", report.described(chosen)]
    if kinds & {"exact", "computed"}:
        parts += ["## All problems with a truth", report.overall(summary)]
    for group in summary["group"].unique():
        cells = summary[summary["group"] == group]
        if (cells["truth_kind"] != "none").any():
            parts += [f"## Atoms: {group}", report.recovery(cells)]
    if kinds != {"none"}:
        parts += ["## Contribution", report.contributions(summary)]
    if "none" in kinds:
        parts += ["## Without a truth (bits, mean ± spread)", report.values(summary)]
    return "\n\n".join(parts)


class _Progress:
    """Say now and then how many draws are left, and every failure at once."""

    def __init__(self) -> None:
        self._last = -math.inf

    def __call__(self, left: int, made: dict[str, Any]) -> None:
        where = f"{made['problem']} n={made['n']} {made['estimator']} draw {made['draw']}"
        if "failed" in made:
            _say(f"failed: {where}: {made['failed']}")
        if time.monotonic() - self._last > _EVERY:
            self._last = time.monotonic()
            _say(f"{left} draws left; last {where}")


def _say(text: str) -> None:
    """Tell how it goes, beside the tables."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

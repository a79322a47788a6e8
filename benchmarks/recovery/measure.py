"""Draw, estimate, keep; and what many draws say of an estimator.

Every draw is a line of ``draws.jsonl`` as soon as it is there, so that a run that was ended goes on
where it stood. A draw made by other code, or with other settings, is made again.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from estimators import ESTIMATORS, Answer, Estimator, Settings
from joblib import Parallel, delayed, parallel_config
from problems import AGAIN, PROBLEMS, Problem
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

ALPHA = 0.05
# How well each kind of truth is known, in bits: a symbol 8 standard deviations from the next is
# misread so seldom that up to .0006 bit is lost, and merging costs a computed truth up to .005.
TRUTH_ERROR = {"exact": 1e-3, "computed": 5e-3, "upper": 1e-3, "none": 1e-3}
_DEFAULT = "posterior"
_SEEDS = 1_000  # between two seeds of the analysis of the same draw
_NAMES = ("problem", "n", "estimator", "draw", "seed", "again")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Task:
    """One draw of one problem, for one estimator.

    Parameters
    ----------
    problem : str
        Name.
    n : int
        Rows.
    estimator : str
        Name.
    draw, seed : int
        Number of the draw, and the seed of them all.
    settings : Settings
        How to estimate.
    code : str
        State of the estimator's code.
    again : int
        0, or which other seed of the analysis the same rows are given once more with.
    """

    problem: str
    n: int
    estimator: str
    draw: int
    seed: int
    settings: Settings
    code: str
    again: int = 0

    def key(self) -> dict[str, Any]:
        """Key of a draw in the file."""
        return dataclasses.asdict(self)


def plan(
    problems: Iterable[Problem],
    estimators: Sequence[Estimator],
    settings: Settings,
    *,
    draws: Mapping[str, int],
    seed: int,
    rows: Sequence[int] | None = None,
    seeds: int = 1,
    null_draws: Mapping[int, int] | None = None,
) -> list[Task]:
    """Return the draws there are to make, first those of every problem, then the second ones.

    Parameters
    ----------
    problems, estimators : iterables
        Which of them.
    settings : Settings
        How to estimate.
    draws : mapping
        Draws of each problem, by estimator.
    seed : int
        Of the draws.
    rows : sequence of int, optional
        Rows of each draw, instead of the problems' own; what a problem does not have is left out.
    seeds : int
        Seeds of the analysis that the first draw of the problems in `AGAIN` is given.
    null_draws : mapping, optional
        By rows: draws of the default estimator where nothing is known. Rates need many.
    """
    states = {estimator.name: estimator.code for estimator in estimators}
    null_draws = null_draws or {}
    most = max([*draws.values(), *null_draws.values()], default=0)
    tasks = []
    for draw, problem in itertools.product(range(most), problems):
        sizes = [n for n in rows or problem.sizes if n <= problem.source.most]
        tried = [one for one in estimators if not one.groups or problem.group in one.groups]
        for n, estimator in itertools.product(sizes, tried):
            often = seeds if draw == 0 and problem.name in AGAIN and n == min(sizes) else 1
            wanted = draws[estimator.name]
            if estimator.name == _DEFAULT and problem.group.startswith("null"):
                wanted = null_draws.get(n, wanted)
            if draw < wanted:
                tasks += [
                    Task(
                        problem.name,
                        n,
                        estimator.name,
                        draw,
                        seed,
                        settings,
                        states[estimator.name],
                        again,
                    )
                    for again in range(often)
                ]
    return tasks


def run_one(task: Task) -> dict[str, Any]:
    """Make one draw on one thread; a failure is a result as well."""
    torch.set_num_threads(1)
    if ESTIMATORS[task.estimator].code != task.code:  # a process imports it when it starts
        return task.key() | {"failed": "its code has changed since the run began; run it again"}
    seed = task.draw + _SEEDS * task.again
    try:
        sample = PROBLEMS[task.problem].draw(task.n, task.seed, task.draw)
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            answer = ESTIMATORS[task.estimator].timed(sample, seed, task.settings)
    except (ArithmeticError, RuntimeError, ValueError) as error:
        return task.key() | {"failed": f"{type(error).__name__}: {error}"}
    return task.key() | {"answer": dataclasses.asdict(answer)}


def missing(tasks: Sequence[Task], file: Path) -> list[Task]:
    """Return the draws that a file lacks."""
    kept = {_identity(made) for made in read(file) if "answer" in made}
    return [task for task in tasks if _identity(task.key()) not in kept]


def run(
    tasks: Sequence[Task],
    file: Path,
    *,
    jobs: int,
    seconds: float = math.inf,
    begun: Callable[[Task], None] = lambda _task: None,
    progress: Callable[[int, dict[str, Any]], None] = lambda _number, _made: None,
) -> list[dict[str, Any]]:
    """Make the draws that the file lacks, and return those that were asked for and are there.

    Parameters
    ----------
    tasks : sequence of Task
        From `plan`.
    file : Path
        A line a draw; made where there is none.
    jobs : int
        Processes, of one thread each.
    seconds : float
        After which no draw is begun.
    begun : callable
        Told of each draw as it begins.
    progress : callable
        Told how many draws are left, and the last one.
    """
    todo = missing(tasks, file)
    # Before any process starts: a torch that is imported afterwards takes every core.
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    cut = file.exists() and not file.read_bytes().endswith(b"\n")
    made_now = _made(_until(todo, time.monotonic() + seconds, begun), min(jobs, len(todo)))
    found = {_identity(made): made for made in read(file) if "answer" in made}
    with file.open("a", encoding="utf-8") as lines:
        lines.write("\n" * cut)  # a line that was cut off must not swallow the next
        for left, made in zip(itertools.count(len(todo) - 1, -1), made_now, strict=False):
            lines.write(json.dumps(made) + "\n")
            lines.flush()
            found[_identity(made)] = made
            progress(left, made)
    wanted = (_identity(task.key()) for task in tasks)
    return [found[key] for key in wanted if key in found]


def _until(todo: Iterable[Task], end: float, begun: Callable[[Task], None]) -> Iterator[Task]:
    """Yield what is to be made, and tell of it, until the time is over."""
    for task in todo:
        if time.monotonic() >= end:
            return
        begun(task)
        yield task


def _made(todo: Iterable[Task], jobs: int) -> Iterator[dict[str, Any]]:
    """Make draws in this process or in several, and yield each as soon as it is there."""
    if jobs < 2:
        yield from map(run_one, todo)
        return
    with parallel_config("loky", inner_max_num_threads=1):
        # One draw a process and none in a queue: what is told to begin does begin.
        yield from Parallel(
            jobs, return_as="generator_unordered", pre_dispatch="n_jobs", batch_size=1
        )(delayed(run_one)(task) for task in todo)


def read(file: Path) -> list[dict[str, Any]]:
    """Return the draws of a file; a last line that was cut off is no draw."""
    if not file.exists():
        return []
    found = []
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return found


def _identity(made: dict[str, Any]) -> str:
    """Key of a draw, as one string."""
    fields = [field.name for field in dataclasses.fields(Task)]
    return json.dumps([made.get(name) for name in fields], sort_keys=True)


def tidy(draws: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Return a row a draw and quantity, with the truth beside it; failures are left out."""
    rows = []
    for made in draws:
        if "answer" not in made:
            continue
        answer, problem = Answer(**made["answer"]), PROBLEMS[made["problem"]]
        for quantity, value in answer.values().items():
            bounds = [
                math.nan if side is None else side.get(quantity, math.nan)
                for side in (answer.low, answer.high, answer.p_values)
            ]
            rows.append(
                {
                    name: made[name]
                    for name in ("problem", "n", "estimator", "draw", "seed", "again")
                }
                | {
                    "group": problem.group,
                    "quantity": quantity,
                    "truth": problem.truths[quantity],
                    "truth_kind": problem.source.truth,
                    "value": value,
                    **dict(zip(("low", "high", "p_value"), bounds, strict=True)),
                    "determined": answer.determined,
                    "seconds": answer.seconds,
                    "processor": answer.processor,
                }
            )
    return pd.DataFrame(rows)


def summarize(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a row a problem, n, estimator and quantity: what the draws say of the estimator.

    ``bias``, ``rmse`` and their ``bias_error`` are in bits (the contribution's are pure numbers);
    ``coverage`` is the fraction of the intervals that hold the truth; ``rejected`` the fraction of
    p-values of at most .05 and ``above_zero`` of intervals that lie above 0: false positives where
    the truth is 0, power elsewhere; ``undetermined`` the fraction of draws that decline to tell a
    contribution.
    """
    by = ["group", "problem", "n", "estimator", "quantity"]
    return frame.groupby(by, sort=False).apply(_summary).reset_index()


def _summary(cell: pd.DataFrame) -> pd.Series:
    """Summarise the draws of one cell."""
    value = cell["value"].to_numpy(float)
    truth = float(cell["truth"].iloc[0])
    kind = str(cell["truth_kind"].iloc[0])
    slack = TRUTH_ERROR[kind]
    told = value[np.isfinite(value)]
    error = told - truth
    low, high, p = (cell[name].to_numpy(float) for name in ("low", "high", "p_value"))
    return pd.Series(
        {
            "draws": len(value),
            "truth": truth,
            "truth_kind": kind,
            "mean": _mean(told),
            "spread": float(told.std(ddof=1)) if len(told) > 1 else math.nan,
            "bias": _mean(error),
            "bias_error": float(error.std(ddof=1) / len(error) ** 0.5)
            if len(error) > 1
            else math.nan,
            "rmse": math.sqrt(_mean(error**2)) if len(error) else math.nan,
            "coverage": math.nan if kind == "upper" else coverage(low, high, truth, slack),
            "rejected": _mean((p <= ALPHA)[np.isfinite(p)]),
            "above_zero": _mean((low > slack)[np.isfinite(low)]),
            "undetermined": float(np.isnan(value).mean()),
            "seconds": float(cell["seconds"].median()),
        }
    )


def coverage(low: np.ndarray, high: np.ndarray, truth: float, slack: float) -> float:
    """Return the fraction of the intervals that hold the truth; NaN where there are none.

    Parameters
    ----------
    low, high : ndarray
        Bounds; NaN where there are none.
    truth, slack : float
        What is true, and how well that is known.

    Examples
    --------
    >>> coverage(np.array([0.0, 0.2, np.nan]), np.array([0.3, 0.4, np.nan]), 0.1, 0.001)
    0.5
    """
    known = np.isfinite(low) & np.isfinite(high)
    if math.isnan(truth):
        return math.nan
    return _mean((low[known] <= truth + slack) & (truth - slack <= high[known]))


def _mean(values: np.ndarray) -> float:
    """Mean; NaN of nothing."""
    return float(np.mean(values)) if len(values) else math.nan

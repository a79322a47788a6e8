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
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from estimators import ESTIMATORS, Answer, Estimator, Settings
from joblib import Parallel, delayed, parallel_config
from problems import PROBLEMS, QUANTITIES, Problem
from threadpoolctl import threadpool_limits

ALPHA = 0.05
ATOMS = QUANTITIES[:4]
_ZERO = 1e-9  # bits; rounding of a truth of 0, and of an interval that ends at the truth
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
    """

    problem: str
    n: int
    estimator: str
    draw: int
    seed: int
    settings: Settings
    code: str

    def key(self) -> dict[str, Any]:
        """What a draw in the file is known by."""
        return dataclasses.asdict(self)


def plan(
    problems: Iterable[Problem],
    estimators: Sequence[Estimator],
    settings: Settings,
    *,
    draws: int,
    seed: int,
    rows: Sequence[int] | None = None,
    all_draws: bool = False,
) -> list[Task]:
    """Return the draws there are to make, first those of every problem, then the second ones.

    Parameters
    ----------
    problems, estimators : iterables
        Which of them.
    settings : Settings
        How to estimate.
    draws, seed : int
        Draws of each, and their seed.
    rows : sequence of int, optional
        Rows of each draw, instead of the problems' own.
    all_draws : bool
        Whether slow estimators make as many draws as all others.
    """
    states = {estimator.name: estimator.code for estimator in estimators}
    return [
        Task(problem.name, n, estimator.name, draw, seed, settings, states[estimator.name])
        for draw, problem in itertools.product(range(draws), problems)
        for n, estimator in itertools.product(rows or problem.sizes, estimators)
        if all_draws or draw < estimator.draws
    ]


def run_one(task: Task) -> dict[str, Any]:
    """Make one draw on one thread; a failure is a result as well."""
    torch.set_num_threads(1)
    sample = PROBLEMS[task.problem].draw(task.n, task.seed, task.draw)
    try:
        with threadpool_limits(1):
            answer = ESTIMATORS[task.estimator].timed(sample, task.draw, task.settings)
    except (ArithmeticError, RuntimeError, ValueError) as error:
        return task.key() | {"failed": f"{type(error).__name__}: {error}"}
    return task.key() | {"answer": dataclasses.asdict(answer)}


def run(
    tasks: Sequence[Task],
    file: Path,
    *,
    jobs: int,
    progress: Callable[[int, dict[str, Any]], None] = lambda _number, _made: None,
) -> list[dict[str, Any]]:
    """Make the draws that the file lacks, and return all that were asked for.

    Parameters
    ----------
    tasks : sequence of Task
        From `plan`.
    file : Path
        A line a draw; made where there is none.
    jobs : int
        Processes, of one thread each.
    progress : callable
        Told how many draws are left, and the last one.
    """
    kept = {_identity(made): made for made in read(file) if "answer" in made}
    wanted = [_identity(task.key()) for task in tasks]
    todo = [task for task, key in zip(tasks, wanted, strict=True) if key not in kept]
    # Before any process starts: a torch that is imported afterwards takes every core.
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    cut = file.exists() and not file.read_bytes().endswith(b"\n")
    with file.open("a", encoding="utf-8") as lines:
        lines.write("\n" * cut)  # a line that was cut off must not swallow the next
        for left, made in zip(itertools.count(len(todo) - 1, -1), _made(todo, jobs), strict=False):
            lines.write(json.dumps(made) + "\n")
            lines.flush()
            kept[_identity(made)] = made
            progress(left, made)
    return [kept[key] for key in wanted]


def _made(todo: Sequence[Task], jobs: int) -> Iterator[dict[str, Any]]:
    """Make draws in this process or in several, and yield each as soon as it is there."""
    if jobs == 1 or len(todo) < 2:
        yield from map(run_one, todo)
        return
    with parallel_config("loky", inner_max_num_threads=1):
        yield from Parallel(jobs, return_as="generator_unordered")(
            delayed(run_one)(task) for task in todo
        )


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
    """What a draw is known by, as one string."""
    fields = [field.name for field in dataclasses.fields(Task)]
    return json.dumps([made[name] for name in fields], sort_keys=True)


def tidy(draws: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Return a row a draw and quantity, with the truth beside it; failures are left out."""
    rows = []
    for made in draws:
        if "answer" not in made:
            continue
        answer, problem = Answer(**made["answer"]), PROBLEMS[made["problem"]]
        for quantity in QUANTITIES:
            bounds = [
                math.nan if side is None else side.get(quantity, math.nan)
                for side in (answer.low, answer.high, answer.p_values)
            ]
            rows.append(
                {name: made[name] for name in ("problem", "n", "estimator", "draw", "seed")}
                | {
                    "group": problem.group,
                    "quantity": quantity,
                    "truth": problem.truths[quantity],
                    "truth_kind": problem.source.truth,
                    "value": getattr(answer, quantity),
                    **dict(zip(("low", "high", "p_value"), bounds, strict=True)),
                    "determined": answer.determined,
                    "seconds": answer.seconds,
                }
            )
    return pd.DataFrame(rows)


def summarize(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a row a problem, n, estimator and quantity: what the draws say of the estimator.

    ``bias``, ``rmse`` and their ``bias_error`` are in bits (the contribution's are pure numbers);
    ``coverage`` is the fraction of the intervals that hold the truth; ``rejected`` the fraction of
    p-values below .05 and ``above_zero`` of intervals that lie above 0: false positives where the
    truth is 0, power elsewhere; ``undetermined`` the fraction of draws that decline to tell a
    contribution.
    """
    by = ["group", "problem", "n", "estimator", "quantity"]
    return frame.groupby(by, sort=False).apply(_summary).reset_index()


def _summary(cell: pd.DataFrame) -> pd.Series:
    """Summarise the draws of one cell."""
    value = cell["value"].to_numpy(float)
    truth = float(cell["truth"].iloc[0])
    kind = str(cell["truth_kind"].iloc[0])
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
            "coverage": math.nan if kind == "upper" else coverage(low, high, truth),
            "rejected": _mean((p < ALPHA)[np.isfinite(p)]),
            "above_zero": _mean((low > _ZERO)[np.isfinite(low)]),
            "undetermined": float(np.isnan(value).mean()),
            "seconds": float(cell["seconds"].median()),
        }
    )


def coverage(low: np.ndarray, high: np.ndarray, truth: float) -> float:
    """Return the fraction of the intervals that hold the truth; NaN where there are none.

    Examples
    --------
    >>> coverage(np.array([0.0, 0.2, np.nan]), np.array([0.3, 0.4, np.nan]), 0.1)
    0.5
    """
    known = np.isfinite(low) & np.isfinite(high)
    if math.isnan(truth):
        return math.nan
    return _mean((low[known] <= truth + _ZERO) & (truth - _ZERO <= high[known]))


def _mean(values: np.ndarray) -> float:
    """Mean; NaN of nothing."""
    return float(np.mean(values)) if len(values) else math.nan

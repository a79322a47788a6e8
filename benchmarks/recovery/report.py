"""Markdown tables of the results."""

from __future__ import annotations

import importlib.metadata
import math
import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from estimators import ESTIMATORS, Estimator
from problems import ATOMS, INFORMATIONS, Problem

_PACKAGES = ("modalprism", "numpy", "scipy", "scikit-learn", "torch")
DASH = "–"
BEGIN, END = "<!-- generated: begin -->", "<!-- generated: end -->"
HEADER = (
    "problem",
    "n",
    "estimator",
    "draws",
    *(f"bias {atom}" for atom in ("R", "U₁", "U₂", "S")),
    "RMSE",
    "coverage",
    "false positives",
    "intervals above 0",
    "C₁ undetermined",
    "seconds",
)
CONTRIBUTION_HEADER = ("problem", "n", "estimator", "draws", "true C₁", "mean C₁", "RMSE")
CONTRIBUTION_HEADER += ("coverage", "undetermined")
VALUES_HEADER = ("problem", "n", "estimator", "draws", "R", "U₁", "U₂", "S")
VALUES_HEADER += ("C₁ undetermined", "seconds")

_LITTLE = 0.005  # bits that a source has; below it there is nothing to read of it
_INFORMATION = dict(zip(INFORMATIONS, ("I₁", "I₂", "I"), strict=True))


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table.

    Examples
    --------
    >>> print(table(("a", "b"), [("1", "2")]))
    | a | b |
    |---|---|
    | 1 | 2 |
    """
    lines = ["| " + " | ".join(line) + " |" for line in (header, *rows)]
    return "\n".join([lines[0], "|---" * len(header) + "|", *lines[1:]])


def signed(value: float, digits: int = 3) -> str:
    """Write a difference with its sign, and no zero before the point.

    Examples
    --------
    >>> signed(0.0214), signed(-1.2), signed(-0.0001), signed(float("nan"))
    ('+.021', '−1.200', '.000', '–')
    """
    if math.isnan(value):
        return DASH
    text = f"{abs(value):.{digits}f}"
    sign = "" if float(text) == 0 else "+" if value > 0 else "−"
    return sign + text.removeprefix("0")


def plain(value: float, digits: int = 3) -> str:
    """Write a number without a zero before the point.

    Examples
    --------
    >>> plain(0.5, 2), plain(-0.25, 2), plain(float("nan"))
    ('.50', '−.25', '–')
    """
    return signed(value, digits).removeprefix("+")


def rate(value: float) -> str:
    """Write a fraction as a percentage.

    Examples
    --------
    >>> rate(0.953), rate(float("nan"))
    ('95 %', '–')
    """
    return DASH if math.isnan(value) else f"{100 * value:.0f} %"


def recovery(summary: pd.DataFrame) -> str:
    """Table of the problems with a truth: a row a problem, n and estimator.

    RMSE and coverage are over the four atoms; false positives over the atoms that are 0.
    """
    rows = []
    for cell in _cells(summary[summary["truth_kind"] != "none"]):
        atoms, zero = cell.loc[list(ATOMS)], cell.loc[list(ATOMS)].query("abs(truth) < 1e-9")
        rows.append(
            (
                *_labels(cell),
                *(signed(bias) for bias in atoms["bias"]),
                plain(math.sqrt((atoms["rmse"] ** 2).mean())),
                rate(atoms["coverage"].mean()),
                rate(zero["rejected"].mean()),
                rate(zero["above_zero"].mean()),
                rate(cell.loc["contribution", "undetermined"]),
                _seconds(cell),
            )
        )
    return table(HEADER, rows)


def contributions(summary: pd.DataFrame) -> str:
    """Table of the contribution: where there is one, and where there is nothing to divide."""
    rows = []
    for cell in _cells(summary[summary["truth_kind"] != "none"]):
        ratio = cell.loc["contribution"]
        true = "undetermined" if math.isnan(ratio["truth"]) else plain(ratio["truth"], 2)
        numbers = (plain(ratio[name], 2) for name in ("mean", "rmse"))
        rates = (rate(ratio[name]) for name in ("coverage", "undetermined"))
        rows.append((*_labels(cell), true, *numbers, *rates))
    return table(CONTRIBUTION_HEADER, rows)


def values(summary: pd.DataFrame) -> str:
    """Table of the problems without a truth: mean ± spread of each atom."""
    rows = []
    for cell in _cells(summary[summary["truth_kind"] == "none"]):
        atoms = cell.loc[list(ATOMS)]
        told = [
            f"{plain(mean, 2)} ± {plain(spread, 2)}"
            for mean, spread in zip(atoms["mean"], atoms["spread"], strict=True)
        ]
        undetermined = rate(cell.loc["contribution", "undetermined"])
        rows.append((*_labels(cell), *told, undetermined, _seconds(cell)))
    return table(VALUES_HEADER, rows)


def readings(frame: pd.DataFrame) -> str:
    """Table of what is read of what is there: a row a problem, n and information.

    Of every estimator the mean of its draws, the draw that is farthest from the truth, and their
    number. A source that has no information has no row.
    """
    read = frame[frame["quantity"].isin(INFORMATIONS)]
    names = [name for name in ESTIMATORS if name in set(read["estimator"])]
    rows = []
    for (problem, n, quantity), cell in read.groupby(["problem", "n", "quantity"], sort=False):
        truth = cell["truth"].iloc[0]
        if quantity != "information" and truth < _LITTLE:
            continue
        told = []
        for name in names:
            value = cell.loc[cell["estimator"] == name, "value"].to_numpy(float)
            worst = value[np.abs(value - truth).argmax()] if len(value) else math.nan
            told += [plain(value.mean() if len(value) else math.nan), plain(worst), str(len(value))]
        rows.append((str(problem), f"{n:,}", _INFORMATION[quantity], plain(truth), *told))
    header = ("problem", "n", "of", "there")
    for name in names:
        header += (name, "worst", "draws")
    return table(header, rows)


def overall(summary: pd.DataFrame) -> str:
    """Table of the estimators: a row each, over the problems that they all tried."""
    known = summary[summary["truth_kind"].isin(["exact", "computed"])]
    tried = known.groupby(["problem", "n"])["estimator"].transform("nunique")
    known = known[tried == known["estimator"].nunique()]
    rows = []
    for name, cell in known.groupby("estimator", sort=False):
        atoms = cell[cell["quantity"].isin(ATOMS)]
        zero = atoms[atoms["truth"].abs() < 1e-9]
        ratio = cell[cell["quantity"] == "contribution"]
        there, nowhere = ratio[ratio["truth"].notna()], ratio[ratio["truth"].isna()]
        rows.append(
            (
                str(name),
                str(len(ratio)),
                plain(math.sqrt((atoms["rmse"] ** 2).mean())),
                plain(atoms["bias"].abs().max()),
                rate(atoms["coverage"].mean()),
                rate(zero["rejected"].mean()),
                rate(zero["above_zero"].mean()),
                plain(math.sqrt((there["rmse"] ** 2).mean()), 2),
                rate(nowhere["undetermined"].mean()),
                rate(there["undetermined"].mean()),
                f"{ratio['seconds'].median():.2g}",
            )
        )
    header = ("estimator", "problems", "RMSE", "worst bias", "coverage", "false positives")
    header += ("intervals above 0", "RMSE of C₁", "undetermined, rightly", "undetermined, wrongly")
    return table((*header, "seconds"), rows)


def described(problems: Iterable[Problem]) -> str:
    """Table of the problems: what they are, and their true atoms in bits."""
    rows = [
        (
            problem.name,
            problem.about,
            problem.source.truth,
            *(plain(problem.truths[atom]) for atom in ATOMS),
        )
        for problem in problems
    ]
    return table(("problem", "about", "truth", "R", "U₁", "U₂", "S"), rows)


def provenance(command: str, estimators: Sequence[Estimator], jobs: int, lacking: int = 0) -> str:
    """With what: a list for the top, without any path; and how many draws are not there."""
    versions = [f"{package} {importlib.metadata.version(package)}" for package in _PACKAGES]
    used = [f"{estimator.name} (code {estimator.code})" for estimator in estimators]
    return "\n".join(
        (
            f"- Python {platform.python_version()}, {', '.join(versions)}",
            f"- {os.cpu_count()} cores, {jobs} processes of one thread",
            f"- estimators: {', '.join(used)}",
            f"- `{command}`",
            *([f"- {lacking:,} draws of this command failed or were not made"] if lacking else []),
        )
    )


def write(page: Path, generated: str) -> None:
    """Replace what stands between the markers of a page, and leave the rest as it is.

    Raises
    ------
    ValueError
        If the page does not have the two markers, in their order.
    """
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page.name} lacks {BEGIN} … {END}: put them where the tables belong")
    page.write_text(f"{before}{BEGIN}\n\n{generated}\n\n{END}{after}", encoding="utf-8")


def _cells(summary: pd.DataFrame) -> list[pd.DataFrame]:
    """Return one frame for each problem, n and estimator, indexed by quantity."""
    ranks = {name: rank for rank, name in enumerate(ESTIMATORS)}
    cells = [
        cell.set_index("quantity")
        for _, cell in summary.groupby(["problem", "n", "estimator"], sort=False)
    ]
    places = {name: place for place, name in enumerate(summary["problem"].unique())}

    def order(cell: pd.DataFrame) -> tuple[int, int, int]:
        first = cell.iloc[0]
        return places[first["problem"]], first["n"], ranks[first["estimator"]]

    return sorted(cells, key=order)


def _labels(cell: pd.DataFrame) -> tuple[str, str, str, str]:
    """Problem, n, estimator and draws."""
    first = cell.iloc[0]
    return first["problem"], f"{first['n']:,}", first["estimator"], str(first["draws"])


def _seconds(cell: pd.DataFrame) -> str:
    """Median seconds of a draw, to two digits that mean something."""
    seconds = float(np.asarray(cell["seconds"])[0])
    return f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.2g}"

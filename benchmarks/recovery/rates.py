"""Rates at which intervals hold the truth and tests reject it, with their sampling error.

Every rate comes with its 95 % interval (Wilson 1927). Where a rate pools several atoms of a draw,
it counts draws, not atoms, because the atoms of a draw depend on each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import pandas as pd
from estimators import ESTIMATORS
from measure import ALPHA, TRUTH_ERROR
from problems import ATOMS
from report import DASH, plain, table

_TESTS = ("information", *ATOMS, "contribution")
_SHORT = dict(zip(_TESTS, ("I", "R", "U₁", "U₂", "S", "C₁ ≠ ½"), strict=True))
_ZERO, _HALF = 1e-9, 1e-3  # bits; and from ½, for a computed truth is not known better
_QUANTILE = 1.959964
ALL = "all"


def wilson(rate: float, n: float) -> tuple[float, float]:
    """Return the 95 % interval of a rate that was seen in n draws.

    Examples
    --------
    >>> low, high = wilson(0.95, 200)
    >>> round(low, 3), round(high, 3), wilson(0, 0)
    (0.91, 0.973, (0.0, 1.0))
    """
    if not n:
        return 0.0, 1.0
    square = _QUANTILE**2
    centre = (rate + square / (2 * n)) / (1 + square / n)
    half = _QUANTILE * math.sqrt(rate * (1 - rate) / n + square / (4 * n**2)) / (1 + square / n)
    return max(centre - half, 0.0), min(centre + half, 1.0)


def told(rate: float, n: float) -> str:
    """Write a rate and its interval, in per cent.

    Examples
    --------
    >>> told(0.95, 200), told(float("nan"), 0)
    ('95 [91, 97]', '–')
    """
    if not n or math.isnan(rate):
        return DASH
    low, high = wilson(rate, n)
    return f"{100 * rate:.0f} [{100 * low:.0f}, {100 * high:.0f}]"


def noise(frame: pd.DataFrame) -> str:
    """Table of the problems without any information: a row an estimator and n.

    Atoms are means over all draws, without their sign; *worst* is the largest of any one problem.
    """
    rows = []
    for name, one in _by_estimator(_nothing(frame)):
        for n, cell in one.groupby("n"):
            atoms = cell[cell["quantity"].isin(ATOMS)]
            means = atoms.groupby("quantity")["value"].mean().abs()
            worst = atoms.groupby(["problem", "quantity"])["value"].mean().abs().max()
            value = cell.loc[cell["quantity"] == "contribution", "value"]
            rows.append(
                (
                    name,
                    f"{n:,}",
                    str(len(value)),
                    *(plain(means[atom]) for atom in ATOMS),
                    plain(worst),
                    told(float(value.isna().mean()), len(value)),
                )
            )
    header = ("estimator", "n", "draws", *(_SHORT[atom] for atom in ATOMS))
    return table((*header, "worst", "C₁ undetermined, %"), rows)


def noise_tests(frame: pd.DataFrame) -> str:
    """Table of tests where there is nothing to find: a row an estimator, kind of test and n."""
    nothing = _nothing(frame)
    return _tests(nothing, "n", lambda cell: f"{cell:,}", wanted=True)


def false_positives(frame: pd.DataFrame) -> str:
    """Table of tests whose null is true: a row an estimator, kind of test and group."""
    return _tests(frame, "group", str, wanted=True)


def power(frame: pd.DataFrame) -> str:
    """Table of tests whose null is false: a row an estimator, kind of test and group."""
    return _tests(frame, "group", str, wanted=False)


def _tests(frame: pd.DataFrame, by: str, label: Callable[..., str], *, wanted: bool) -> str:
    """Table of the draws that a test rejects, where its null is true or where it is false."""
    known = _known(frame)
    known = known[_null(known) == wanted]
    rows = []
    for name, one in _by_estimator(known):
        for kind, rejected in _rejections(one):
            for part, cell in _parts(one.assign(rejected=rejected), by):
                quantities = [cell[cell["quantity"] == test]["rejected"] for test in _TESTS]
                rates = [told(seen.dropna().mean(), seen.notna().sum()) for seen in quantities]
                rows.append((name, kind, part if part == ALL else label(part), *rates))
    return table(("estimator", "rejects by", by, *_SHORT.values()), rows)


def _rejections(one: pd.DataFrame) -> Iterator[tuple[str, pd.Series]]:
    """Yield what an estimator can reject by, and whether it does; NaN where there is no test."""
    if one["p_value"].notna().any():
        tested = (one["p_value"] <= ALPHA).astype(float)
        yield f"p ≤ {plain(ALPHA, 2)}", tested.where(one["p_value"].notna())
    if one["low"].notna().any():
        apart = (one["low"] > 0.5) | (one["high"] < 0.5)
        ratio = one["quantity"] == "contribution"
        above = one["low"] > one["truth_kind"].map(TRUTH_ERROR)
        yield "interval", apart.where(ratio, above).astype(float)


def _null(frame: pd.DataFrame) -> pd.Series:
    """Whether the null of a test is true: nothing there, or C = ½, or nothing to divide."""
    ratio = frame["quantity"] == "contribution"
    equal = frame["truth"].isna() | ((frame["truth"] - 0.5).abs() < _HALF)
    return equal.where(ratio, frame["truth"].abs() < _ZERO)


def coverage(frame: pd.DataFrame) -> str:
    """Table of intervals that hold the truth: a row an estimator and group."""
    known = _known(frame)
    known = known[known["low"].notna() & known["truth"].notna()]
    slack = known["truth_kind"].map(TRUTH_ERROR)
    known = known.assign(
        held=(known["low"] <= known["truth"] + slack) & (known["truth"] - slack <= known["high"]),
        width=known["high"] - known["low"],
    )
    rows = []
    for name, one in _by_estimator(known):
        for part, cell in _parts(one, "group"):
            atoms = cell[cell["quantity"].isin(ATOMS)]
            draws = len(cell.groupby(["problem", "n", "draw"]))
            held = [cell[cell["quantity"] == quantity]["held"] for quantity in _TESTS]
            rows.append(
                (
                    name,
                    part,
                    str(draws),
                    told(atoms["held"].mean(), draws),
                    *(told(seen.mean(), len(seen)) for seen in held),
                    plain(atoms["width"].median()),
                )
            )
    tests = tuple(_SHORT.values())[:-1]
    return table(("estimator", "group", "draws", "atoms", *tests, "C₁", "width of atoms"), rows)


def stability(frame: pd.DataFrame) -> str:
    """Table of the same draws with other seeds of the analysis: a row an estimator and problem.

    Of each atom the largest move of any seed from the first, in bits, and as a share of the width
    of the first seed's interval.
    """
    atoms = frame[frame["quantity"].isin(ATOMS)]
    rows = []
    for name, one in _by_estimator(atoms):
        for (problem, n), cell in one.groupby(["problem", "n"], sort=False):
            cell = cell[cell["draw"] == 0].sort_values("again")
            seeds = cell["again"].nunique()
            if seeds < 2:
                continue
            moves, shares = {}, {}
            for atom, of_atom in cell.groupby("quantity"):
                first = of_atom.iloc[0]
                moves[atom] = (of_atom["value"] - first["value"]).abs().max()
                width = first["high"] - first["low"]
                shares[atom] = moves[atom] / width if width > 0 else math.nan
            said = [
                plain(moves[atom])
                + ("" if math.isnan(shares[atom]) else f" ({100 * shares[atom]:.0f} %)")
                for atom in ATOMS
            ]
            rows.append((str(problem), f"{n:,}", name, str(seeds), *said))
    return table(("problem", "n", "estimator", "seeds", "R", "U₁", "U₂", "S"), rows)


def seconds(frame: pd.DataFrame) -> str:
    """Table of the median time of a draw: a row an estimator, a column an n.

    By the clock, and in brackets of the processor.
    """
    once = frame[frame["quantity"] == "information"]
    sizes = sorted(once["n"].unique())
    rows = []
    for name, one in _by_estimator(once):
        median = one.groupby("n")[["seconds", "processor"]].median()
        took = {n: f"{_time(clock)} ({_time(used)})" for n, clock, used in median.itertuples()}
        rows.append((name, *(took.get(n, DASH) for n in sizes)))
    return table(("estimator", *(f"n = {n:,}" for n in sizes)), rows)


def _time(value: float) -> str:
    """Write seconds, to two digits that mean something."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def _known(frame: pd.DataFrame) -> pd.DataFrame:
    """Draws of problems whose truth is exact or computed."""
    return frame[frame["truth_kind"].isin(["exact", "computed"])]


def _nothing(frame: pd.DataFrame) -> pd.DataFrame:
    """Draws of problems whose sources know nothing of the target."""
    known = _known(frame)
    empty = known[(known["quantity"] == "information") & (known["truth"] == 0)]["problem"]
    return known[known["problem"].isin(set(empty))]


def _by_estimator(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the draws of each estimator, in the order of the tables."""
    for name in ESTIMATORS:
        one = frame[frame["estimator"] == name]
        if len(one):
            yield name, one


def _parts(one: pd.DataFrame, by: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield all draws, and then those of each part where there are several."""
    yield ALL, one
    found: Sequence = sorted(one[by].unique()) if by == "n" else one[by].unique()
    if len(found) > 1:
        for part in found:
            yield part, one[one[by] == part]

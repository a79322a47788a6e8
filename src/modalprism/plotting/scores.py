"""What baselines say, beside our own estimate, as grids: their scores, and what they cost."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from modalprism.plotting.grid import Cell, Grid
from modalprism.results.estimate import Estimate
from modalprism.results.notation import ABSENT, UNDETERMINED
from modalprism.results.table import Case, Table

if TYPE_CHECKING:
    import pandas as pd

OURS: Final = "Modalprism"
_BOTH: Final = ""


class Scoring(NamedTuple):
    """One quantity of a method of scoring, of a model on a dataset.

    Attributes
    ----------
    model, dataset, method, quantity : str
    estimates : dict of modality to Estimate
        That of an empty name is of both.
    headline, share : bool
        Whether it stands for its method in short tables; whether it is a part from 0 to 1.
    """

    model: str
    dataset: str
    method: str
    quantity: str
    estimates: dict[str, Estimate]
    headline: bool
    share: bool


class Scores(NamedTuple):
    """The baselines of a run, laid out.

    Attributes
    ----------
    scored : list of Scoring
        Ours and theirs, case by case; empty without baselines.
    short, full, cost : Grid
    left_out : list of str
        Which baseline could not score which model, a sentence each.
    """

    scored: list[Scoring]
    short: Grid
    full: Grid
    cost: Grid
    left_out: list[str]


def scores_of(results: Table, scores: pd.DataFrame, left_out: list[str]) -> Scores | None:
    """Lay out the baselines of a run; None without any, and none left out.

    Parameters
    ----------
    results : Table
        Of the same run.
    scores : DataFrame
        Columns as in `modalprism.baselines.table.COLUMNS`.
    left_out : list of str
    """
    if scores.empty and not left_out:
        return None
    scored = scorings(scores, results)
    short, full = (
        score_grid(scored, results.modalities, headlines=alone) for alone in (True, False)
    )
    return Scores(scored, short, full, cost_grid(scores, results), left_out)


def scorings(scores: pd.DataFrame, results: Table) -> list[Scoring]:
    """Put every quantity of every baseline beside our own, case by case.

    Parameters
    ----------
    scores : DataFrame
        As `modalprism.baselines.table.COLUMNS` has it.
    results : Table
        Of the same run. Ours are the contribution, and the redundant and synergistic part of the
        information, of the answer view.
    """
    found: dict[tuple[str, str, str, str], Scoring] = {}
    rows: list[dict[str, Any]] = scores.to_dict("records")  # type: ignore[assignment]
    for row in rows:
        key = (row["model"], row["dataset"], row["title"], row["quantity"])
        scoring = found.setdefault(key, Scoring(*key, {}, row["headline"], row["share"]))
        value, low, high = row["value"], row["low"], row["high"]
        estimate = Estimate(value, low, high, unit=row["unit"], n=row["n"])
        scoring.estimates[row["modality"]] = estimate
    theirs = list(found.values())
    wanted = dict.fromkeys((one.model, one.dataset) for one in theirs)
    ours = [
        scoring
        for case in results.cases("answer")
        if (case.model, case.dataset) in wanted
        for scoring in _ours(results, case)
    ]
    return [one for case in wanted for one in (*ours, *theirs) if (one.model, one.dataset) == case]


def _ours(results: Table, case: Case) -> list[Scoring]:
    method = f"{OURS}, {case.pairs} pairs" if case.pairs else OURS
    where = (case.model, case.dataset, method)
    contribution = {
        modality: estimate
        for modality in results.modalities
        if (estimate := results.get(case, "answer", "contribution", modality)) is not None
    }
    made = [Scoring(*where, "contribution", contribution, True, True)]
    for quantity, words in (
        ("redundancy_fraction", "redundant part"),
        ("synergy_fraction", "synergistic part"),
    ):
        estimate = results.get(case, "answer", quantity)
        if estimate is not None:
            made.append(Scoring(*where, words, {_BOTH: estimate}, True, False))
    return made


def score_grid(scored: list[Scoring], modalities: tuple[str, str], *, headlines: bool) -> Grid:
    """Lay scores out, a row a quantity.

    Parameters
    ----------
    scored : list of Scoring
    modalities : (str, str)
    headlines : bool
        Only the quantities that stand for their method.
    """
    rows = [
        [
            *map(Cell, (one.model, one.dataset, one.method, one.quantity)),
            *(Cell.of(one.estimates.get(name)) for name in (*modalities, _BOTH)),
            Cell(next(iter(one.estimates.values())).unit if one.estimates else ABSENT),
        ]
        for one in scored
        if one.headline or not headlines
    ]
    columns = ["model", "dataset", "method", "quantity", *modalities, "both", "unit"]
    notes = [f"{ABSENT} the method says nothing of it"]
    if any(cell.text == UNDETERMINED for row in rows for cell in row):
        notes.append("undetermined: the data do not determine this value")
    sizes = {
        estimate.n
        for one in scored
        if OURS not in one.method
        for estimate in one.estimates.values()
    }
    of = f", baselines on {min(sizes):,} examples" if len(sizes) == 1 else ""
    return Grid(f"Scores of each method ([95 % intervals]{of})", columns, rows, 4, notes)


def cost_grid(scores: pd.DataFrame, results: Table) -> Grid:
    """Say what every method cost: passes of the model an example, and seconds.

    Ours is what a capture takes; redrawn pairs run the model on pairs beside, and are left out.
    """
    runs = scores.drop_duplicates(["model", "dataset", "baseline"])
    smallest, largest = results.sizes("answer")
    observed = f"{smallest:,}" if smallest == largest else f"{smallest:,} to {largest:,}"
    rows = [[Cell(f"{OURS}, observed pairs"), Cell(observed), Cell("1"), Cell("0"), Cell(ABSENT)]]
    for title, of in runs.groupby("title", sort=False):
        n = of["n"].sum()
        rows.append(
            [
                Cell(str(title)),
                Cell(f"{of['n'].iloc[0]:,}"),
                Cell(_rate(of["forward_passes"].sum() / n)),
                Cell(_rate(of["backward_passes"].sum() / n)),
                Cell(_rate(of["seconds"].sum() / n * 1000)),
            ]
        )
    columns = [
        "method",
        "examples a case",
        "forward passes an example",
        "backward",
        "ms an example",
    ]
    notes = [
        "passes were counted while the methods ran; times are of this machine",
        f"{ABSENT} in the manifest, under timings: all captures and all analyses together",
    ]
    return Grid("What each method cost", columns, rows, 1, notes)


def _rate(value: float) -> str:
    if not math.isfinite(value):
        return ABSENT
    return f"{value:,.0f}" if value >= 10 or value == round(value) else f"{value:.1f}"

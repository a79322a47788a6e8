"""Tables of baselines beside our own results: their scores, and what they cost."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from modalprism.plotting.grid import Cell, Grid, undetermined_note
from modalprism.results.estimate import Estimate
from modalprism.results.notation import ABSENT, counts
from modalprism.results.quantities import keys
from modalprism.results.table import Case, Table

if TYPE_CHECKING:
    import pandas as pd

OURS: Final = "Modalprism"
_OURS: Final = {
    "contribution": "contribution",
    "redundancy_fraction": "redundant part",
    "synergy_fraction": "synergistic part",
}


class Scoring(NamedTuple):
    """One quantity of a method of scoring, of a model on a dataset."""

    model: str
    dataset: str
    method: str
    quantity: str
    estimates: dict[str, Estimate]  # by modality; that of an empty name is of both
    headline: bool  # whether it stands for its method in short tables
    share: bool  # whether it is a part from 0 to 1


class Scores(NamedTuple):
    """The baselines of a run, laid out."""

    scored: list[Scoring]  # ours and theirs, case by case; empty without baselines
    short: Grid
    full: Grid
    cost: Grid
    left_out: list[str]  # which baseline could not score which model, a sentence each


def scores_of(results: Table, scores: pd.DataFrame, left_out: list[str]) -> Scores | None:
    """Lay out the baselines of a run, of `baselines.table.COLUMNS`, beside its results.

    None without any, and none left out.
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

    Ours are the contribution, and the redundant and synergistic part of the information, of the
    answer view of the same run.
    """
    theirs: dict[tuple[str, str, str, str], Scoring] = {}
    rows: list[dict[str, Any]] = scores.to_dict("records")  # type: ignore[assignment]
    for row in rows:
        key = (row["model"], row["dataset"], row["title"], row["quantity"])
        scoring = theirs.setdefault(key, Scoring(*key, {}, row["headline"], row["share"]))
        numbers = (row["value"], row["low"], row["high"])
        scoring.estimates[row["modality"]] = Estimate(*numbers, unit=row["unit"], n=row["n"])
    ours = [one for case in results.cases("answer") for one in _ours(results, case)]
    places = dict.fromkeys((one.model, one.dataset) for one in theirs.values())
    return [
        one
        for place in places
        for one in (*ours, *theirs.values())
        if (one.model, one.dataset) == place
    ]


def _ours(results: Table, case: Case) -> list[Scoring]:
    method = f"{OURS}, {case.pairs} pairs" if case.pairs else OURS
    found: dict[str, dict[str, Estimate]] = {name: {} for name in _OURS}
    for name, modality in keys(_OURS, results.modalities):
        if (estimate := results.get(case, "answer", name, modality)) is not None:
            found[name][modality] = estimate
    return [
        Scoring(case.model, case.dataset, method, words, found[name], True, name == "contribution")
        for name, words in _OURS.items()
        if found[name] or name == "contribution"
    ]


def score_grid(scored: list[Scoring], modalities: tuple[str, str], *, headlines: bool) -> Grid:
    """Lay scores out, a row a quantity; `headlines` leaves only those of short tables."""
    rows = [
        [
            *map(Cell, (one.model, one.dataset, one.method, one.quantity)),
            *(Cell.of(one.estimates.get(name)) for name in (*modalities, "")),
            Cell(next((estimate.unit for estimate in one.estimates.values()), ABSENT)),
        ]
        for one in scored
        if one.headline or not headlines
    ]
    columns = ["model", "dataset", "method", "quantity", *modalities, "both", "unit"]
    notes = [f"{ABSENT} the method does not estimate it", *undetermined_note(rows)]
    theirs = [one.estimates.values() for one in scored if OURS not in one.method]
    sizes = {estimate.n for estimates in theirs for estimate in estimates}
    of = f", baselines on {min(sizes):,} examples" if len(sizes) == 1 else ""
    return Grid(f"Scores of each method ([95 % intervals]{of})", columns, rows, 4, notes)


def cost_grid(scores: pd.DataFrame, results: Table) -> Grid:
    """Lay out what every method cost: passes of the model an example, and seconds.

    Ours is the cost of a capture, without the runs on redrawn pairs.
    """
    observed = counts(*results.sizes("answer")).removeprefix("n = ")
    rows = [[*map(Cell, (f"{OURS}, observed pairs", observed, "1", "0", ABSENT))]]
    runs = scores.drop_duplicates(["model", "dataset", "baseline"])
    for title, of in runs.groupby("title", sort=False):
        spent = of[["forward_passes", "backward_passes", "seconds"]].sum() / of["n"].sum()
        forward, backward, seconds = spent
        cost = map(_rate, (forward, backward, seconds * 1000))
        rows.append([*map(Cell, (str(title), f"{of['n'].iloc[0]:,}", *cost))])
    columns = ["method", "examples a case", "forward passes an example", "backward"]
    notes = [
        "passes were counted while the methods ran; times are of this machine",
        f"{ABSENT} in the manifest, under timings: all captures and all analyses together",
    ]
    return Grid("What each method cost", [*columns, "ms an example"], rows, 1, notes)


def _rate(value: float) -> str:
    if not math.isfinite(value):
        return ABSENT
    return f"{value:,.0f}" if value >= 10 or value == round(value) else f"{value:.1f}"

"""What baselines say, beside our own reading, as grids: their scores, and what they cost."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from modalprism.plotting.grid import Cell, Grid
from modalprism.plotting.notation import UNDETERMINED, interval, number
from modalprism.plotting.reading import Reading
from modalprism.plotting.readings import Case, Readings
from modalprism.plotting.views import ABSENT

if TYPE_CHECKING:
    import pandas as pd

OURS: Final = "Modalprism"
_BOTH: Final = ""


class Scoring(NamedTuple):
    """One quantity of a method of scoring, of a model on a dataset.

    Attributes
    ----------
    model, dataset, method, quantity : str
    readings : dict of modality to Reading
        That of an empty name is of both.
    headline, share : bool
        Whether it stands for its method in short tables; whether it is a part from 0 to 1.
    """

    model: str
    dataset: str
    method: str
    quantity: str
    readings: dict[str, Reading]
    headline: bool
    share: bool


def scorings(scores: pd.DataFrame, readings: Readings) -> list[Scoring]:
    """Put every quantity of every baseline beside our own, case by case.

    Parameters
    ----------
    scores : DataFrame
        As `modalprism.baselines.table.COLUMNS` has it.
    readings : Readings
        Of the same run. Ours are the contribution, and the redundant and synergistic part of the
        information, of the answer view.
    """
    found: dict[tuple[str, str, str, str], Scoring] = {}
    rows: list[dict[str, Any]] = scores.to_dict("records")  # type: ignore[assignment]
    for row in rows:
        key = (row["model"], row["dataset"], row["title"], row["quantity"])
        scoring = found.setdefault(key, Scoring(*key, {}, row["headline"], row["share"]))
        value, low, high = row["value"], row["low"], row["high"]
        reading = Reading(value, low, high, unit=row["unit"], n=row["n"])
        scoring.readings[row["modality"]] = reading
    theirs = list(found.values())
    wanted = dict.fromkeys((one.model, one.dataset) for one in theirs)
    ours = [
        scoring
        for case in readings.cases("answer")
        if (case.model, case.dataset) in wanted
        for scoring in _ours(readings, case)
    ]
    return [one for case in wanted for one in (*ours, *theirs) if (one.model, one.dataset) == case]


def _ours(readings: Readings, case: Case) -> list[Scoring]:
    method = f"{OURS}, {case.pairs} pairs" if case.pairs else OURS
    where = (case.model, case.dataset, method)
    contribution = {
        modality: reading
        for modality in readings.modalities
        if (reading := readings.get(case, "answer", "contribution", modality)) is not None
    }
    made = [Scoring(*where, "contribution", contribution, True, True)]
    for quantity, words in (
        ("redundancy_fraction", "redundant part"),
        ("synergy_fraction", "synergistic part"),
    ):
        reading = readings.get(case, "answer", quantity)
        if reading is not None:
            made.append(Scoring(*where, words, {_BOTH: reading}, True, False))
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
            *(_cell(one.readings.get(name)) for name in (*modalities, _BOTH)),
            Cell(next(iter(one.readings.values())).unit if one.readings else ABSENT),
        ]
        for one in scored
        if one.headline or not headlines
    ]
    columns = ["model", "dataset", "method", "quantity", *modalities, "both", "unit"]
    notes = [f"{ABSENT} the method says nothing of it"]
    if any(cell.text == UNDETERMINED for row in rows for cell in row):
        notes.append("undetermined: the data do not determine this value")
    sizes = {
        reading.n for one in scored if OURS not in one.method for reading in one.readings.values()
    }
    of = f", baselines on {min(sizes):,} examples" if len(sizes) == 1 else ""
    return Grid(f"Scores of each method ([95 % intervals]{of})", columns, rows, 4, notes)


def _cell(reading: Reading | None) -> Cell:
    if reading is None:
        return Cell(ABSENT)
    return Cell(number(reading.value), interval(reading) if reading.bounded else "")


def cost_grid(scores: pd.DataFrame, readings: Readings) -> Grid:
    """Say what every method cost: passes of the model an example, and seconds.

    Ours is what a capture takes; redrawn pairs run the model on pairs beside, and are left out.
    """
    runs = scores.drop_duplicates(["model", "dataset", "baseline"])
    smallest, largest = readings.sizes("answer")
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

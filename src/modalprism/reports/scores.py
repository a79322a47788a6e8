"""Baselines on the page: tables of their scores beside our own, and of what each method cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from modalprism.plotting.grid import Grid
from modalprism.plotting.readings import Readings
from modalprism.plotting.scores import Scoring, cost_grid, score_grid, scorings
from modalprism.studies.profile import Profile


@dataclass(frozen=True, eq=False)
class Scores:
    """What a run's baselines found, ready to be drawn and laid out.

    Attributes
    ----------
    scored : sequence of Scoring
        Ours and theirs, case by case; empty where no baseline was asked for.
    short, full, cost : Grid
    left_out : list of str
        Which baseline could not score which model, a sentence each.
    """

    scored: Sequence[Scoring]
    short: Grid
    full: Grid
    cost: Grid
    left_out: list[str]


def scores_of(profile: Profile, frame: pd.DataFrame) -> Scores | None:
    """Lay out the baselines of a run; None where it has none, and none was left out.

    Parameters
    ----------
    profile : Profile
        Of the same run.
    frame : DataFrame
        As `modalprism.studies.baselines.read_baselines` gives it.
    """
    asked = profile.manifest.get("baselines")
    left_out = asked.get("left_out", []) if isinstance(asked, dict) else []
    if frame.empty and not left_out:
        return None
    readings = Readings(profile)
    scored = scorings(frame, readings)
    short, full = (
        score_grid(scored, readings.modalities, headlines=alone) for alone in (True, False)
    )
    return Scores(scored, short, full, cost_grid(frame, readings), [str(one) for one in left_out])

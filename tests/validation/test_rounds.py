"""Rounds: what surprises is looked at again, and fails when it comes back."""

import json

import numpy as np
import pandas as pd
import pytest

from modalprism.errors import InputError
from modalprism.results.estimate import Estimate
from modalprism.validation import VALIDATION_FILE, VALIDATION_TABLE, Validation
from modalprism.validation.check import Check
from modalprism.validation.finding import COLUMNS, NotRunError, Rest, Seen

REST = Rest("U image", Estimate(0.1, 0.05, 0.15, unit="bit"))


def scripted(name, *surprises, draws=3, refused_from=None):
    """Is surprised as the script says, draw by draw, until it no longer applies."""

    def evaluate(_case, draw, _answers):
        if draw == refused_from:
            raise NotRunError("there is no second hand")
        return Seen(frozenset(surprises[draw]), f"draw {draw + 1}", REST)

    return Check(name, "nothing", evaluate, draws=draws, analyses=0)


@pytest.fixture
def plain(captured, stored, models):
    return stored(captured(models["honest"]))


def test_a_surprise_must_come_back_three_times(plain, verdicts):
    checks = [
        scripted("calm", {}),
        scripted("startled once", {"U"}, {}),
        scripted("startled twice", {"U"}, {"U"}, {}),
        scripted("startled by another thing each time", {"U", "S"}, {"S"}, {"U"}),
        scripted("broken", {"U", "S"}, {"S"}, {"S"}),
        scripted("broken and nothing is drawn", {"bits"}, draws=1),
        scripted("unfit", refused_from=0),
        scripted("startled, and not to be looked at again", {"U"}, refused_from=1),
    ]
    found = verdicts(plain, checks=checks)
    assert {name: (one.verdict, one.draws) for name, one in found.items()} == {
        "calm": ("pass", 1),
        "startled once": ("pass", 2),
        "startled twice": ("pass", 3),
        "startled by another thing each time": ("pass", 3),
        "broken": ("fail", 3),
        "broken and nothing is drawn": ("fail", 1),
        "unfit": ("not run", 0),
        "startled, and not to be looked at again": ("fail", 1),
    }
    assert found["broken"].seen == "S: draw 3"
    assert found["unfit"].seen == "there is no second hand"
    assert found["unfit"].rest is None


def test_where_nothing_can_be_checked_that_is_said(plain, verdicts):
    with pytest.raises(InputError, match="nothing could be checked: there is no second hand"):
        verdicts(plain, checks=[scripted("unfit", refused_from=0)])


def test_what_was_found_is_written_for_people_and_for_tools(plain, verdicts, tmp_path):
    found = verdicts(plain, checks=[scripted("calm", {}), scripted("broken", *[{"S"}] * 3)])
    whole = Validation(tuple(found.values()), 12, 3.21)
    assert not whole.passed
    assert [finding.check for finding in whole.failed] == ["broken"]
    assert whole.write(tmp_path) == tmp_path / VALIDATION_FILE
    record = json.loads((tmp_path / VALIDATION_FILE).read_text("utf-8"))
    assert (record["passed"], record["forward_passes"], record["seconds"]) == (False, 12, 3.2)
    assert record["checks"][1]["verdict"] == "fail"
    frame = pd.read_parquet(tmp_path / VALIDATION_TABLE)
    assert list(frame.columns) == list(COLUMNS)
    np.testing.assert_array_equal(frame["low"], [0.05, 0.05])

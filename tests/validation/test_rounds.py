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


class Scripted(Check):
    """Is surprised as it is told, draw by draw."""

    asks = False
    expected = "nothing"

    def __init__(self, name, *surprises, once=False):
        self.name, self.surprises = name, surprises
        self.draws = 1 if once else 3

    def evaluate(self, case, draw, answers):  # noqa: ARG002
        return Seen(frozenset(self.surprises[draw]), f"draw {draw + 1}", REST)


class Unfit(Scripted):
    def evaluate(self, case, draw, answers):  # noqa: ARG002
        raise NotRunError("there is no second hand")


class Once(Scripted):
    """Can be looked at once alone."""

    def evaluate(self, case, draw, answers):
        if draw:
            raise NotRunError("there is no second hand")
        return super().evaluate(case, draw, answers)


@pytest.fixture
def plain(captured, stored, models):
    return stored(captured(models["honest"]))


def test_a_surprise_must_come_back_three_times(plain, verdicts):
    checks = [
        Scripted("calm", {}),
        Scripted("startled once", {"U"}, {}),
        Scripted("startled twice", {"U"}, {"U"}, {}),
        Scripted("startled by another thing each time", {"U", "S"}, {"S"}, {"U"}),
        Scripted("broken", {"U", "S"}, {"S"}, {"S"}),
        Scripted("broken and nothing is drawn", {"bits"}, once=True),
        Unfit("unfit"),
        Once("startled, and not to be looked at again", {"U"}),
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
        verdicts(plain, checks=[Unfit("unfit")])


def test_what_was_found_is_written_for_people_and_for_tools(plain, verdicts, tmp_path):
    found = verdicts(plain, checks=[Scripted("calm", {}), Scripted("broken", *[{"S"}] * 3)])
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

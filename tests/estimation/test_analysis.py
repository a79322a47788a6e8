"""What an estimator gives back."""

import math
import re

import numpy as np
import pytest

from modalprism.estimation.analysis import Analysis, Estimate, percentile_interval
from modalprism.estimation.summary import summarize

NAN = math.nan


@pytest.fixture
def analysis():
    def make(unique=(0.3, 0.1), gap=0.0, spread=0.01, classes=2):
        value = np.array([0.2, *unique, 0.4, 0.6 + sum(unique), 0, 0, 0])
        value[5:] = value[0] + unique[0], value[0] + unique[1], value[0] + sum(unique)
        moved = spread * np.linspace(-1, 1, 101) * np.ones((8, 1))
        return summarize(
            value,
            moved,
            modalities=("image", "text"),
            target="label",
            base=math.e,
            n=1000,
            gap=gap,
            loss=0.0,
            regained=0.0,
            classes=classes,
            estimator="posterior",
            diagnostics={},
            families={},
        )

    return make


@pytest.mark.parametrize(
    ("estimate", "words"),
    [
        (Estimate(0.5), "0.500"),
        (Estimate(0.5, 0.25, 0.75), "0.500 [0.250, 0.750]"),
        (Estimate(NAN), "undetermined"),
    ],
)
def test_estimates_in_words(estimate, words):
    assert str(estimate) == words
    assert estimate.determined == (words != "undetermined")


def test_the_interval_holds_the_central_95_percent():
    assert percentile_interval(np.arange(1001.0)) == pytest.approx((25, 975))


def test_contribution_and_share_follow_from_the_atoms(analysis):
    a = analysis()
    assert [c.value for c in a.contribution] == pytest.approx([0.75, 0.25])
    assert [s.value for s in a.share] == pytest.approx([0.6, 0.4])
    assert a.contribution[0].low == pytest.approx(1 - a.contribution[1].high)
    assert a.redundancy.low == pytest.approx(0.2 - 0.0095)


@pytest.mark.parametrize(
    "options",
    [
        {"unique": (0.001, 0.0005)},
        {"gap": 0.4},
        {"spread": 0.25},
        {"unique": (0.02, 0.01), "classes": 100},
    ],
)
def test_a_contribution_that_drowns_is_undetermined(analysis, options):
    assert [c.determined for c in analysis(**options).contribution] == [False, False]


def test_the_gap_widens_the_intervals_that_it_can_move(analysis):
    exact, loose = analysis(), analysis(gap=0.05)
    assert loose.gap == 0.05
    assert loose.union_information.low == pytest.approx(exact.union_information.low - 0.05)
    assert loose.union_information.high == pytest.approx(exact.union_information.high)
    assert loose.unique[0].low == pytest.approx(exact.unique[0].low - 0.05)
    assert loose.redundancy.high == pytest.approx(exact.redundancy.high + 0.05)
    assert loose.synergy.high == pytest.approx(exact.synergy.high + 0.05)
    assert loose.information == exact.information


def test_the_table_is_tidy(analysis):
    frame = analysis().frame()
    assert {"quantity", "modality", "value", "low", "high", "p_value", "unit", "n", "gap"} <= set(
        frame.columns
    )
    assert not frame.duplicated(["quantity", "modality"]).any()
    by_name = frame.set_index(["quantity", "modality"])["value"]
    assert by_name["unique", "image"] == pytest.approx(0.3)
    assert by_name["contribution", "text"] == pytest.approx(0.25)
    assert set(frame["target"]) == {"label"}


def test_it_prints_as_a_table(analysis):
    text = str(analysis())
    assert text.startswith("image and text about label: n = 1000, posterior, gap 0.0e+00 nat")
    assert re.search(r"unique \(image\) +0\.300 \[0\.29., 0\.3..\] +nat", text)
    assert "undetermined" in str(analysis(gap=0.4))


def test_another_order_of_the_modalities_and_back(analysis):
    a = analysis()
    b = a.in_order(("text", "image"))
    assert isinstance(b, Analysis)
    assert b.unique == a.unique[::-1]
    assert b.marginal_information == a.marginal_information[::-1]
    assert b.contribution == a.contribution[::-1]
    assert b.share == a.share[::-1]
    assert b.redundancy == a.redundancy
    assert b.in_order(("image", "text")) == a

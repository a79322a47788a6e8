"""What an estimator gives back."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from rich.cells import cell_len

from modalprism.estimation.analysis import Analysis
from modalprism.estimation.atoms import ATOMS
from modalprism.estimation.summary import NO_NULLS, summarize
from modalprism.results.estimate import Estimate, percentile_interval

NAN = math.nan


@pytest.fixture
def analysis():
    def make(unique=(0.3, 0.1), gap=0.0, spread=0.01, classes=2, p_values=NO_NULLS, move=None):
        value = np.array([0.2, *unique, 0.4, 0.6 + sum(unique), 0, 0, 0])
        value[5:] = value[0] + unique[0], value[0] + unique[1], value[0] + sum(unique)
        moved = spread * np.linspace(-1, 1, 101) * np.ones((8, 1))
        if move is not None:
            moved *= np.array([move.get(name, 0.0) for name in ATOMS])[:, None]
        return summarize(
            value,
            moved,
            modalities=("image", "text"),
            target="label",
            base=math.e,
            n=1000,
            gap=gap,
            loss=0.0,
            merge_correction=0.0,
            classes=classes,
            resolution=0.0,
            estimator="posterior",
            diagnostics={},
            families={},
            p_values=p_values,
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


@pytest.mark.parametrize(
    ("unique", "spread", "value", "interval"),
    [
        ((0.3, 0.1), 0.1, 0.5, (0.025, 0.975)),  # U₁−U₂ = .2 ± .19, of .4
        ((0.1, 0.3), 0.1, 0.5, (0.025, 0.975)),
        ((0.2, 0.2), 0.1, 0.0, (0.0, 0.475)),
        ((0.3, 0.1), 0.2, 0.5, (0.0, 1.0)),  # no modality has less than nothing
        ((0.1, 0.3), 0.2, 0.5, (0.0, 1.0)),
    ],
)
def test_the_imbalance_is_how_far_the_contributions_lie_apart(
    analysis, unique, spread, value, interval
):
    # What one gains the other loses: the sum stays, and the contribution moves alone.
    opposite = {"unique_1": 1.0, "unique_2": -1.0}
    a = analysis(unique=unique, spread=spread, move=opposite)
    assert a.imbalance.value == pytest.approx(value)
    assert a.imbalance.value == pytest.approx(abs(2 * a.contribution[0].value - 1))
    assert (a.imbalance.low, a.imbalance.high) == pytest.approx(interval)


def test_the_imbalance_is_tested_and_undetermined_where_the_contribution_is(analysis):
    tested = analysis(p_values={"imbalance": 0.03, "determined": 0.01})
    assert tested.imbalance.p_value == 0.03
    assert [c.p_value for c in tested.contribution] == [0.03, 0.03]
    for a in (analysis(gap=0.4), analysis(p_values={"imbalance": 0.03, "determined": 0.2})):
        assert not a.imbalance.determined
        assert math.isnan(a.imbalance.low)
    assert a.imbalance.p_value == 0.03


def test_fractions_are_the_atoms_over_the_information(analysis):
    a = analysis(spread=0.05, move={"synergy": 1.0, "information": 1.0})
    parts = (a.redundancy_fraction, *a.unique_fraction, a.synergy_fraction)
    assert [part.value for part in parts] == pytest.approx([0.2, 0.3, 0.1, 0.4])
    # Synergy and information move together: (.4 ± .0475) / (1 ± .0475).
    expected = (0.3525 / 0.9525, 0.4475 / 1.0475)
    assert (parts[3].low, parts[3].high) == pytest.approx(expected)
    nothing = analysis(unique=(-0.3, -0.299), spread=0.3)
    assert not nothing.share[0].determined
    parts = (nothing.redundancy_fraction, *nothing.unique_fraction, nothing.synergy_fraction)
    assert not any(part.determined for part in parts)


def test_the_gap_widens_the_intervals_that_it_can_move(analysis):
    exact, loose = analysis(), analysis(gap=0.05)
    assert loose.gap == 0.05
    assert loose.union_information.low == pytest.approx(exact.union_information.low - 0.05)
    assert loose.union_information.high == pytest.approx(exact.union_information.high)
    assert loose.unique[0].low == pytest.approx(exact.unique[0].low - 0.05)
    assert loose.redundancy.high == pytest.approx(exact.redundancy.high + 0.05)
    assert loose.synergy.high == pytest.approx(exact.synergy.high + 0.05)
    assert replace(loose.information, gap=exact.gap) == exact.information
    assert loose.redundancy_fraction.high == pytest.approx(0.2595 / 1.0095)
    assert loose.redundancy_fraction.low == pytest.approx(exact.redundancy_fraction.low)
    assert loose.unique_fraction[0].low == pytest.approx(0.2405 / 0.9905)
    assert tuple(replace(each, gap=exact.gap) for each in loose.share) == exact.share


def test_the_table_is_tidy(analysis):
    frame = analysis().frame()
    assert {"quantity", "modality", "value", "low", "high", "p_value", "unit", "n", "gap"} <= set(
        frame.columns
    )
    assert not frame.duplicated(["quantity", "modality"]).any()
    by_name = frame.set_index(["quantity", "modality"])["value"]
    assert by_name["unique", "image"] == pytest.approx(0.3)
    assert by_name["contribution", "text"] == pytest.approx(0.25)
    assert by_name["unique_fraction", "image"] == pytest.approx(0.3)
    ratio = frame["quantity"].isin(["imbalance", "redundancy_fraction", "synergy_fraction"])
    assert set(frame.loc[ratio, "unit"]) == {"1"}
    assert set(frame["target"]) == {"label"}


def test_it_prints_as_a_table(analysis):
    text = str(analysis())
    assert text.startswith("image and text about label: n = 1000, posterior, gap 0.0e+00 nat")
    assert re.search(r"unique \(image\) +0\.300 \[0\.29., 0\.3..\] +nat", text)
    assert re.search(r"unique fraction \(image\) +0\.300 \[", text)
    assert "undetermined" in str(analysis(gap=0.4))


def test_columns_are_aligned_where_letters_are_wide(analysis):
    text = str(replace(analysis(), modalities=("画像", "emoji 😀")))
    value = [cell_len(line.partition("0.")[0]) for line in text.splitlines()[1:5]]
    assert len(set(value)) == 1


def test_another_order_of_the_modalities_and_back(analysis):
    a = analysis()
    b = a.in_order(("text", "image"))
    assert isinstance(b, Analysis)
    assert b.unique == a.unique[::-1]
    assert b.marginal_information == a.marginal_information[::-1]
    assert b.contribution == a.contribution[::-1]
    assert b.share == a.share[::-1]
    assert b.unique_fraction == a.unique_fraction[::-1]
    assert b.imbalance == a.imbalance
    assert b.redundancy == a.redundancy
    assert b.in_order(("image", "text")) == a


def test_a_notebook_shows_intervals_p_values_and_what_is_undetermined(analysis):
    text = analysis(p_values={"synergy": 0.031, "redundancy": 0.0004})._repr_html_()
    for words in ("image and text about label", "unique (image)", "nat", "n = 1,000", "posterior"):
        assert words in text
    assert "p = 0.031" in text
    assert "p &lt; 0.001" in text
    assert "[0.29" in text
    assert "undetermined" not in text
    assert analysis(gap=0.4)._repr_html_().count("<em>undetermined</em>") == 3


def test_it_plots_its_atoms_with_their_intervals(analysis):
    a = analysis()
    axes = Figure(figsize=(6, 2)).subplots()
    assert a.plot(axes=axes) is axes
    assert [p.get_width() for p in axes.patches] == pytest.approx([0.2, 0.3, 0.1, 0.4])
    first, last = (line.get_xdata() for line in (axes.lines[0], axes.lines[6]))
    assert list(first) == pytest.approx([a.redundancy.low, a.redundancy.high])
    assert list(last) == pytest.approx([0.6 + a.synergy.low, 0.6 + a.synergy.high])
    assert "about label (nat)" in axes.get_xlabel()
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names[1:3] == ["unique image", "unique text"]
    assert axes.get_legend().get_title().get_text() == "image and text about label, n = 1,000"

"""What a result says of itself."""

import dataclasses
import json
import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from modalprism.errors import InputError
from modalprism.pid import (
    decompose,
    decompose_batch,
    decompose_marginals,
    solve_union_information,
)
from modalprism.pid.result import Decomposition
from modalprism.pid.stopping import Reason


@pytest.fixture
def exclusive_or():
    joint = np.zeros((2, 2, 2))
    joint[0, 0, 0] = joint[0, 1, 1] = joint[1, 0, 1] = joint[1, 1, 0] = 1
    return joint


def test_results_are_immutable(exclusive_or):
    d = decompose(exclusive_or)
    union = solve_union_information(
        exclusive_or.sum(1) / 4, exclusive_or.sum(0) / 4, tol=1e-6, max_iter=5
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        d.lower = 0.0
    with pytest.raises(AttributeError):
        d.redundancy = 0.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        union.lower = 0.0


def test_table_names_the_unit_the_gap_and_what_is_undetermined(exclusive_or):
    text = str(decompose(exclusive_or))
    assert repr(decompose(exclusive_or)) == text
    assert "bit" in text
    assert "gap" in text
    assert text.count("undetermined") == 2
    assert "-0.000000" not in text
    assert "synergy        1.000000" in text


def test_table_says_when_synergy_is_unknown():
    same = np.eye(2) / 2
    assert str(decompose_marginals(same, same)).count("unknown") == 2


def test_contribution_is_determined_only_beyond_the_error_of_both_unique_atoms():
    def result(gap):
        return Decomposition(
            information=1.0,
            marginal_information=(0.3, 0.2),
            lower=0.4 - gap,
            upper=0.4,
            stopped=Reason.CONVERGED,
            solver="ipfp",
            iterations=1,
            unit="bit",
        )

    assert result(0.1).contribution == pytest.approx((2 / 3, 1 / 3))
    assert all(map(math.isnan, result(0.16).contribution))
    assert result(0.1).share == pytest.approx((0.55, 0.45))


def test_a_notebook_shows_the_unit_the_gap_and_what_is_undetermined(exclusive_or):
    text = decompose(exclusive_or)._repr_html_()
    assert text.count("<em>undetermined</em>") == 2
    assert ">bit<" in text
    assert "gap" in text
    assert ">1.000000<" in text
    assert "-0.000000" not in text
    same = np.eye(2) / 2
    assert decompose_marginals(same, same)._repr_html_().count("unknown") == 2


def test_it_plots_its_atoms_into_given_axes_with_their_proven_bounds():
    d = Decomposition(
        information=1.0,
        marginal_information=(0.5, 0.4),
        lower=0.6,
        upper=0.7,
        stopped=Reason.CONVERGED,
        solver="ipfp",
        iterations=1,
        unit="nat",
    )
    axes = Figure(figsize=(6, 2)).subplots()
    assert d.plot(axes) is axes
    widths = [patch.get_width() for patch in axes.patches]
    assert widths == pytest.approx([d.redundancy, *d.unique, d.synergy])
    assert "nat" in axes.get_xlabel()
    assert "proven bounds" in axes.get_xlabel()
    starts = [patch.get_x() for patch in axes.patches]
    bounds = [
        (low - start, high - start)
        for start, (low, high) in zip(
            starts, (line.get_xdata() for line in axes.lines[:8:2]), strict=True
        )
    ]
    # Redundancy and synergy may be too small by the gap, and the unique atoms too large.
    assert bounds[0] == pytest.approx((0.2, 0.3))
    assert bounds[1] == pytest.approx((0.2, 0.3))
    assert bounds[2] == pytest.approx((0.1, 0.2))
    assert bounds[3] == pytest.approx((0.3, 0.4))
    assert [t.get_text() for t in axes.texts] == ["1.00"]


def test_unknown_synergy_is_plotted_as_unknown():
    same = np.eye(2) / 2
    axes = decompose_marginals(same, same).plot(Figure().subplots())
    assert "synergy: unknown" in [text.get_text() for text in axes.get_legend().get_texts()]
    assert [text.get_text() for text in axes.texts] == ["I unknown"]


def undetermined():
    same = np.eye(2) / 2
    return decompose_marginals(same, same)


def test_json_is_strict_and_holds_every_number(exclusive_or):
    for d in (*decompose_batch([exclusive_or] * 2), undetermined()):
        content = json.loads(d.to_json(("é", "text")), parse_constant=pytest.fail)
        assert content == d.to_dict(("é", "text"))
        assert content["union_information"] == {"lower": d.lower, "upper": d.upper}
        assert content["unique"] == dict(zip(("é", "text"), d.unique, strict=True))
        assert content["contribution"] == {"é": None, "text": None}
        assert (content["synergy"], content["information"]) == (d.synergy, d.information)
        assert (content["gap"], content["stopped"], content["unit"]) == (d.gap, "converged", "bit")
    assert undetermined().to_dict()["share"] == {"source 1": None, "source 2": None}
    assert "\n  " in undetermined().to_json(indent=2)


def test_a_frame_is_tidy_and_has_the_proven_bounds(exclusive_or):
    d = decompose(exclusive_or, solver="ipfp")
    frame = d.frame(("image", "text"))
    assert frame["value"].dtype == frame["low"].dtype == frame["high"].dtype == np.float64
    values = frame.set_index(["quantity", "source"])
    unique = values.loc[("unique", "text")]
    assert (unique["value"], unique["low"]) == (d.unique[1], d.unique[1] - d.gap)
    union = frame[frame["quantity"] == "union_information"].iloc[0]
    assert (union["low"], union["high"], union["unit"]) == (d.lower, d.upper, "bit")
    known = undetermined().frame()
    assert known[known["quantity"].isin(["synergy", "contribution", "share"])]["value"].isna().all()
    both = pd.concat([d.frame(), known], keys=range(2))
    assert len(both) == 2 * len(frame)


@pytest.mark.parametrize("sources", [("a", "a"), ("a",), ("a", "b", "c")])
def test_sources_of_a_result_have_two_names(sources):
    for export in (undetermined().frame, undetermined().to_dict, undetermined().to_json):
        with pytest.raises(InputError, match="pass two different names"):
            export(sources)

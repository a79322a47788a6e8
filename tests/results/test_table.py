import math
from dataclasses import replace

import pytest

from modalprism.results.estimate import Estimate
from modalprism.results.table import Case, Skill


def test_cases_follow_the_study_and_put_observed_before_redrawn(demo):
    results = demo.table
    cases = results.cases("answer")
    assert cases[:2] == [Case("concat", "kind", "observed"), Case("concat", "kind", "redrawn")]
    assert len(cases) == 24
    assert results.models("answer") == ["concat", "cross_attention", "late"]
    assert results.datasets("answer") == ["kind", "pictured", "named", "match"]
    assert results.pairs("answer") == ["observed", "redrawn"]
    assert results.target("encoding") == "fused state, 14 codes"


def test_atoms_come_in_the_fixed_order_and_follow_the_modalities(make_profile):
    case = Case("concat", "pictured", "redrawn")
    atoms = make_profile().table.atoms(case, "answer")
    assert [round(a.value, 1) for a in atoms] == [0.0, 2.1, 0.0, 0.1]
    swapped = make_profile()
    swapped.manifest["modalities"] = ["text", "image"]
    r, u_first, u_second, s = swapped.table.atoms(case, "answer")
    after = [a.value for a in (r, u_first, u_second, s)]
    assert after == [atoms[k].value for k in (0, 2, 1, 3)]


def test_layers_are_sorted_and_named_and_missing_readings_are_none(demo):
    results = demo.table
    case = Case("late", "kind", "observed")
    assert results.layers(case, "stream") == [0, 1, 2, 3, 4]
    assert results.layer_name(case, "stream", 0) == "before fusion"
    assert results.layer_name(case, "encoding", 5) == "head"
    assert results.get(case, "stream", "recovered", "", 0) is None
    assert results.get(Case("nobody", "kind", "observed"), "stream", "synergy") is None


@pytest.mark.parametrize(
    ("accuracy", "above"),
    [
        (Estimate(0.51, 0.49, 0.53, n=2000), False),
        (Estimate(0.75, 0.73, 0.77, n=2000), True),
        (Estimate(0.51, n=100), False),  # no interval: Wilson's decides
        (Estimate(0.51, n=100_000), True),
        (Estimate(0.50, n=0), False),
    ],
)
def test_a_network_is_above_chance_only_with_its_whole_interval(accuracy, above):
    assert Skill(accuracy, Estimate(0.5)).above_chance is above


def test_a_reading_without_an_interval_is_never_above_anything():
    lone = Estimate(3.0)
    assert lone.determined
    assert not lone.bounded
    assert not lone.above(0)
    assert not Estimate(4.0, 3.9, 4.1).above(lone)
    assert not Estimate(math.nan, 0.0, 1.0).bounded
    assert not replace(Estimate(1.0, 0.5, 1.5), p_value=0.3).positive


def test_the_corrected_p_value_is_preferred(make_profile):
    profile = make_profile(datasets=("match",), models={"m": ""})
    profile.frame.loc[profile.frame.quantity == "synergy", "q_value"] = 0.2
    synergy = profile.table.get(Case("m", "match", "redrawn"), "answer", "synergy")
    assert synergy.p_value == 0.2
    assert synergy.noise

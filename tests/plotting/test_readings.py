import math
from dataclasses import replace

import pytest

from modalprism.plotting.reading import Reading
from modalprism.plotting.readings import Case, Readings, Skill


def test_cases_follow_the_study_and_put_observed_before_redrawn(demo):
    readings = Readings(demo)
    cases = readings.cases("answer")
    assert cases[:2] == [Case("concat", "kind", "observed"), Case("concat", "kind", "redrawn")]
    assert len(cases) == 24
    assert readings.models("answer") == ["concat", "cross_attention", "late"]
    assert readings.datasets("answer") == ["kind", "pictured", "named", "match"]
    assert readings.pairs("answer") == ["observed", "redrawn"]
    assert readings.target("encoding") == "fused state, 14 codes"


def test_atoms_come_in_the_fixed_order_and_follow_the_modalities(make_profile):
    case = Case("concat", "pictured", "redrawn")
    atoms = Readings(make_profile()).atoms(case, "answer")
    assert [round(a.value, 1) for a in atoms] == [0.0, 2.1, 0.0, 0.1]
    swapped = make_profile()
    swapped.manifest["modalities"] = ["text", "image"]
    r, u_first, u_second, s = Readings(swapped).atoms(case, "answer")
    after = [a.value for a in (r, u_first, u_second, s)]
    assert after == [atoms[k].value for k in (0, 2, 1, 3)]


def test_layers_are_sorted_and_named_and_missing_readings_are_none(demo):
    readings = Readings(demo)
    case = Case("late", "kind", "observed")
    assert readings.layers(case, "stream") == [0, 1, 2, 3, 4]
    assert readings.layer_name(case, "stream", 0) == "before fusion"
    assert readings.layer_name(case, "encoding", 5) == "head"
    assert readings.get(case, "stream", "recovered", "", 0) is None
    assert readings.get(Case("nobody", "kind", "observed"), "stream", "synergy") is None


@pytest.mark.parametrize(
    ("accuracy", "above"),
    [
        (Reading(0.51, 0.49, 0.53, n=2000), False),
        (Reading(0.75, 0.73, 0.77, n=2000), True),
        (Reading(0.51, n=100), False),  # no interval: Wilson's decides
        (Reading(0.51, n=100_000), True),
        (Reading(0.50, n=0), False),
    ],
)
def test_a_network_is_above_chance_only_with_its_whole_interval(accuracy, above):
    assert Skill(accuracy, Reading(0.5)).above_chance is above


def test_a_reading_without_an_interval_is_never_above_anything():
    lone = Reading(3.0)
    assert lone.determined
    assert not lone.bounded
    assert not lone.above(0)
    assert not Reading(4.0, 3.9, 4.1).above(lone)
    assert not Reading(math.nan, 0.0, 1.0).bounded
    assert not replace(Reading(1.0, 0.5, 1.5), p_value=0.3).positive


def test_the_corrected_p_value_is_preferred(make_profile):
    profile = make_profile(datasets=("match",), models={"m": ""})
    profile.frame.loc[profile.frame.quantity == "synergy", "q_value"] = 0.2
    synergy = Readings(profile).get(Case("m", "match", "redrawn"), "answer", "synergy")
    assert synergy.p_value == 0.2
    assert synergy.noise
